"""WhyIdle: why an agent gets nothing, queue by queue, and what would change it (facts: §7.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app import freeing, pulling
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.route import Route
from services.assignment.app.rows import Account, QueueRow
from services.assignment.domain.decide import decide
from services.assignment.domain.details import detail
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.hours import opens_at
from services.assignment.domain.model import Agent, Code, Decision, Outcome, Snapshot, Ticket
from services.assignment.domain.sentences import about_agent

MOST_TICKETS = 10_000
"""How many tickets of a queue are looked at; ours: under a second."""
CLOSED = Outcome.QUEUE_CLOSED.value
_NEXT_TICKET = 0
"""Stands for the next ticket of a queue in which none waits."""
_CLOSENESS = {code: place for place, code in enumerate(Code)}
EVERYWHERE = (
    Code.AGENT_INACTIVE,
    Code.AGENT_LIGHT,
    Code.AGENT_SUSPENDED,
    Code.APP_RESTRICTED,
    Code.PROCESSING_RESTRICTED,
    Code.STATUS_NOT_ONLINE,
    Code.IDLE,
    Code.OUT_OF_OFFICE,
    Code.OFF_SHIFT,
    Code.INBOX_LIMIT,
)
"""Codes that bar an agent whatever the queue."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a queue has for an agent.

    Attributes:
        code: the one that comes closest to a ticket, or `CLOSED`.
        waiting: tickets looked at.
        free_at: when the code stops to hold by itself, if nothing else happens.
    """

    queue: QueueRow
    code: str
    sentences: Sequence[str]
    waiting: int = 0
    by_code: Mapping[str, int] = field(default_factory=dict)
    detail: Mapping[str, str] = field(default_factory=dict)
    free_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """Why an agent gets nothing.

    Attributes:
        sentences: what bars him whatever the queue.
        standings: active queues, in their order.
        more: whether others come after these.
    """

    as_of: datetime
    sentences: Sequence[str]
    standings: Sequence[Standing]
    more: bool = False


class WhyIdle:
    """Answers without changing anything, and without holding anybody up."""

    def __init__(self, store: Store, route: Route, clock: Clock) -> None:
        self._store = store
        self._route = route
        self._clock = clock

    async def __call__(self, account: AccountId, agent: int, skip: int, limit: int) -> Idle:
        """Decide the next round of some active queues, on snapshots as of now, and keep nothing.

        Args:
            skip: so many queues come before.
            limit: at most so many.

        Raises:
            NotSyncedError: the account is unknown.
            NotFoundError: no such agent.
        """
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            kept, row = await tx.directory.account(), await tx.directory.agent(agent)
            if kept is None:
                raise NotSyncedError("nothing is known of this account yet: sync it first")
            if row is None:
                name = f"accounts/{account}/agents/{agent}"
                raise NotFoundError("no such agent", metadata={"name": name})
            now = self._clock.now()
            queues = [q for q in await tx.directory.queues() if q.state == "active"]
            shown = queues[skip : skip + limit]
            found = [await self._standing(tx, kept, q, agent, now, row.rule) for q in shown]
        seen = {one.code for one in found} | ({Code.AGENT_INACTIVE.value} if not row.active else set())
        general = [about_agent(code) for code in EVERYWHERE if code.value in seen]
        if not queues:
            general.append("no queue is active: make one, or resume one")
        return Idle(now, general, found, more=len(queues) > skip + limit)

    async def _standing(
        self,
        tx: Transaction,
        kept: Account,
        queue: QueueRow,
        agent: int,
        now: datetime,
        rule: int | None,
    ) -> Standing:
        bounded = replace(queue, scan_limit=min(queue.scan_limit or MOST_TICKETS, MOST_TICKETS))
        group = queue.source if queue.kind == "trigger" and queue.source else None
        snapshot = await self._route.look(
            tx, kept, bounded, now, nothing_waits=Ticket(_NEXT_TICKET, now, group=group)
        )
        tickets = {t.id: t for t in snapshot.tickets}
        empty = _NEXT_TICKET in tickets
        him = next((a for a in snapshot.agents if a.id == agent), None)
        if snapshot.queue.closed:
            return await self._closed(tx, queue, 0 if empty else len(tickets), now)
        if him is None:
            code = Code.AGENT_INACTIVE.value
            return Standing(queue, code, [about_agent(Code.AGENT_INACTIVE)], 0 if empty else len(tickets))
        asks = snapshot.queue.pull_only
        if asks:  # who asks competes with nobody
            snapshot = _alone(pulling.as_asked(snapshot), him)
        codes: dict[Code, list[Decision]] = {}
        for decision in decide(_alone(snapshot, him) if empty else snapshot).decisions:
            codes.setdefault(decision.codes[agent], []).append(decision)
        closest = max(codes, key=_CLOSENESS.__getitem__)
        concerned = [tickets[d.ticket] for d in codes[closest]]
        free_at = await self._free_at(tx, him, closest, snapshot, concerned, now)
        said = [pulling.NEXT_WHEN_ASKED if asks and closest is Code.CHOSEN else about_agent(closest)]
        if free_at is not None:
            said.append(f"free from {free_at:%Y-%m-%d %H:%M:%S} UTC on, if nothing else happens")
        if empty:
            said.insert(0 if closest is Code.CHOSEN else len(said), "no ticket waits in the queue")
        if asks:
            said = [pulling.said(queue), *pulling.elsewhere(queue, rule), *said]
        counts = {} if empty else Counter({code.value: len(found) for code, found in codes.items()})
        numbers = detail(closest, him, snapshot.queue, concerned[0], now)
        waiting = 0 if empty else len(tickets)
        return Standing(queue, closest.value, said, waiting, counts, numbers, free_at)

    @staticmethod
    async def _closed(tx: Transaction, queue: QueueRow, waiting: int, now: datetime) -> Standing:
        schedule = (await tx.schedules.all()).get(queue.options.schedule or 0)
        at = opens_at(schedule, now) if schedule is not None else None
        said = ["the queue's schedule rests now: its tickets are given when it opens"]
        said.append(
            f"it opens at {at:%Y-%m-%d %H:%M:%S} UTC"
            if at is not None
            else "its schedule has no hours that we know: look at it in Zendesk under business hours"
        )
        return Standing(queue, CLOSED, said, waiting, {CLOSED: waiting} if waiting else {}, {}, at)

    @staticmethod
    async def _free_at(
        tx: Transaction, him: Agent, code: Code, snapshot: Snapshot, tickets: Sequence[Ticket], now: datetime
    ) -> datetime | None:
        if code is Code.OFF_SHIFT:
            return await freeing.shift_begins(tx, him.id, now)
        if (at := freeing.relaxes_at(tickets, code, now)) is not None:
            return at
        return freeing.frees_at(him, code, snapshot.queue, await freeing.known(tx, {him.id: code}, now), now)


def _alone(snapshot: Snapshot, him: Agent) -> Snapshot:
    """Return the snapshot of a queue in which nothing waits as if he were alone: he competes with nobody."""
    return replace(snapshot, agents=[him])
