"""What a run of the minute job would decide on what is known now, queue by queue; for rehearsals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.assignment.app.absences import Absences
from services.assignment.app.answer_offer import ExpireOffers
from services.assignment.app.ports import Store
from services.assignment.app.route import Route
from services.assignment.app.rows import QueueRow
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.model import Decision, Plan
from services.assignment.domain.view_reads import NEVER


@dataclass(slots=True)
class PlannedRun:
    """The plans of a run.

    Attributes:
        plans: of each queue that something waits in, in the order of the queues.
        left_out: titles of queues that were not decided, for there was too much before them.
        unread: titles of queues whose view was not read yet, so that nothing is known to wait in them.
        considered: tickets that were looked at.
        waiting: tickets of the account that wait after it, in whatever queue or none.
    """

    as_of: datetime
    rule_version: int = 0
    plans: list[tuple[QueueRow, Plan]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    considered: int = 0
    waiting: int = 0

    @property
    def nothing_known(self) -> list[str]:
        """Of which queues nothing can be told, in sentences."""
        return [
            f"queue `{title}`: its view was not read yet, so that nothing is known to wait in it: ask again in a minute"
            for title in self.unread
        ]

    def decisions(self) -> Iterator[tuple[QueueRow, Decision]]:
        """Yield every decision with its queue, in the order in which they are made."""
        for queue, plan in self.plans:
            for decision in plan.decisions:
                yield queue, decision


class PlanRun:
    """Does what the minute job does between reading Zendesk and writing to it.

    Tickets that are open again and leave their agent (`app/returned.py`) are not among it: no round of this run sees
    them before Zendesk has let them go.
    """

    def __init__(self, store: Store, route: Route, absences: Absences, clock: Clock) -> None:
        self._store = store
        self._route = route
        self._absences = absences
        self._clock = clock
        self._expire = ExpireOffers(store, route, absences, clock)

    async def __call__(self, account: AccountId, most: int | None = None) -> PlannedRun:
        """Set aside who is idle, end offers that are due, decide for every active queue.

        Args:
            most: no queue is begun once so many tickets were looked at; None = all are.

        Raises:
            NotSyncedError: the account is unknown.
        """
        await self._absences.sweep(account)
        await self._expire(account)
        planned = PlannedRun(self._clock.now())
        async with self._store.transaction(account) as tx:
            kept = await tx.directory.account()
            if kept is None:
                raise NotSyncedError("nothing is known of this account yet: sync it first")
            planned.rule_version = kept.rule_version
            queues = [q for q in await tx.directory.queues() if q.state == "active"]
            reads = await tx.views.reads()
        for queue in queues:
            read = reads.get(queue.source)
            if queue.kind == "scheduled" and queue.source and (read is None or read.read_at == NEVER):
                planned.unread.append(queue.title)
            if most is not None and planned.considered >= most:
                planned.left_out.append(queue.title)
                continue
            command = f"{queue.id}/{planned.as_of:%Y-%m-%dT%H:%MZ}"
            routed = await self._route(account, queue.id, command, planned.as_of)
            planned.considered += routed.considered
            if routed.plan is not None:
                planned.plans.append((queue, routed.plan))
        async with self._store.transaction(account) as tx:
            planned.waiting = await tx.tickets.waiting()
        return planned
