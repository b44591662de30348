"""The rows of one account in memory."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta

from libs.db.requests import Remembered
from services.assignment.app.rows import (
    PREFERRING,
    Account,
    AgentRow,
    DecisionRow,
    DedicatedRow,
    OfferRow,
    QueueRow,
    SkillRow,
    TicketRow,
    Write,
    next_queue,
)
from services.assignment.app.status_history import IdleRule, StatusRecord
from services.assignment.domain.hours import Schedule
from services.assignment.domain.limits import Limit
from services.assignment.domain.shifts import ShiftException
from services.assignment.domain.usage import UsageDay
from services.assignment.domain.view_reads import ViewRead

ROUTABLE = ("new", "open")


@dataclass(frozen=True, slots=True)
class KeptTicket:
    """A ticket, and the outcome of its last decision."""

    row: TicketRow
    outcome: str = ""
    dedicated: int | None = None
    entered_at: datetime | None = None
    last_agent: int | None = None
    last_agent_at: datetime | None = None
    returned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptAssignment:
    """An assignment: committed, confirmed, ended, or conflict."""

    ticket: int
    agent: int
    queue: str
    mechanism: str
    state: str
    at: datetime

    @property
    def live(self) -> bool:
        """Whether its ticket may not be assigned again."""
        return self.state in ("committed", "confirmed")


@dataclass(frozen=True, slots=True)
class KeptDecline:
    """Why (skip, decline, expire) and when an agent is not asked again, and whether Zendesk knows."""

    kind: str
    at: datetime
    told: bool = False


@dataclass(frozen=True, slots=True)
class KeptWrite:
    """A write, how it stands, and until when (seconds of the store's clock) somebody has it in hand."""

    write: Write
    state: str = "pending"
    lease_until: float = float("-inf")


@dataclass
class Tables:
    """Everything of one account. Rows are immutable, so a copy of the dictionaries is a copy of all."""

    clock: Callable[[], float]
    account: Account | None = None
    agents: dict[int, AgentRow] = field(default_factory=dict)
    memberships: set[tuple[int, int]] = field(default_factory=set)
    queues: dict[str, QueueRow] = field(default_factory=dict)
    views: set[int] = field(default_factory=set)
    view_tickets: dict[int, frozenset[int]] = field(default_factory=dict)
    usage: dict[date, tuple[UsageDay, int]] = field(default_factory=dict)
    view_reads: dict[int, ViewRead] = field(default_factory=dict)
    view_news: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    tickets: dict[int, KeptTicket] = field(default_factory=dict)
    slas: dict[int, tuple[datetime, datetime | None]] = field(default_factory=dict)
    group_turns: dict[int, int] = field(default_factory=dict)
    schedules: dict[int, Schedule] = field(default_factory=dict)
    capacities: dict[int, int] = field(default_factory=dict)
    rate_limits: dict[int, Limit] = field(default_factory=dict)
    shifts: dict[int, int] = field(default_factory=dict)
    exceptions: set[ShiftException] = field(default_factory=set)
    invocations: dict[str, datetime] = field(default_factory=dict)
    assignments: dict[str, KeptAssignment] = field(default_factory=dict)
    decisions: dict[str, DecisionRow] = field(default_factory=dict)
    inputs: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    preferring: dict[int, tuple[datetime, float]] = field(default_factory=dict)
    rotation: dict[tuple[str, int], int] = field(default_factory=dict)
    stretches: dict[str, str] = field(default_factory=dict)
    outbox: dict[str, KeptWrite] = field(default_factory=dict)
    dedicated_rules: list[DedicatedRow] = field(default_factory=list)
    skills: dict[str, SkillRow] = field(default_factory=dict)
    agent_skills: dict[tuple[int, str], int] = field(default_factory=dict)
    ticket_skills: set[tuple[int, str]] = field(default_factory=set)
    skill_cursor: str = ""
    status_records: dict[int, StatusRecord] = field(default_factory=dict)
    last_status_record: int = 0
    idle_rules: dict[int, IdleRule] = field(default_factory=dict)
    offers: dict[str, OfferRow] = field(default_factory=dict)
    declines: dict[tuple[int, int], KeptDecline] = field(default_factory=dict)
    requests: dict[tuple[str, str], Remembered] = field(default_factory=dict)

    def copy(self) -> Tables:
        """Return a copy to work on."""
        work = copy.copy(self)
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, dict | set):
                setattr(work, one.name, value.copy())
        return work

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[None]:
        """Undo at the end of the block what is done in it."""
        before = self.copy()
        try:
            yield
        finally:
            requests = self.requests  # the one table that is handed out as it is
            for one in fields(self):
                setattr(self, one.name, getattr(before, one.name))
            requests.clear()
            requests.update(before.requests)
            self.requests = requests

    def pending(self, ticket: int, kinds: Collection[str] = ("assign", "release")) -> bool:
        """Tell whether a change of ours, of one of these kinds, is on its way to a ticket."""
        return any(
            k.state == "pending" and k.write.ticket == ticket and k.write.kind in kinds
            for k in self.outbox.values()
        )

    def live_offers(self) -> list[OfferRow]:
        """Return the offers that agents think about."""
        return [o for o in self.offers.values() if o.state == "offered"]

    def give_turn_back(self, queue: str, agent: int, turn: int) -> None:
        """Credit an agent with a turn that became no work."""
        self.rotation[queue, agent] = self.rotation.get((queue, agent), 0) + turn

    def ordered_queues(self) -> list[QueueRow]:
        """Return queues in their order."""
        return sorted(self.queues.values(), key=lambda q: (q.position, q.id))

    def holds(self, queue: QueueRow, ticket: int, at: datetime) -> bool:
        """Tell whether a waiting ticket belongs to a queue: the first active one that has it, or the one that
        took it over from there because it waited too long; none as long as its preference is to be found.
        """
        kept = self.tickets.get(ticket)
        if kept is None or kept.row.routing != "waiting":
            return False
        marked = self.preferring.get(ticket)
        if marked is not None and at < marked[0] + PREFERRING:
            return False
        queues = sorted(({**self.queues, queue.id: queue}).values(), key=lambda q: (q.position, q.id))
        for first in queues:
            if (first.state == "active" or first.id == queue.id) and self._source(first, kept):
                return self._taken_over(first, queues, kept, at).id == queue.id
        return False

    @staticmethod
    def _taken_over(queue: QueueRow, queues: Sequence[QueueRow], kept: KeptTicket, at: datetime) -> QueueRow:
        """Return whose a ticket is that a queue has."""
        began = kept.entered_at or kept.row.facts.created_at
        for _ in queues:  # no longer than every chain
            target = next_queue(queue, queues) if queue.state == "active" else None
            if target is None or at < began + timedelta(seconds=queue.options.overflow_seconds or 0):
                return queue
            queue = target
        return queue

    def _source(self, queue: QueueRow, kept: KeptTicket) -> bool:
        if not queue.source:
            return True
        if queue.kind == "trigger":
            return kept.row.facts.group_id == queue.source
        return kept.row.facts.id in self.view_tickets.get(queue.source, frozenset())

    def full_agent(self, row: AgentRow) -> AgentRow:
        """Return an agent with his groups and open tickets."""
        groups = tuple(sorted(g for user, g in self.memberships if user == row.user_id))
        facts = [k.row.facts for k in self.tickets.values()]
        count = sum(f.assignee_id == row.user_id and f.status in ROUTABLE for f in facts)
        count += sum(o.agent_id == row.user_id for o in self.live_offers())
        return replace(row, groups=groups, open_count=count)
