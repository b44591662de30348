"""GetZendeskAccess: the current access token, refreshed by one caller at a time over all replicas.

The order of a refresh (facts: auth §2.4): take the lease and announce the intent, committed; send once,
without retries; commit the new pair guarded by the version whose refresh token was sent; only then use it.
A lost answer leaves the grant `uncertain`; recovery asks with the old access token whether the refresh
happened, and only when both old tokens are dead does the account need a new authorisation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId, IdSource
from services.auth.app.ports import GrantDeadError, RefreshLostError, Sealer, Store, TokenPair, Zendesk
from services.auth.domain.errors import NotAuthorizedError, ReauthorizationNeededError
from services.auth.domain.grant import LEASE_SECONDS, Grant, GrantState
from services.auth.domain.installation import Installation, InstallationState

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class ZendeskAccess:
    """An access token.

    Attributes:
        version: of the pair.
        expires_at: None = never.
    """

    token: str
    version: int
    expires_at: datetime | None
    subdomain: str


class GetZendeskAccess:
    """Hands out access tokens; the only place that refreshes."""

    def __init__(
        self, store: Store, zendesk: Zendesk, sealer: Sealer, clock: Clock, ids: IdSource, url_template: str
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._template = url_template
        self._refreshes: dict[AccountId, asyncio.Task[None]] = {}

    async def __call__(self, account: AccountId, known_version: int = 0) -> ZendeskAccess:
        """Return a token newer than `known_version`.

        Raises:
            NotAuthorizedError: there is no grant.
            ReauthorizationNeededError: the grant is lost.
            DependencyUnavailableError: a refresh is under way and did not end in time.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE_SECONDS
        while True:
            installation, grant = await self._read(account)
            now = self._clock.now()
            if grant.usable(now, known_version):
                if grant.due(now) and grant.state is GrantState.OK:
                    self._start(installation, grant)
                return await self._hand_out(installation, grant)
            if grant.state is GrantState.NEEDS_REAUTHORIZATION:
                raise ReauthorizationNeededError("the grant is lost: an admin must authorise the app again")
            await asyncio.wait([self._start(installation, grant)], timeout=max(0.0, end - loop.time()))
            if loop.time() >= end:
                raise DependencyUnavailableError(
                    "a refresh of the grant is under way", retry_after_seconds=1.0
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def _read(self, account: AccountId) -> tuple[Installation, Grant]:
        async with self._store.transaction(account) as tx:
            installation = await tx.installations.get()
            grant = await tx.grants.get()
        if installation is None or grant is None or installation.state is InstallationState.REVOKED:
            raise NotAuthorizedError("the app is not authorised for this account")
        return installation, grant

    async def _hand_out(self, installation: Installation, grant: Grant) -> ZendeskAccess:
        token = await self._open(grant, "access", grant.access)
        return ZendeskAccess(token, grant.version, grant.access_expires_at, installation.subdomain)

    async def _open(self, grant: Grant, column: str, sealed: bytes) -> str:
        row = str(grant.version)
        return (await self._sealer.open(grant.account, "oauth", "grants", column, row, sealed)).decode()

    async def seal_pair(self, account: AccountId, version: int, pair: TokenPair, now: datetime) -> Grant:
        """Return a pair as a sealed grant of the given version."""

        async def sealed(column: str, value: str) -> bytes:
            return await self._sealer.seal(account, "oauth", "grants", column, str(version), value.encode())

        def end(seconds: int | None) -> datetime | None:
            return None if seconds is None else now + timedelta(seconds=seconds)

        return Grant(
            account,
            version,
            await sealed("access", pair.access),
            await sealed("refresh", pair.refresh) if pair.refresh else None,
            now,
            end(pair.access_seconds),
            end(pair.refresh_seconds),
        )

    def _start(self, installation: Installation, grant: Grant) -> asyncio.Task[None]:
        """Start this process's refresh or join it; never the caller's own task, which may be cancelled."""
        running = self._refreshes.get(grant.account)
        if running is None or running.done():
            running = asyncio.create_task(self._refresh(installation, grant))
            running.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._refreshes[grant.account] = running
        return running

    async def drain(self) -> None:
        """Wait for refreshes under way: an answer of Zendesk must not be lost at shutdown."""
        await asyncio.gather(*self._refreshes.values(), return_exceptions=True)

    async def _refresh(self, installation: Installation, grant: Grant) -> None:
        intent = self._ids.new("int")
        async with self._store.transaction(grant.account) as tx:
            if not await tx.grants.take_lease(grant.version, intent, intent, LEASE_SECONDS):
                return
        base = self._template.format(subdomain=installation.subdomain)
        unknown = grant.state in (GrantState.REFRESHING, GrantState.UNCERTAIN)
        if unknown and await self._zendesk.alive(base, await self._open(grant, "access", grant.access)):
            # The holder before us died or lost the answer, and the refresh did not happen: begin anew.
            await self._mark(grant, GrantState.OK, "refresh.not_done")
            return
        if grant.refresh is None:
            await self._lose(installation, grant)
            return
        try:
            pair = await self._zendesk.refresh(base, await self._open(grant, "refresh", grant.refresh))
        except GrantDeadError:
            await self._lose(installation, grant)
            return
        except RefreshLostError:
            await self._mark(grant, GrantState.UNCERTAIN, "refresh.uncertain")
            return
        except DependencyUnavailableError:
            await self._mark(grant, GrantState.OK, "refresh.not_done")
            raise
        await self._store_pair(grant, pair)

    async def _store_pair(self, grant: Grant, pair: TokenPair) -> None:
        now = self._clock.now()
        newer = await self.seal_pair(grant.account, grant.version + 1, pair, now)
        if (
            newer.refresh is None
        ):  # keep the old one rather than erase it; it will tell itself when it is dead
            kept = await self._open(grant, "refresh", grant.refresh) if grant.refresh else None
            newer = (
                replace(newer, refresh=None)
                if kept is None
                else await self.seal_pair(grant.account, grant.version + 1, replace(pair, refresh=kept), now)
            )
        async with self._store.transaction(grant.account) as tx:
            won = await tx.grants.replace(newer, expected_version=grant.version)
            facts = {"version": str(newer.version)}
            await tx.audit.record(
                "service:auth", "grant.refreshed", "ok" if won else "superseded", facts, now
            )

    async def _mark(self, grant: Grant, state: GrantState, action: str) -> None:
        async with self._store.transaction(grant.account) as tx:
            await tx.grants.mark(grant.version, state)
            facts = {"version": str(grant.version)}
            await tx.audit.record("service:auth", f"grant.{action}", state, facts, self._clock.now())

    async def _lose(self, installation: Installation, grant: Grant) -> None:
        """Say loudly that the grant is dead, unless somebody else has a newer pair."""
        async with self._store.transaction(grant.account) as tx:
            present = await tx.grants.get()
            if present is None or present.version != grant.version:
                return
            await tx.grants.mark(grant.version, GrantState.NEEDS_REAUTHORIZATION)
            mine = await tx.installations.get(for_update=True) or installation
            await tx.installations.put(replace(mine, state=InstallationState.NEEDS_REAUTHORIZATION))
            facts = {"version": str(grant.version)}
            await tx.audit.record(
                "service:auth", "grant.lost", "needs_reauthorization", facts, self._clock.now()
            )
