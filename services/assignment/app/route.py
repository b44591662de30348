"""One round: read, decide, keep; the same path for the minute job, a webhook and a pull."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.kernel.errors import ConcurrentChangeError
from libs.kernel.ids import AccountId, IdSource
from libs.telemetry.logs import get_logger
from services.assignment.app import capacity, overflow, rate_limits, schedules, stickiness
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.pulling import as_asked
from services.assignment.app.restricted import Restricted
from services.assignment.app.rows import Account, QueueRow, Round
from services.assignment.domain.decide import decide, tally
from services.assignment.domain.eligibility import relaxations
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.model import Code, Decision, Model, Outcome, Plan, Snapshot, Ticket

_ATTEMPTS = 3
MOST = 5_000
"""Assignments of one transaction, so that none takes long: a larger round is several, the most valuable tickets first."""
COOL_DOWN = timedelta(minutes=5)
"""How long after its last decline a ticket that everybody declined is offered anew (facts: decision 15)."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What one round did.

    Attributes:
        considered: waiting tickets that it looked at.
        news: decisions that were kept, with their ids.
        plan: everything that was decided, also what was so before and is not kept again; None where nothing was.
        next_at: when time alone lets others have what still waits: a skill is relaxed, or overflow begins; None = it
            does not.
    """

    considered: int
    news: list[tuple[str, Decision]]
    plan: Plan | None = None
    next_at: datetime | None = None


class Route:
    """Runs rounds."""

    def __init__(self, store: Store, ids: IdSource, restricted: Restricted) -> None:
        self._store = store
        self._ids = ids
        self._restricted = restricted

    async def prepare(self, account: AccountId) -> None:
        """Learn what must be known before a round; called before a transaction, never inside one."""
        await self._restricted.refresh(account)

    async def look(
        self,
        tx: Transaction,
        account: Account,
        queue: QueueRow,
        as_of: datetime,
        only: int | None = None,
        ticket: int | None = None,
        nothing_waits: Ticket | None = None,
        *,
        heads: bool = False,
    ) -> Snapshot:
        """Return everything that a round of a queue looks at.

        Args:
            nothing_waits: what to look at, for agents' sake, where no ticket waits.
            heads: tickets that cannot be given may be left out; the caller holds the lock.
        """
        snapshot = await tx.decisions.snapshot(
            account, queue, as_of, only, ticket, agents_anyway=nothing_waits is not None, heads=heads
        )
        if nothing_waits is not None and not snapshot.tickets:
            snapshot = replace(snapshot, tickets=[nothing_waits])
        if snapshot.tickets and queue.model == Model.WEIGHTED:
            snapshot = replace(snapshot, stretch=await tx.rotations.stretch(queue.id))
        snapshot = await capacity.applied(tx, account, queue, snapshot)
        snapshot = await rate_limits.applied(tx, account, queue, snapshot, as_of)
        snapshot = overflow.applied(queue, snapshot, as_of)
        snapshot = await stickiness.applied(tx, queue, snapshot, as_of)
        snapshot = await schedules.applied(tx, queue, snapshot, as_of)
        return self._restricted.applied(account.account, snapshot)

    async def __call__(self, account: AccountId, queue_id: str, command: str, as_of: datetime) -> Routed:
        """Decide for every ticket that waits in a queue, `MOST` assignments at a time; nothing if it is not active now.

        Raises:
            NotSyncedError: the account is unknown.
        """
        considered, news, given = 0, list[tuple[str, Decision]](), list[Decision]()
        while True:
            await self.prepare(account)
            async with self._store.transaction(account) as tx:
                # INVARIANT: one round at a time per account, so no cap is passed and no turn is lost.
                await tx.decisions.lock()
                queue = await tx.directory.queue(queue_id)
                if queue is None or queue.state != "active":
                    return Routed(considered, news)
                routed = await self.within(tx, queue, command, as_of, most=MOST)
            considered = max(considered, routed.considered)
            news += routed.news
            plan = routed.plan
            if plan is None or len(plan.assigned) < MOST:
                whole = plan and replace(plan, decisions=[*given, *plan.decisions])
                return Routed(considered, news, whole, routed.next_at)
            given += plan.assigned

    async def within(
        self,
        tx: Transaction,
        queue: QueueRow,
        command: str,
        as_of: datetime,
        *,
        mechanism: str = "queue",
        only: int | None = None,
        most: int | None = None,
        ticket: int | None = None,
        tags: tuple[str, ...] = (),
    ) -> Routed:
        """Run a round inside a transaction that holds the lock.

        Args:
            only: one agent alone (pull).
            most: assign no more than this many tickets, the most valuable first.
            ticket: this one alone; if it cannot be given, nothing is kept: another mechanism comes next.
            tags: put on what is assigned.

        Raises:
            NotSyncedError: the account is unknown.
            ConcurrentChangeError: tickets changed faster than rounds could be decided.
        """
        kept = await tx.directory.account()
        if kept is None:
            raise NotSyncedError("nothing is known of this account yet: sync it first")
        round_ = Round(queue, mechanism, command, as_of, tags)
        for _ in range(_ATTEMPTS):
            snapshot = await self.look(tx, kept, queue, as_of, only, ticket, heads=True)
            if not snapshot.tickets:
                return Routed(0, [])
            considered, plan = len(snapshot.tickets), decide(snapshot)
            if ticket is not None and not plan.assigned:
                return Routed(considered, [])
            if only is None and await self._asked_again(tx, snapshot, plan, as_of):
                continue
            if most is not None and (only is not None or len(plan.assigned) > most):
                first = {d.ticket for d in plan.assigned[:most]}
                snapshot = replace(snapshot, tickets=[t for t in snapshot.tickets if t.id in first])
                plan = decide(snapshot)
            if await self._claimed(tx, snapshot, plan):
                news = await self._keep(tx, kept, round_, snapshot, plan)
                return Routed(considered, news, plan, _next_at(queue, snapshot, plan, as_of))
        raise ConcurrentChangeError("the tickets of the queue change too fast")

    @staticmethod
    async def _asked_again(tx: Transaction, snapshot: Snapshot, plan: Plan, as_of: datetime) -> bool:
        """Lift the declines of tickets that everybody declined, after a while (facts: decision 15)."""
        if snapshot.queue.pull_only and any(t.declined for t in snapshot.tickets):
            plan = decide(as_asked(snapshot))  # who declined may ask again, as he would be asked
        stuck = [
            d.ticket
            for d in plan.decisions
            if d.outcome is Outcome.WAITING_NO_ELIGIBLE_AGENT and tally(d)[Code.DECLINED]
        ]
        lifted = await tx.offers.lift(stuck, as_of - COOL_DOWN) if stuck else 0
        if lifted:
            get_logger().warning("everybody declined, so everybody is asked again", declines=lifted)
        return lifted > 0

    @staticmethod
    async def _claimed(tx: Transaction, snapshot: Snapshot, plan: Plan) -> bool:
        """Tell whether every ticket to be assigned still is what was decided on; none changes from now on."""
        groups = {t.id: t.group for t in snapshot.tickets}
        wanted = {d.ticket: groups[d.ticket] for d in plan.assigned}
        return not wanted or await tx.decisions.claim(sorted(wanted)) == wanted

    async def _keep(
        self, tx: Transaction, kept: Account, round_: Round, snapshot: Snapshot, plan: Plan
    ) -> list[tuple[str, Decision]]:
        ids = [self._ids.new("dec") for _ in plan.decisions]
        news = await tx.decisions.keep(kept, round_, snapshot, plan, ids)
        if plan.stretch != snapshot.stretch:
            await tx.rotations.put_stretch(round_.queue.id, plan.stretch)
        return list(zip(ids, news, strict=False))


def _next_at(queue: QueueRow, snapshot: Snapshot, plan: Plan, as_of: datetime) -> datetime | None:
    waits = {d.ticket for d in plan.decisions if d.agent is None}
    tickets = [t for t in snapshot.tickets if t.id in waits]
    relaxed = [at for ticket in tickets for at, _, _ in relaxations(ticket) if at > as_of]
    return min(
        (at for at in (*relaxed, overflow.begins(queue, tickets, as_of)) if at is not None), default=None
    )
