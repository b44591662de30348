"""GetZendeskAccess: the current access token, refreshed by one caller at a time over all replicas.

How a refresh goes and what a crash leaves behind is in `refresh_grant`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.auth.app.pairs import Pairs
from services.auth.app.ports import Store
from services.auth.app.refresh_grant import RefreshGrant
from services.auth.domain.errors import NotAuthorizedError, ReauthorizationNeededError
from services.auth.domain.grant import UNKNOWN, Grant, GrantState
from services.auth.domain.installation import Installation, InstallationState

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class ZendeskAccess:
    """An access token.

    Attributes:
        version: of the pair.
        expires_at: None = never.
    """

    token: str = field(repr=False)
    version: int
    expires_at: datetime | None
    subdomain: str


class GetZendeskAccess:
    """Hands out access tokens and has them refreshed.

    Args:
        patience_seconds: how long a caller waits for a refresh.
    """

    def __init__(
        self,
        store: Store,
        pairs: Pairs,
        refresh: RefreshGrant,
        clock: Clock,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._pairs = pairs
        self._refresh = refresh
        self._clock = clock
        self._patience = patience_seconds
        self._refreshes: dict[AccountId, asyncio.Task[None]] = {}

    async def __call__(self, account: AccountId, known_version: int = 0) -> ZendeskAccess:
        """Return a token newer than `known_version`.

        Raises:
            NotAuthorizedError: there is no grant.
            ReauthorizationNeededError: the grant is lost.
            DependencyUnavailableError: a refresh is under way and did not end in time, or Zendesk is away.
        """
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self._patience, 0.0
        known: int | None = None
        while True:
            installation, grant = await self._read(account)
            # A version that never was asks for one refresh like the present one, not for one per turn.
            known = min(known_version, grant.version) if known is None else known
            now = self._clock.now()
            if grant.usable(now, known):
                if grant.due(now) or grant.state is not GrantState.OK:
                    self._start(installation, grant)
                token = await self._pairs.access(grant)
                return ZendeskAccess(token, grant.version, grant.access_expires_at, installation.subdomain)
            if grant.state is GrantState.NEEDS_REAUTHORIZATION:
                raise ReauthorizationNeededError("the grant is lost: an admin must authorise the app again")
            task = self._start(installation, grant)
            await asyncio.wait([task], timeout=max(0.0, end - loop.time()))
            if task.done() and not task.cancelled() and (failure := task.exception()) is not None:
                raise failure
            if loop.time() + pause >= end:
                raise DependencyUnavailableError(
                    "a refresh of the grant is under way", retry_after_seconds=1.0
                )
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)

    async def refresh_if_due(self, account: AccountId) -> None:
        """Refresh, or find out what became of a refresh, unless there is no need.

        Raises:
            NotAuthorizedError: there is no grant.
            DependencyUnavailableError: Zendesk or the database is away.
        """
        installation, grant = await self._read(account)
        if grant.due(self._clock.now()) or grant.state in UNKNOWN:
            await asyncio.shield(self._start(installation, grant))

    def refreshing(self, account: AccountId) -> bool:
        """Tell whether this process is at it."""
        return account in self._refreshes

    async def _read(self, account: AccountId) -> tuple[Installation, Grant]:
        async with self._store.transaction(account) as tx:
            installation = await tx.installations.get()
            grant = await tx.grants.get()
        if (
            installation is None
            or grant is None
            or installation.state is InstallationState.REVOKED
            or grant.state is GrantState.REVOKED
        ):
            raise NotAuthorizedError("the app is not authorised for this account")
        return installation, grant

    def _start(self, installation: Installation, grant: Grant) -> asyncio.Task[None]:
        """Start this process's refresh or join it; never the caller's own task, which may be cancelled."""
        running = self._refreshes.get(grant.account)
        if running is None or running.done():
            running = asyncio.create_task(self._refresh(installation, grant))
            running.add_done_callback(lambda task: self._ended(grant.account, task))
            self._refreshes[grant.account] = running
        return running

    def _ended(self, account: AccountId, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # told to whoever waits; a refresh ahead has nobody and is tried again
        if self._refreshes.get(account) is task:
            del self._refreshes[account]

    async def drain(self) -> None:
        """Wait for refreshes under way: an answer of Zendesk must not be lost at shutdown."""
        while self._refreshes:
            await asyncio.wait(list(self._refreshes.values()))
