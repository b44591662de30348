"""AdoptAccount: a reinstalled app finds its account, and with it its history, if it is proven to be the same.

Zendesk gives every installation a new id, and a subdomain that was given up may be registered by strangers: a name
inherits nothing (facts: auth §2.2.5). What proves that it is the same Zendesk account is a grant of the former
installation that still works at this address, or the former authorising admin's user id, which the new grant can see:
user ids are Zendesk's own, nobody chooses them.
"""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from services.auth.app.ports import GrantDeadError, Store, Zendesk
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.installation import Installation, InstallationState


class AdoptAccount:
    """Moves a new installation to the account that the app had before."""

    def __init__(self, store: Store, zendesk: Zendesk, access: GetZendeskAccess, clock: Clock) -> None:
        self._store = store
        self._zendesk = zendesk
        self._access = access
        self._clock = clock

    async def __call__(self, newcomer: Installation, base: str, access: str) -> Installation:
        """Return the installation to authorise: the former account's when it is proven, else the newcomer.

        Args:
            newcomer: as it was bound at first sight.
            access: token of the grant that was given just now.
        """
        if newcomer.authorized_at is not None:
            return newcomer
        for former in await self._store.siblings(newcomer):
            if await self._same(former, base, access):
                return await self._adopt(former, newcomer)
        return newcomer

    async def _same(self, former: Installation, base: str, access: str) -> bool:
        try:
            if await self._zendesk.alive(base, (await self._access(former.account)).token):
                return True
        except SetlistError:
            pass  # no grant, a dead one, or no answer: the other proof may do
        if former.admin is None:
            return False
        try:
            return await self._zendesk.person(base, access, former.admin) is not None
        except GrantDeadError:
            return False

    async def _adopt(self, former: Installation, newcomer: Installation) -> Installation:
        """Safe to be killed in between: the former account is unauthorised then, the newcomer begins again."""
        now = self._clock.now()
        facts = {"from": str(former.installation_id), "to": str(newcomer.installation_id)}
        async with self._store.transaction(former.account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is None:
                return newcomer
            # Tokens of the former installation die here, whatever becomes of the rest.
            ended = replace(mine, state=InstallationState.UNAUTHORIZED, generation=mine.generation + 1)
            await tx.installations.put(ended)
            await tx.audit.record("service:auth", "installation.replaced", "ok", facts, now)
        if not await self._store.take_over(former.account, newcomer):
            return newcomer
        async with self._store.transaction(newcomer.account) as tx:
            await tx.audit.record("service:auth", "account.adopted", "ok", {"by": former.account}, now)
        async with self._store.transaction(former.account) as tx:
            return await tx.installations.get() or newcomer
