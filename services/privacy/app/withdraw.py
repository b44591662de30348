"""CancelRequest and RefuseRequest: a request ends before anything was erased."""

from __future__ import annotations

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.app.begin import end_request
from services.privacy.app.people import People
from services.privacy.app.ports import Store, Vault
from services.privacy.app.read_requests import require_request
from services.privacy.domain.states import State


class Withdraw:
    """Ends a request; the person's snapshot goes with it. Doing it again changes nothing."""

    def __init__(self, store: Store, vault: Vault, people: People, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._people = people
        self._clock = clock

    async def cancel(self, account: AccountId, request: str, subject: str) -> None:
        """Take a request back.

        Raises:
            NotFoundError: no such request.
            RequestStateError: execution began, or it ended otherwise.
        """
        await self._end(account, request, State.CANCELLED, "", subject)

    async def refuse(self, account: AccountId, request: str, reason: str, subject: str) -> None:
        """Refuse a request.

        Args:
            reason: for the person (GDPR Art. 12(4)).

        Raises:
            NotFoundError: no such request.
            RequestStateError: execution began, or it ended otherwise.
        """
        await self._end(account, request, State.REFUSED, reason, subject)

    async def _end(self, account: AccountId, request: str, state: State, reason: str, subject: str) -> None:
        facts = {"actor": await self._people.actor(account, subject)}
        if reason:  # the text may name somebody: the chain holds a keyed hash of it
            facts["reason"] = await self._people.digest(account, reason.encode())
        async with self._store.transaction(account) as tx:
            row = await require_request(tx, request, for_update=True)
            if row.state is not state:
                await end_request(tx, row, state, facts, self._clock.now(), reason)
        await self._vault.drop(account, request)
