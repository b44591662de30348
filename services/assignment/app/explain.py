"""WhyWaiting and VerifyDecisionChain: the evidence, asked."""

from __future__ import annotations

from dataclasses import dataclass

from libs.crypto.chain import GENESIS, chain_hash
from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app.chained import chained
from services.assignment.app.ports import DecisionRow, Store
from services.assignment.domain.decide import decide
from services.assignment.domain.model import Decision, Outcome

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Why:
    """What would be decided for a waiting ticket now."""

    decision: Decision
    queue: str
    model: str

    @property
    def free_eligible_agent(self) -> bool:
        """Whether somebody could take the ticket now."""
        return self.decision.outcome is Outcome.ASSIGNED


class Explain:
    """Answers without changing anything."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def why_waiting(self, account: AccountId, ticket: int) -> Why:
        """Decide the ticket's queue again, on a snapshot as of now, and keep nothing.

        Raises:
            NotFoundError: the ticket does not wait here.
        """
        missing = NotFoundError("the ticket does not wait", metadata={"name": f"tickets/{ticket}"})
        async with self._store.transaction(account) as tx:
            kept = await tx.directory.account()
            if kept is None:
                raise missing
            for queue in await tx.directory.queues():
                snapshot = await tx.decisions.snapshot(kept, queue, self._clock.now(), None)
                found = next((d for d in decide(snapshot).decisions if d.ticket == ticket), None)
                if found is not None:
                    return Why(found, queue.id, queue.model)
        raise missing

    async def verify_chain(self, account: AccountId) -> tuple[bool, int, int]:
        """Return whether the chain is intact, how many decisions were checked, and the first that does not fit."""
        previous, after, checked = GENESIS, 0, 0
        while True:
            async with self._store.transaction(account) as tx:
                rows: list[DecisionRow] = await tx.decisions.page(after, _PAGE, None)
            for row in rows:
                previous = chain_hash(previous, chained(account, row))
                checked += 1
                if previous != row.hash or row.sequence != checked:
                    return False, checked, row.sequence
            if len(rows) < _PAGE:
                return True, checked, 0
            after = rows[-1].sequence
