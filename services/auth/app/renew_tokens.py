"""RenewTokens: gives apps a new installation token before the old one dies (facts: auth §2.3, decision 12).

At half its life, when it never came back to the edge within a day (the setting was not written after all), and at
once when the key that signed it is not trusted any more. The old token stays valid until its own end: nobody
notices. A renewal also proves, every 45 days, that the setting can still be written.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.auth.app.key_ports import Due, TokensDue
from services.auth.app.ports import Store, Zendesk
from services.auth.app.token_keys import INSTALLATION_LIFE, TokenKeys
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.installation import InstallationState

EVERY_SECONDS = 60.0
HALF_LIFE = INSTALLATION_LIFE / 2
UNSEEN = timedelta(hours=24)
CLAIM = timedelta(minutes=10)
PACE = 20
"""Apps per pass: after a key was revoked every app is due at once, and Zendesk has limits."""


class RenewTokens:
    """A background loop; any number of replicas may run it.

    Args:
        distrusted: tells which keys are not trusted any more.
        template: base URL of an account with `{subdomain}`.
    """

    def __init__(
        self,
        store: Store,
        tokens: TokensDue,
        zendesk: Zendesk,
        access: GetZendeskAccess,
        keys: TokenKeys,
        clock: Clock,
        template: str,
        distrusted: Callable[[], frozenset[str]],
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._zendesk = zendesk
        self._access = access
        self._keys = keys
        self._clock = clock
        self._template = template
        self._distrusted = distrusted

    async def run(self) -> None:
        """Renew for ever."""
        while True:
            try:
                await self.renew()
            except SetlistError as error:  # the database is away: the next pass finds the same apps
                get_logger().warning("no token was renewed", why=error.reason)
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - replicas should not march in step

    async def renew(self) -> int:
        """Give a new token to at most `PACE` apps that are due; return to how many."""
        now = self._clock.now()
        due = Due(now - HALF_LIFE, now - UNSEEN, self._distrusted())
        done = 0
        for account in await self._tokens.due(due, now, PACE):
            done += await self._renew(account)
        return done

    async def _renew(self, account: AccountId) -> bool:
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            found = await tx.installations.get()
            if found is None or found.state is not InstallationState.AUTHORIZED:
                return False
            # A claim, not a lock: nothing stays open while Zendesk is asked, and a dead holder is forgotten.
            if not await tx.app_tokens.claim(now, now + CLAIM):
                return False
        token = self._keys.installation_token(found, now)
        try:
            access = await self._access(account)
            base = self._template.format(subdomain=found.subdomain)
            await self._zendesk.write_setting(base, access.token, found.installation_id, token)
        except SetlistError as error:
            async with self._store.transaction(account) as tx:
                facts = {"why": error.reason}
                await tx.audit.record("service:auth", "installation_token.renewed", "failed", facts, now)
            return False
        async with self._store.transaction(account) as tx:
            await tx.app_tokens.put(self._keys.note_of(token, now))
            await tx.audit.record("service:auth", "installation_token.renewed", "ok", {}, now)
        return True
