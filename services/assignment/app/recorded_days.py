"""Past days from the decisions that were kept, with the snapshots that they were made from.

Times are when things happened in Zendesk; the service learned of some of them up to a minute job later, so a replay
under the same rules may give a ticket that much earlier than it was given.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from libs.kernel.errors import InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.rounds import DAILY_WINDOW
from services.assignment.app.rows import DecisionRow
from services.assignment.domain.history import Arrival, Change, Given, History, Hours, Update
from services.assignment.domain.model import (
    Agent,
    AgentId,
    Outcome,
    Queue,
    Restrictions,
    Snapshot,
    Ticket,
    TicketId,
)

MOST_DECISIONS = 100_000
_PAGE = 1000
_DONE = frozenset({"solved", "closed"})
_CAME_TO_NOTHING = frozenset({"conflict", "failed"})
_GIVEN = frozenset({"ASSIGNED", "OFFERED"})


@dataclass(slots=True)
class RecordedDays:
    """What is known of some days.

    Attributes:
        queues: as they last were, by id.
        without_inputs: decisions whose snapshot is not kept any more; the days are not known whole then.
        pulled: tickets that are left out, for they waited until an agent asked, which nobody does in a replay. Who has
            them is as busy as he was.
    """

    history: History
    queues: dict[str, Queue]
    restrictions: Restrictions
    without_inputs: int = 0
    pulled: int = 0


class ReadRecordedDays:
    """Makes a history of an account's own decisions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, account: AccountId, start: datetime, end: datetime) -> RecordedDays:
        """Read the days.

        Raises:
            NotFoundError: nothing was decided then, or nothing of it is kept that could be played.
            InvalidRequestError: more was decided than fits into one replay.
        """
        rows = await self._rows(account, start, end)
        pulled = await self._pulled(account, rows)
        reader = _Reader(start, end, rows, pulled)
        missing, digests = 0, dict.fromkeys(r.inputs for r in rows)
        for digest in digests:
            async with self._store.transaction(account) as tx:
                snapshot = await tx.decisions.inputs(digest) if digest else None
            if snapshot is None:
                missing += sum(r.inputs == digest for r in rows)
            else:
                reader.read(next(r for r in rows if r.inputs == digest), snapshot)
        if not reader.arrivals:
            name = f"accounts/{account}/decisions"
            why = (
                "every ticket of these days was for agents to ask for: there is nothing to replay"
                if pulled and not missing
                else "no decisions of these days are kept with their inputs"
            )
            raise NotFoundError(why, metadata={"name": name})
        works, requesters = await self._outcomes(account, reader)
        return RecordedDays(
            reader.history(works, requesters),
            reader.queues,
            reader.restrictions,
            without_inputs=missing,
            pulled=len(pulled),
        )

    async def _pulled(self, account: AccountId, rows: list[DecisionRow]) -> frozenset[TicketId]:
        """Return the tickets that waited until somebody asked, or were taken at once by somebody who did."""
        async with self._store.transaction(account) as tx:
            only = {q.id for q in await tx.directory.queues() if q.options.pull_only}
        return frozenset(
            r.ticket
            for r in rows
            if r.outcome == Outcome.QUEUE_PULL_ONLY.value or (r.mechanism == "pull" and r.queue in only)
        )

    async def _rows(self, account: AccountId, start: datetime, end: datetime) -> list[DecisionRow]:
        """Return the decisions of the days; their first is found by halves, for sequences follow time."""
        async with self._store.transaction(account) as tx:
            low, high = 0, await tx.decisions.head()
            while low < high:
                middle = (low + high) // 2
                found = await tx.decisions.page(middle, 1, None)
                if found and found[0].as_of < start:
                    low = middle + 1
                else:
                    high = middle
            rows: list[DecisionRow] = []
            while page := await tx.decisions.page(low, _PAGE, None):
                rows += [r for r in page if start <= r.as_of < end]
                low = page[-1].sequence
                if len(rows) > MOST_DECISIONS:
                    raise InvalidRequestError(f"more than {MOST_DECISIONS:,} decisions: replay fewer days")
                if page[-1].as_of >= end:
                    break
        return rows

    async def _outcomes(
        self, account: AccountId, reader: _Reader
    ) -> tuple[dict[TicketId, timedelta], dict[TicketId, int]]:
        """Return how long work took where the end is known, and who asked."""
        works: dict[TicketId, timedelta] = {}
        requesters: dict[TicketId, int] = {}
        async with self._store.transaction(account) as tx:
            for ticket in reader.arrivals:
                row = await tx.tickets.one(ticket)
                if row is None:
                    continue
                if row.routing == "not_routable" and ticket not in reader.recorded:
                    reader.left[ticket] = row.facts.updated_at
                if row.facts.requester_id is not None:
                    requesters[ticket] = row.facts.requester_id
                given = reader.recorded.get(ticket)
                if given is not None and row.facts.status in _DONE and row.facts.updated_at > given.at:
                    works[ticket] = row.facts.updated_at - given.at
        return works, requesters


