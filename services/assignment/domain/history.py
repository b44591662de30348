"""What happened, or is thought to happen: what a replay plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.assignment.domain.model import Agent, AgentId, Queue, Restrictions, Ticket, TicketId


@dataclass(frozen=True, slots=True)
class Arrival:
    """A ticket that comes.

    Attributes:
        at: since when it waits.
        work: from its assignment until it is open no more. An outcome: no decision sees it.
        queue: that holds it.
        patience: after which it is given up if it still waits; None = never.
        breach_at: when its service level is breached if it still waits; None = it has none.
        requester: who asks, as a number without meaning elsewhere; None = unknown.
    """

    at: datetime
    ticket: Ticket
    work: timedelta
    queue: str = ""
    patience: timedelta | None = None
    breach_at: datetime | None = None
    requester: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is known of an agent from an instant on; his open tickets are those from outside the replay."""

    at: datetime
    agent: Agent


@dataclass(frozen=True, slots=True)
class Update:
    """What is known of a ticket from an instant on, if it still waits: its facts, and the queue that holds it."""

    at: datetime
    ticket: Ticket
    queue: str


@dataclass(frozen=True, slots=True)
class Hours:
    """A queue rests from an instant on, or does so no more."""

    at: datetime
    queue: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Given:
    """A ticket given to an agent."""

    at: datetime
    agent: AgentId


@dataclass(frozen=True, slots=True)
class History:
    """One stretch of time.

    Attributes:
        end: tickets that still wait then have waited until then.
        recorded: what was done with tickets then.
        credits: turns owed at the start, by queue and agent.
        stretches: whose turns they were until then, by queue (`rotation.stretch_of`).
        updates: what became known of tickets later.
        hours: when queues rest.
    """

    start: datetime
    end: datetime
    arrivals: Sequence[Arrival]
    changes: Sequence[Change]
    recorded: Mapping[TicketId, Given] = field(default_factory=dict)
    credits: Mapping[str, Mapping[AgentId, int]] = field(default_factory=dict)
    updates: Sequence[Update] = ()
    hours: Sequence[Hours] = ()
    stretches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """A configuration to play a history through.

    Attributes:
        queues: by id; those that arrivals name.
        every: how often scheduled queues run, as the minute job does.
    """

    queues: Sequence[Queue]
    restrictions: Restrictions = field(default_factory=Restrictions)
    every: timedelta = timedelta(minutes=1)
