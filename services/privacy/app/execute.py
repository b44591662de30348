"""Runs a request's steps one after the other, as far as they are due."""

from __future__ import annotations

from libs.kernel.ids import AccountId
from services.privacy.app.ports import Store
from services.privacy.app.run_step import LEASE_SECONDS, RunStep
from services.privacy.domain.states import FINISHED, RUNNING


class Execute:
    """Any number of runners may do this for the same request: each step is taken by one of them."""

    def __init__(self, store: Store, run_step: RunStep) -> None:
        self._store = store
        self._run_step = run_step

    async def __call__(self, account: AccountId, request: str) -> float | None:
        """Run what is due.

        Returns:
            Seconds until the next step is due; None when there is none, or somebody else is at it.
        """
        while True:
            async with self._store.transaction(account) as tx:
                row = await tx.request(request)
                steps = await tx.steps(request)
                step = next((s for s in steps if s.state not in FINISHED), None)
                if row is None or row.state not in RUNNING or step is None:
                    return None
                taken = await tx.take_step(request, step.id, LEASE_SECONDS)
            if taken is None:
                return None
            seconds = await self._run_step(account, request, taken)
            if seconds is not None:
                return seconds