@dataclass(slots=True)
class _Reader:
    """Collects tickets, agents and rules, snapshot after snapshot."""

    start: datetime
    end: datetime
    rows: list[DecisionRow]
    pulled: frozenset[TicketId] = frozenset()
    recorded: dict[TicketId, Given] = field(default_factory=dict)
    arrivals: dict[TicketId, tuple[datetime, Ticket, str]] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    restrictions: Restrictions = field(default_factory=Restrictions)
    _rosters: list[tuple[DecisionRow, list[Agent]]] = field(default_factory=list)
    credits: dict[str, dict[AgentId, int]] = field(default_factory=dict)
    left: dict[TicketId, datetime] = field(default_factory=dict)
    _closed: dict[str, bool] = field(default_factory=dict)
    _hours: list[Hours] = field(default_factory=list)
    _stretches: dict[str, str] = field(default_factory=dict)
    _facts: dict[TicketId, tuple[Ticket, str]] = field(default_factory=dict)
    _updates: list[Update] = field(default_factory=list)
    _sequences: dict[TicketId, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if row.ticket in self.pulled:
                continue
            if row.outcome in _GIVEN and row.agent_id is not None and row.write not in _CAME_TO_NOTHING:
                self.recorded[row.ticket] = Given(row.as_of, row.agent_id)
                self._sequences[row.ticket] = row.sequence

    def read(self, row: DecisionRow, snapshot: Snapshot) -> None:
        """Take what one round looked at."""
        self.queues[row.queue] = replace(snapshot.queue, offer_seconds=None, closed=False, pull_only=False)
        closed, before = snapshot.queue.closed, self._closed.get(row.queue)
        if closed is not bool(before):
            at = (
                self.start if before is None else row.as_of
            )  # nothing says when it closed, if before the first look
            self._hours.append(Hours(at, row.queue, closed))
        self._closed[row.queue] = closed
        self.restrictions = snapshot.restrictions
        self._rosters.append((row, list(snapshot.agents)))
        turns = self.credits.setdefault(row.queue, {})
        self._stretches.setdefault(row.queue, snapshot.stretch)
        for agent in snapshot.agents:
            turns.setdefault(agent.id, agent.credit)
        for ticket in snapshot.tickets:
            if ticket.id in self.pulled:
                continue
            since = ticket.entered_at or ticket.created_at
            at = max(self.start, min(since, row.as_of))
            self.arrivals.setdefault(ticket.id, (at, ticket, row.queue))
            known = self._facts.setdefault(ticket.id, (ticket, row.queue))
            if known != (ticket, row.queue):
                self._facts[ticket.id] = ticket, row.queue
                self._updates.append(Update(row.as_of, ticket, row.queue))

    def history(self, works: dict[TicketId, timedelta], requesters: dict[TicketId, int]) -> History:
        """Return the days.

        Work that has not ended lasts beyond the days; work that nobody began takes as long as the middle one.
        """
        whole = usual = self.end - self.start
        if works:
            usual = timedelta(seconds=statistics.median(w.total_seconds() for w in works.values()))
        arrivals = [
            Arrival(
                at,
                ticket,
                works.get(number, whole if number in self.recorded else usual),
                queue,
                # Who was helped by hand, or not at all, waited no longer.
                patience=max(timedelta(0), self.left[number] - at) if number in self.left else None,
                breach_at=ticket.next_breach_at,
                requester=requesters.get(number),
            )
            for number, (at, ticket, queue) in sorted(self.arrivals.items())
        ]
        return History(
            self.start,
            self.end,
            arrivals,
            list(self._changes(works)),
            self.recorded,
            self.credits,
            self._updates,
            self._hours,
            self._stretches,
        )

    def _changes(self, works: dict[TicketId, timedelta]) -> Iterator[Change]:
        """Yield agents as they changed, with what they had beside the tickets of these days."""
        known: dict[AgentId, Agent] = {}
        for row, agents in self._rosters:
            at = row.as_of
            before = {t: g for t, g in self.recorded.items() if self._sequences[t] < row.sequence}
            busy = Counter(g.agent for t, g in before.items() if t not in works or g.at + works[t] > at)
            recent = Counter(g.agent for g in before.values() if g.at > at - DAILY_WINDOW)
            paces = {a.id: timedelta(minutes=a.rate_minutes) for a in agents if a.rate_minutes is not None}
            paced = Counter(
                g.agent for g in before.values() if g.agent in paces and g.at > at - paces[g.agent]
            )
            units, interruptible = Counter[AgentId](), Counter[AgentId]()
            for ticket, given in before.items():
                if ticket in self.arrivals and (ticket not in works or given.at + works[ticket] > at):
                    queue = self.queues[self.arrivals[ticket][2]]
                    units[given.agent] += queue.work
                    interruptible[given.agent] += queue.work if queue.interruptible else 0
            seen = {a.id for a in agents}
            whole = row.mechanism == "queue"  # a pull looks at one agent alone
            gone = [replace(a, active=False) for i, a in known.items() if whole and i not in seen]
            for agent in (*agents, *gone):
                mine = replace(
                    agent,
                    open_count=max(0, agent.open_count - busy[agent.id]) if agent.id in seen else 0,
                    assigned_12h=max(0, agent.assigned_12h - recent[agent.id]),
                    load=max(0, agent.load - units[agent.id]),
                    interruptible=max(0, agent.interruptible - interruptible[agent.id]),
                    open_queue=0,
                    assigned_12h_queue=0,
                    assigned_rate=max(0, agent.assigned_rate - paced[agent.id]),
                    assigned_rate_queue=0,
                    assigned_run=0,
                    credit=0,
                    last_assigned_at=None,
                )
                if known.get(agent.id) != mine:
                    # Everybody who is seen later was there from the start: nothing says when he came.
                    fresh = agent.id not in known
                    last = agent.last_assigned_at if fresh else None
                    yield Change(self.start if fresh else at, replace(mine, last_assigned_at=last))
                    known[agent.id] = mine
