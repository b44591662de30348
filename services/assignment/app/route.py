"""One round: read, decide, keep; the same path for the minute job, a webhook and a pull."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from services.assignment.app.ports import QueueRow, Round, Store, Transaction
from services.assignment.domain.decide import decide
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.model import Decision, Snapshot


@dataclass(frozen=True, slots=True)
class Routed:
    """What one round did.

    Attributes:
        considered: tickets that waited.
        news: decisions that were kept, with their ids.
    """

    considered: int
    news: list[tuple[str, Decision]]


class Route:
    """Runs rounds."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def __call__(self, account: AccountId, queue: QueueRow, command: str) -> Routed:
        """Decide for every ticket that waits in a queue, in one transaction.

        Raises:
            NotSyncedError: the account is unknown.
        """
        async with self._store.transaction(account) as tx:
            # INVARIANT: one round at a time per account, so no cap is passed and no turn is lost.
            await tx.decisions.lock()
            return await self.within(tx, account, queue, command, self._clock.now())

    async def within(
        self,
        tx: Transaction,
        account: AccountId,
        queue: QueueRow,
        command: str,
        as_of: datetime,
        *,
        mechanism: str = "queue",
        only: int | None = None,
        most: int | None = None,
    ) -> Routed:
        """Run a round inside a transaction that holds the lock.

        Args:
            only: one agent alone (pull).
            most: look at no more than this many tickets, the most valuable first.
        """
        kept = await tx.directory.account()
        if kept is None:
            raise NotSyncedError("nothing is known of this account yet: sync it first")
        snapshot = await tx.decisions.snapshot(kept, queue, as_of, only)
        if not snapshot.tickets:
            return Routed(0, [])
        plan = decide(snapshot)
        if most is not None:
            first = [d for d in plan.decisions if d.agent is not None][:most]
            plan = decide(_narrowed(snapshot, {d.ticket for d in first}))
        ids = [self._ids.new("dec") for _ in plan.decisions]
        news = await tx.decisions.keep(kept, Round(queue, mechanism, command, as_of), plan, ids)
        return Routed(len(snapshot.tickets), list(zip(ids, news, strict=False)))


def _narrowed(snapshot: Snapshot, tickets: set[int]) -> Snapshot:
    chosen = [t for t in snapshot.tickets if t.id in tickets]
    return Snapshot(snapshot.agents, chosen, snapshot.queue, snapshot.restrictions)
