"""RetryRequest: a person looked at what is stuck; it goes on from there, not from the start."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.app.evidence import EventType
from services.privacy.app.people import People
from services.privacy.app.ports import Store
from services.privacy.app.read_requests import require_request
from services.privacy.domain.plan import phase
from services.privacy.domain.states import FINISHED, RUNNING, moved


class RetryRequest:
    """Revives dead steps; for a request that runs, it only ends the waits."""

    def __init__(self, store: Store, people: People, clock: Clock, wake: asyncio.Event) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._wake = wake

    async def __call__(self, account: AccountId, request: str, subject: str) -> None:
        """Let a request go on.

        Raises:
            NotFoundError: no such request.
            RequestStateError: it has ended, or waits for an approval.
        """
        actor = await self._people.actor(account, subject)
        async with self._store.transaction(account) as tx:
            row = await require_request(tx, request, for_update=True)
            now = self._clock.now()
            if row.state not in RUNNING:
                step = next((s for s in await tx.steps(request) if s.state not in FINISHED), None)
                state = moved(row.state, phase(step.id) if step else row.state)
                await tx.revive_steps(request, now)
                await tx.put_request(replace(row, state=state, updated_at=now))
                facts = {"actor": actor, "step": step.id if step else ""}
                await tx.event(EventType.RETRIED, request, facts, now)
            await tx.rouse(request)
        self._wake.set()
