"""What a played day is made of: people, groups, and what happens when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


class ScriptError(Exception):
    """A day cannot be played; the message names the file, line and column at fault."""


@dataclass(frozen=True, slots=True)
class AgentPart:
    """An agent of the day.

    Attributes:
        key: number within the script; Zendesk's id is given when the account is seeded.
        groups: keys of the groups he belongs to from the start.
        online: whether he is online at the start.
        manager: whether he is a delegated administrator.
        admin: whether he is a Zendesk admin.
    """

    key: int
    groups: tuple[int, ...]
    online: bool = True
    manager: bool = False
    admin: bool = False


@dataclass(frozen=True, slots=True)
class TicketPart:
    """A ticket of the day.

    Attributes:
        key: number within the script.
        at: when it reaches its first group.
        requester: key of the person who asks.
        group: key of the group.
        priority: `urgent`, `high`, `normal` or `low`.
        work: from assignment to solution; outcome only, never shown to the engine.
    """

    key: int
    at: datetime
    requester: int
    group: int
    priority: str
    work: timedelta


@dataclass(frozen=True, slots=True)
class JoinPart:
    """An agent joins a group.

    Attributes:
        at: when.
        agent: key of the agent.
        group: key of the group.
    """

    at: datetime
    agent: int
    group: int


@dataclass(frozen=True, slots=True)
class ShiftPart:
    """An agent comes online or leaves.

    Attributes:
        at: when.
        agent: key of the agent.
        online: what he becomes.
    """

    at: datetime
    agent: int
    online: bool


@dataclass(frozen=True, slots=True)
class Script:
    """One stretch of time to play.

    Attributes:
        title: for the summary.
        start: first instant.
        end: last instant; tickets that still wait then are counted as waiting.
        agents: ordered by key.
        groups: keys.
        tickets: ordered by `at`.
        joins: memberships that begin after `start`, ordered by `at`.
        shifts: comings and goings, ordered by `at`.
        inbox_limit: open tickets at which an agent pauses.
    """

    title: str
    start: datetime
    end: datetime
    agents: Sequence[AgentPart]
    groups: Sequence[int]
    tickets: Sequence[TicketPart]
    joins: Sequence[JoinPart] = field(default_factory=tuple)
    shifts: Sequence[ShiftPart] = field(default_factory=tuple)
    inbox_limit: int = 5

    def moved_to_end_at(self, end: datetime) -> Script:
        """Return the same script, moved in time by whole minutes so that it ends at `end`.

        The suite's clock may only run forward, and ends at the machine's own time: so a past day is
        played as if it ended now.
        """
        shift = timedelta(minutes=(end - self.end) // timedelta(minutes=1))
        return replace(
            self,
            start=self.start + shift,
            end=self.end + shift,
            tickets=[replace(t, at=t.at + shift) for t in self.tickets],
            joins=[replace(j, at=j.at + shift) for j in self.joins],
            shifts=[replace(s, at=s.at + shift) for s in self.shifts],
        )
