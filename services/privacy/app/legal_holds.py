"""Legal holds: nothing of a held person is erased, under none of his identities (facts: privacy §10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId, IdSource
from services.privacy.app.create_request import require_identities
from services.privacy.app.evidence import EventType
from services.privacy.app.people import People
from services.privacy.app.ports import HoldRow, Store
from services.privacy.domain.identity import Identity

METHOD = "/setlist.privacy.v1.PrivacyService/CreateLegalHold"


class LegalHolds:
    """The register of holds. The engine asks it itself; no caller passes a hold in."""

    def __init__(
        self, store: Store, people: People, clock: Clock, ids: IdSource, wake: asyncio.Event
    ) -> None:
        self._store = store
        self._people = people
        self._clock = clock
        self._ids = ids
        self._wake = wake

    async def create(
        self,
        account: AccountId,
        identities: Sequence[Identity],
        matter: str,
        ground: str,
        subject: str,
        request_id: str = "",
        body: bytes = b"",
    ) -> HoldRow:
        """Put a person under a hold; the same `request_id` and body return the first one.

        Raises:
            InvalidRequestError: an identity has a wrong form.
            RequestIdReusedError: the id came with another body.
        """
        require_identities(identities)
        digest = (await self._people.digest(account, body)).encode()
        tokens = tuple(sorted(set(await self._people.tokens(account, identities))))
        actor, now = await self._people.actor(account, subject), self._clock.now()
        async with self._store.transaction(account) as tx:
            known = await tx.answers.find(account, request_id, METHOD, digest)
            if known is not None and (first := await tx.hold(known.decode())) is not None:
                return first
            row = HoldRow(self._ids.new("hol"), tokens, matter, ground, now)
            await tx.add_hold(row)
            await tx.answers.remember(account, request_id, METHOD, digest, row.id.encode())
            await tx.event(EventType.HOLD_CREATED, "", {"hold": row.id, "actor": actor}, now)
        return row

    async def release(self, account: AccountId, hold: str, subject: str) -> HoldRow:
        """End a hold; erasures that waited for it go on by themselves.

        Raises:
            NotFoundError: no such hold.
        """
        actor, now = await self._people.actor(account, subject), self._clock.now()
        async with self._store.transaction(account) as tx:
            before = await tx.hold(hold)
            row = await tx.release_hold(hold, now)
            if before is None or row is None:
                raise NotFoundError("no such hold", metadata={"name": f"holds/{hold}"})
            if before.released_at is None:
                await tx.rouse()
                await tx.event(EventType.HOLD_RELEASED, "", {"hold": hold, "actor": actor}, now)
        self._wake.set()
        return row

    async def page(self, account: AccountId, before: str, limit: int) -> list[HoldRow]:
        """Return holds older than the id `before` (empty = from the newest), newest first."""
        async with self._store.transaction(account) as tx:
            return await tx.holds(before, limit)
