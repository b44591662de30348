"""WatchInstallations: is the app still there, enabled, and for whom? (facts: auth §2.4, "Uninstall").

Zendesk sends no event when an app is removed. What tells is 404 on the installation or the account, and a grant that
Zendesk refuses (401, `invalid_grant`). A missing installation is asked about again some minutes later, then it ends: our
tokens by the generation, the grant upstream and here. A refused grant is loud at once (`refresh_grant`), and ends the
installation only when no admin came for thirty days. Thirty days after its end the account's keys are destroyed.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger
from services.auth.app.ports import GrantDeadError, RemoteInstallation, Store, Zendesk
from services.auth.app.roles import Roles
from services.auth.app.shred_account import ShredAccount
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.errors import (
    AccountGoneError,
    NotAuthorizedError,
    ReauthorizationNeededError,
)
from services.auth.domain.installation import (
    ABANDONED_AFTER,
    ASK_EVERY,
    CONFIRM_AFTER,
    Installation,
    InstallationState,
)

EVERY_SECONDS = 60.0
BATCH = 100
_ACTOR = "service:auth"


class WatchInstallations:
    """A background loop; each installation is looked at by one replica."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        access: GetZendeskAccess,
        roles: Roles,
        shred: ShredAccount,
        clock: Clock,
        url_template: str,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._access = access
        self._roles = roles
        self._shred = shred
        self._clock = clock
        self._template = url_template

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            try:
                await self.once()
            except SetlistError as error:  # the database is away: the next turn finds the same
                get_logger().warning("installations were not watched", why=error.reason)
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> int:
        """Look at what it is time for; return how many installations."""
        due = await self._store.claim_watched(self._clock.now(), BATCH)
        for installation in due:
            try:
                await self._look(installation)
            except SetlistError as error:  # Zendesk does not say: one account stops no other
                get_logger().info(
                    "an installation was not looked at", account=installation.account, why=error.reason
                )
        return len(due)

    async def _look(self, installation: Installation) -> None:
        if installation.state is InstallationState.REVOKED:
            await self._shred(installation.account, _ACTOR)
            return
        try:
            remote = await self._ask(installation)
        except ReauthorizationNeededError:
            await self._missing(installation, "grant_dead", ABANDONED_AFTER, "abandoned")
        except AccountGoneError:
            await self._missing(installation, "account_missing", CONFIRM_AFTER, "account_gone")
        else:
            if remote is None:
                await self._missing(installation, "missing", CONFIRM_AFTER, "uninstalled")
            else:
                await self._mirror(installation, remote)

    async def _ask(self, installation: Installation) -> RemoteInstallation | None:
        base, account = self._base(installation), installation.account
        access = await self._access(account)
        try:
            return await self._zendesk.installation(base, access.token, installation.installation_id)
        except GrantDeadError:  # 401: only a refresh tells whether the grant is dead
            access = await self._access(account, known_version=access.version)
        try:
            return await self._zendesk.installation(base, access.token, installation.installation_id)
        except GrantDeadError:
            raise ReauthorizationNeededError("Zendesk refuses the newest token") from None

    def _base(self, installation: Installation) -> str:
        return self._template.format(subdomain=installation.subdomain)

    async def _mirror(self, installation: Installation, remote: RemoteInstallation) -> None:
        now = self._clock.now()
        async with self._store.transaction(installation.account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is None or mine.state is InstallationState.REVOKED:
                return
            fresh = replace(
                mine,
                enabled=remote.enabled,
                group_restrictions=remote.group_restrictions,
                role_restrictions=remote.role_restrictions,
            )
            if fresh != mine:
                facts = {"enabled": str(remote.enabled).lower()}
                await tx.audit.record(_ACTOR, "installation.changed", "ok", facts, now)
            await tx.installations.put(replace(fresh, checked_at=now, gone_since=None))

    async def _missing(
        self, installation: Installation, what: str, patience: timedelta, outcome: str
    ) -> None:
        """Remember the first time; end it when it is still so after `patience`."""
        now = self._clock.now()
        async with self._store.transaction(installation.account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is None or mine.state is InstallationState.REVOKED:
                return
            since = mine.gone_since
            if since is not None and patience < ASK_EVERY < now - since:
                since = None  # missed for another cause, long ago: this is the first of two looks
            await tx.installations.put(replace(mine, checked_at=now, gone_since=since or now))
            if since is None:
                await tx.audit.record(_ACTOR, "installation.missed", what, {}, now)
        if since is not None and now >= since + patience:
            await self._end(mine, outcome)

    async def _end(self, installation: Installation, outcome: str) -> None:
        """End our tokens and the grant; upstream before our copy, for an uninstalled app's grant still works."""
        try:
            access = await self._access(installation.account)
            await self._zendesk.revoke(self._base(installation), access.token)
        except (NotAuthorizedError, ReauthorizationNeededError, AccountGoneError):
            pass  # nothing to revoke upstream
        now = self._clock.now()
        async with self._store.transaction(installation.account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is None or mine.gone_since is None or mine.state is InstallationState.REVOKED:
                return  # authorised anew meanwhile
            ended = replace(mine, state=InstallationState.REVOKED, generation=mine.generation + 1)
            await tx.installations.put(ended)
            await tx.grants.delete()
            facts = {"generation": str(ended.generation)}
            await tx.audit.record(_ACTOR, "installation.ended", outcome, facts, now)
        self._roles.forget(installation.account)
