"""Agents whom every kind of ticket treats alike, and each agent as a round changes him."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeAlias

from services.assignment.domain.model import Agent, AgentId, Model

UNLIMITED = 1 << 60
"""Slots of an agent without any limit."""
BY_LOAD = frozenset({Model.LEAST_ACTIVE, Model.SKILLS})
"""Models that give to whoever has the fewest open tickets."""
NEVER = datetime.min.replace(tzinfo=UTC)

Entry: TypeAlias = tuple[Any, ...]
"""Sorts an agent; ends with his id and its version."""

# What may differ inside a profile. INVARIANT: `barred` looks at nothing of these but the id, and at the id only
# through the queue's chosen agents and those whom a kind names. A new field of `Agent` separates profiles until
# it is named here.
_OWN = frozenset(
    {
        "id",
        "open_count",
        "assigned_12h",
        "assigned_12h_queue",
        "assigned_run",
        "inbox_limit",
        "daily_limit",
        "last_assigned_at",
        "credit",
        "capacity",
        "load",
        "interruptible",
        "open_queue",
        "rate_limit",
        "rate_minutes",
        "assigned_rate",
        "assigned_rate_queue",
    }
)
shared = attrgetter(*(f.name for f in fields(Agent) if f.name not in _OWN))


@dataclass(slots=True, eq=False)
class Profile:
    """Agents whom every kind treats alike.

    Attributes:
        example: one of them.
        kinds: numbers of those that they may take.
        free: slots of all of them together.
        weight: of each of them in a rotation.
        sharing: how many of them accrue turns.
        marks: of these (`rotation.mark`), where weights differ.
        accrued: what each of these accrued so far for each unit of weight, in units of `rotation.TURN`.
        heap: who is next; outdated entries are dropped when they come to the top.
    """

    index: int
    example: Agent
    weight: int = 1
    kinds: list[int] = field(default_factory=list)
    free: int = 0
    sharing: int = 0
    marks: int = 0
    accrued: int = 0
    heap: list[Entry] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Member:
    """An agent as a round changes him.

    Attributes:
        agent: what was last put.
        inbox, daily, queue_daily, rate, batch, room (capacity, the queue's open limit): tickets until each limit, about `UNLIMITED` without one; negative when
            somebody assigned beyond it by hand.
        base: his credit without what his profile accrued; without that addition while he does not share.
        taken: tickets of this round.
        version: of his entry in the heap.
    """

    agent: Agent
    profile: Profile
    inbox: int
    daily: int
    queue_daily: int
    rate: int
    batch: int
    room: int
    open: int
    last: datetime
    base: int
    taken: int = 0
    version: int = 0
    sharing: bool = False

    @property
    def id(self) -> AgentId:
        """Who."""
        return self.agent.id

    @property
    def free(self) -> int:
        """Tickets that he may still take."""
        return max(0, min(self.inbox, self.daily, self.queue_daily, self.rate, self.batch, self.room))

    @property
    def full(self) -> bool:
        """Whether a limit holds him that does not end with the run, as the batch size does."""
        return min(self.inbox, self.daily, self.queue_daily, self.rate, self.room) <= 0

    @property
    def credit(self) -> int:
        """Turns owed to him, in units of `rotation.TURN`."""
        return self.base + self.profile.accrued * self.profile.weight if self.sharing else self.base
