"""ExtendRequest: two further months, if the person is told within the first (GDPR Art. 12(3))."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.app.evidence import EventType
from services.privacy.app.people import People
from services.privacy.app.ports import Store
from services.privacy.app.read_requests import require_request
from services.privacy.domain.deadlines import deadline
from services.privacy.domain.errors import DeadlinePassedError, RequestStateError
from services.privacy.domain.states import ENDED


class ExtendRequest:
    """Extends once. The reason itself goes to the person; the chain holds a keyed hash of it."""

    def __init__(self, store: Store, people: People, clock: Clock) -> None:
        self._store = store
        self._people = people
        self._clock = clock

    async def __call__(self, account: AccountId, request: str, reason: str, subject: str) -> None:
        """Extend the period to three months from receipt.

        Raises:
            NotFoundError: no such request.
            RequestStateError: it has ended.
            DeadlinePassedError: the first month is over.
        """
        actor = await self._people.actor(account, subject)
        digest = await self._people.digest(account, reason.encode())
        async with self._store.transaction(account) as tx:
            row = await require_request(tx, request, for_update=True)
            if row.extended:
                return
            if row.state in ENDED:
                raise RequestStateError(
                    f"a request in state {row.state} needs no more time", metadata={"state": row.state.value}
                )
            now = self._clock.now()
            if now >= deadline(row.received_at):
                raise DeadlinePassedError(
                    "the first deadline passed: an extension must be told before",
                    metadata={"deadline": deadline(row.received_at).isoformat()},
                )
            await tx.put_request(replace(row, extended=True, updated_at=now))
            await tx.event(EventType.EXTENDED, request, {"actor": actor, "reason": digest}, now)
