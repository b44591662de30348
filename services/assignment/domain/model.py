"""The words of routing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

AgentId = int
TicketId = int

ENGINE = 2
"""Version of the rules in this package. Raised where the same facts come to something else; 2: who loses to a better
fit, or whose room other tickets need, is told so, and weighted turns are guarded after a change.
"""


class Model(StrEnum):
    """How a queue chooses among eligible agents."""

    ROUND_ROBIN = "round_robin"
    LEAST_ACTIVE = "least_active"
    LONGEST_IDLE = "longest_idle"
    SKILLS = "skills"
    WEIGHTED = "weighted"


class Code(StrEnum):
    """Why an agent did not get a ticket. The first check that fails, in this order, is the one reason."""

    AGENT_INACTIVE = "AGENT_INACTIVE"
    AGENT_LIGHT = "AGENT_LIGHT"
    AGENT_SUSPENDED = "AGENT_SUSPENDED"
    APP_RESTRICTED = "APP_RESTRICTED"
    PROCESSING_RESTRICTED = "PROCESSING_RESTRICTED"
    NOT_IN_ROTATION = "NOT_IN_ROTATION"
    NOT_IN_GROUP = "NOT_IN_GROUP"
    STATUS_NOT_ONLINE = "STATUS_NOT_ONLINE"
    IDLE = "IDLE"
    OUT_OF_OFFICE = "OUT_OF_OFFICE"
    OFF_SHIFT = "OFF_SHIFT"
    MISSING_SKILL = "MISSING_SKILL"
    SKILL_LEVEL = "SKILL_LEVEL"
    DECLINED = "DECLINED"
    NOT_DEDICATED = "NOT_DEDICATED"
    INBOX_LIMIT = "INBOX_LIMIT"
    CHANNEL_LIMIT = "CHANNEL_LIMIT"
    CAPACITY = "CAPACITY"
    DAILY_LIMIT = "DAILY_LIMIT"
    QUEUE_DAILY_LIMIT = "QUEUE_DAILY_LIMIT"
    RATE_LIMIT = "RATE_LIMIT"
    BATCH_SIZE = "BATCH_SIZE"
    SLOT_TAKEN = "SLOT_TAKEN"
    LOST_QUALITY = "LOST_QUALITY"
    LOST_ROTATION = "LOST_ROTATION"
    LOST_LOAD = "LOST_LOAD"
    LOST_IDLE = "LOST_IDLE"
    CHOSEN = "CHOSEN"


FULL = frozenset(
    {
        Code.INBOX_LIMIT,
        Code.CHANNEL_LIMIT,
        Code.CAPACITY,
        Code.DAILY_LIMIT,
        Code.QUEUE_DAILY_LIMIT,
        Code.RATE_LIMIT,
        Code.BATCH_SIZE,
        Code.SLOT_TAKEN,
    }
)
"""Reasons that end by themselves: the agent may take such tickets, only not now."""


class Outcome(StrEnum):
    """What a decision says about a ticket."""

    ASSIGNED = "ASSIGNED"
    OFFERED = "OFFERED"
    WAITING_NO_ELIGIBLE_AGENT = "WAITING_NO_ELIGIBLE_AGENT"
    WAITING_ALL_FULL = "WAITING_ALL_FULL"
    QUEUE_CLOSED = "QUEUE_CLOSED"
    QUEUE_PULL_ONLY = "QUEUE_PULL_ONLY"


GIVEN = frozenset({Outcome.ASSIGNED, Outcome.OFFERED})
"""Outcomes that give a ticket to an agent."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent at the instant of a decision.

    Attributes:
        open_count: tickets in status Open, with those just assigned (seed of the inbox limit).
        assigned_12h: tickets that queues assigned to him in the last 12 hours.
        assigned_12h_queue: of these, those of the queue in question.
        assigned_run: tickets that round robin queues gave him in this run of the minute job (batch size).
        last_assigned_at: None = never.
        credit: turns owed to him, in units of `rotation.TURN`.
        absence: why he is not online, if we know more than that: idle or out_of_office.
        off_shift: whether his schedule keeps him from new tickets now.
        skills: (skill, level), by skill.
        restricted: whether he had his data kept out of routing (GDPR Art. 18).
        capacity: units of work that he can have at once.
        load: units that his open tickets take; 0 where neither he nor the queue has such a limit.
        interruptible: of these, those of work that other work may interrupt.
        open_queue: of these tickets, how many the queue in question gave him.
        rate_limit: most tickets that queues give him in `rate_minutes`; None = no such limit.
        assigned_rate: tickets that they gave him within that time.
        assigned_rate_queue: tickets that the queue in question gave him within the time of its own such limit.
    """

    id: AgentId
    groups: frozenset[int]
    role: str = "agent"
    custom_role_id: int | None = None
    status: str = "online"
    active: bool = True
    light: bool = False
    suspended: bool = False
    open_count: int = 0
    assigned_12h: int = 0
    assigned_12h_queue: int = 0
    assigned_run: int = 0
    inbox_limit: int | None = None
    daily_limit: int | None = None
    last_assigned_at: datetime | None = None
    credit: int = 0
    absence: str = ""
    off_shift: bool = False
    skills: tuple[tuple[str, int], ...] = ()
    restricted: bool = False
    capacity: int | None = None
    load: int = 0
    interruptible: int = 0
    open_queue: int = 0
    rate_limit: int | None = None
    rate_minutes: int | None = None
    assigned_rate: int = 0
    assigned_rate_queue: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """A skill that a ticket asks for (facts: §5.6).

    Attributes:
        level: the least that counts.
        drop_after_seconds: once the ticket waited that long it is not asked for any more; None = for ever.
        steps: (waited so many seconds, level that is enough from then on), in order of time.
    """

    skill: str
    level: int = 1
    drop_after_seconds: int | None = None
    steps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that waits.

    Attributes:
        group: None = any group.
        priority: urgent, high, normal, low or None.
        entered_at: since when it waits; None = since it was created. A decline does not change it.
        needs: skills, in order.
        declined: agents who are not asked again: they declined, or let an offer expire.
        dedicated: the only agent who may have it; None = anybody.
        preferred: who had it last, and has it again before anybody else if he may and can; None = nobody.
        overflow: groups whose agents help by now, whomever the queue is for.
    """

    id: TicketId
    created_at: datetime
    group: int | None = None
    priority: str | None = None
    next_breach_at: datetime | None = None
    entered_at: datetime | None = None
    needs: tuple[Need, ...] = ()
    declined: frozenset[AgentId] = frozenset()
    dedicated: AgentId | None = None
    overflow: frozenset[int] = frozenset()
    preferred: AgentId | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """The rules of one queue.

    Attributes:
        agents: chosen agents; empty = members of the ticket's group.
        batch_size: most tickets per agent and run; round robin of scheduled queues only.
        daily_limit: most tickets of this queue per agent in 12 hours.
        scheduled: False = trigger queue, to which the daily limits do not apply.
        offer_seconds: how long an agent may think about a ticket; None = it is assigned at once.
        closed: whether its schedule rests now: nothing is given.
        pull_only: whether its tickets go to agents who ask alone: this round gives nothing, for nobody asked.
        weights: turns of each agent beside the others', in order of the agents; whoever is not named has 1. The
            weighted model's alone.
        work: units of an agent's capacity that one of its tickets takes.
        interruptible: whether other work may interrupt its tickets: they take capacity from such queues alone.
        open_limit: most open tickets of this queue per agent.
        rate_limit: most tickets of this queue per agent in `rate_minutes`.
        ageing_seconds: waiting time that makes up for one step of priority; None = priority always goes first.
    """

    id: str
    model: Model = Model.ROUND_ROBIN
    agents: frozenset[AgentId] = frozenset()
    use_sla: bool = False
    batch_size: int | None = None
    daily_limit: int | None = None
    scheduled: bool = True
    offer_seconds: int | None = None
    closed: bool = False
    pull_only: bool = False
    ageing_seconds: int | None = None
    work: int = 1
    interruptible: bool = False
    open_limit: int | None = None
    rate_limit: int | None = None
    rate_minutes: int | None = None
    weights: tuple[tuple[AgentId, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Restrictions:
    """Zendesk's own restriction of our app; empty = everybody."""

    groups: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a decision looks at.

    Attributes:
        as_of: the instant; None where nothing depends on it.
        privacy_revision: of the register of restrictions that was applied; None = none was known.
        engine: whose rules decide: what an older one decided is decided again by the rules of its time.
        stretch: members and weights that all turns of the queue had since its rotation began, or that they changed
            (`rotation.stretch_of`); empty = it begins.
    """

    agents: Sequence[Agent]
    tickets: Sequence[Ticket]
    queue: Queue
    restrictions: Restrictions = Restrictions()
    as_of: datetime | None = None
    privacy_revision: int | None = None
    engine: int = ENGINE
    stretch: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided for one ticket.

    Attributes:
        rank: place in the round's value order, from 1.
        group: in which the ticket is assigned.
        codes: every agent that was considered, with his one code.
    """

    ticket: TicketId
    outcome: Outcome
    rank: int
    agent: AgentId | None = None
    group: int | None = None
    codes: Mapping[AgentId, Code] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions of one round, in value order, and the balances of turns and their stretch after it."""

    decisions: Sequence[Decision]
    balances: Mapping[AgentId, int]
    stretch: str = ""

    @property
    def assigned(self) -> list[Decision]:
        """The decisions that assign, or offer."""
        return [d for d in self.decisions if d.outcome in GIVEN]
