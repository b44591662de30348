"""A rehearsal: commands on one transaction that is rolled back at its end (facts: §7.2).

The use cases are the real ones; only what they stand on is another: a store that is this transaction, no Zendesk, and a
writer that nobody wakes. So a rehearsal answers what the command itself would answer now, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from libs.kernel.clock import Clock, ManualClock
from libs.kernel.ids import AccountId, IdSource
from services.assignment.app.absences import Absences
from services.assignment.app.answer_offer import AnswerOffer
from services.assignment.app.assign_next import AssignNext
from services.assignment.app.explain import Explain, Explained
from services.assignment.app.give_back import ReleaseAgentTickets, SkipTicket
from services.assignment.app.manage_queues import ManageQueues
from services.assignment.app.plan_run import PlanRun
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.restricted import Restricted
from services.assignment.app.route import Route
from services.assignment.app.rows import Account, DecisionRow, Round
from services.assignment.domain.model import Decision, Plan, Snapshot

MOST_MADE = 1000
"""How many decisions of a command a rehearsal shows."""


class OneTransaction:
    """Implements the port `Store` on a transaction that is open: whatever is done through it stays in it."""

    def __init__(self, account: AccountId, tx: Transaction) -> None:
        self._account = account
        self._tx = tx

    def transaction(
        self, account: AccountId, *, dry: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        if account != self._account:
            raise ValueError("a rehearsal concerns one account")
        yield self._tx

    async def accounts(self) -> list[AccountId]:
        return [self._account]

    async def with_due_offers(self, as_of: datetime) -> list[AccountId]:
        return [self._account] if await self._tx.offers.due(as_of) else []


class _Brief(Route):
    """Keeps of a long round what gives tickets alone, for nothing later in a rehearsal looks at the rest: to write down
    why each of 10,000 tickets waits would take longer than to decide it, with the account's lock in hand.
    """

    async def _keep(
        self, tx: Transaction, kept: Account, round_: Round, snapshot: Snapshot, plan: Plan
    ) -> list[tuple[str, Decision]]:
        if len(plan.decisions) > MOST_MADE:
            plan = replace(plan, decisions=plan.assigned)
            given = {d.ticket for d in plan.decisions}
            snapshot = replace(snapshot, tickets=[t for t in snapshot.tickets if t.id in given])
        return await super()._keep(tx, kept, round_, snapshot, plan)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The deciding use cases, on a transaction that will be rolled back."""

    account: AccountId
    store: Store
    tx: Transaction
    head: int
    next: AssignNext
    answer: AnswerOffer
    skip: SkipTicket
    release: ReleaseAgentTickets
    absences: Absences
    queues: ManageQueues
    evidence: Explain
    run: PlanRun

    async def explain(self, row: DecisionRow) -> Explained:
        """Decide one of the decisions that were made in it anew, from the inputs that it was made from."""
        return await self.evidence.decision(self.account, row.id)

    async def made(self) -> list[DecisionRow]:
        """Return the decisions that were made in it, in their order, `MOST_MADE` at most."""
        return await self.tx.decisions.page(self.head, MOST_MADE, None)


class Rehearse:
    """Opens rehearsals."""

    def __init__(self, store: Store, restricted: Restricted, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._restricted = restricted
        self._clock = clock
        self._ids = ids

    @asynccontextmanager
    async def __call__(self, account: AccountId) -> AsyncIterator[Rehearsal]:
        """Hold the account's lock, and yield use cases after which nothing is left; all at one instant."""
        clock, ids, nobody = ManualClock(self._clock.now()), self._ids, asyncio.Event()
        restricted = await self._restricted.fixed(account)
        async with self._store.transaction(account, dry=True) as tx:
            # First of all, as in every command; and what is undone within a rehearsal must not give the lock away.
            await tx.decisions.lock()
            store = OneTransaction(account, tx)
            route = _Brief(store, ids, restricted)
            absences = Absences(store, clock, ids, nobody)
            release = ReleaseAgentTickets(store, clock, ids, nobody)
            yield Rehearsal(
                account=account,
                store=store,
                tx=tx,
                head=await tx.decisions.head(),
                next=AssignNext(store, route, None, clock, ids),
                answer=AnswerOffer(store, route, clock, nobody),
                skip=SkipTicket(store, None, route, release, clock, nobody),
                release=release,
                absences=absences,
                queues=ManageQueues(store, clock),
                evidence=Explain(store, route, clock),
                run=PlanRun(store, route, absences, clock),
            )
