"""RefreshGrant: one refresh of one grant, safe to be killed at any line (facts: auth §2.4).

The order: take the lease and announce the intent, committed; send once, without retries; write the new pair to
the journal; commit it guarded by the version whose refresh token was sent, and insist on that commit; only then
is it used. A holder who died or lost the answer leaves the grant `refreshing` or `uncertain`: the next one waits
until the old call cannot run any more, looks into its journal, asks with the old access token whether the refresh
happened, and only when both old tokens are dead does the account need a new authorisation.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from libs.kernel.clock import Clock
from libs.kernel.errors import ConcurrentChangeError, DependencyUnavailableError, OverloadedError
from libs.kernel.ids import IdSource
from libs.telemetry.logs import get_logger
from services.auth.app.discard import discard
from services.auth.app.journal import Journal, JournalEntry
from services.auth.app.pairs import Pairs
from services.auth.app.ports import GrantDeadError, RefreshLostError, Store, TokenPair, Zendesk
from services.auth.domain.errors import ReauthorizationNeededError
from services.auth.domain.grant import HTTP_SECONDS, LEASE_SECONDS, UNKNOWN, Grant, GrantState
from services.auth.domain.installation import Installation, InstallationState

COMMIT_PATIENCE_SECONDS = 60.0
_ACTOR = "service:auth"
_PASSING = (ConcurrentChangeError, DependencyUnavailableError, OverloadedError)
T = TypeVar("T")


class RefreshGrant:
    """The only place that refreshes.

    Args:
        commit_patience_seconds: how long a new pair is held while the database is away.
    """

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        pairs: Pairs,
        journal: Journal,
        clock: Clock,
        ids: IdSource,
        url_template: str,
        *,
        commit_patience_seconds: float = COMMIT_PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._pairs = pairs
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._template = url_template
        self._patience = commit_patience_seconds

    async def __call__(self, installation: Installation, grant: Grant) -> None:
        """Refresh this version, or find out what became of it; nothing when somebody else is at it.

        Raises:
            DependencyUnavailableError: Zendesk did not do it, or the database is away.
        """
        access, refresh = await self._pairs.access(grant), await self._pairs.refresh(grant)
        await self._pairs.warm(grant.account)
        intent, loop = self._ids.new("int"), asyncio.get_running_loop()
        last_moment = loop.time() + LEASE_SECONDS - HTTP_SECONDS
        async with self._store.transaction(grant.account) as tx:
            # INVARIANT: the state is read by the statement that takes the lease: what was read before is old.
            found = await tx.grants.take_lease(grant.version, intent, LEASE_SECONDS)
        if found is None:
            return
        base = self._template.format(subdomain=installation.subdomain)
        unknown = found in UNKNOWN or refresh is None
        try:
            if unknown and (entry := await self._journalled(grant)) is not None:
                await self.settle(entry)
                return
            if unknown and await self._zendesk.alive(base, access):
                await self._mark(grant, intent, GrantState.OK, "not_done")
                return
            if refresh is None:
                await self._lose(installation, grant, intent)
                return
            if loop.time() > last_moment:  # this process was paused: the lease may end while the call runs
                await self._mark(grant, intent, found, "not_done")
                return
            pair = await self._zendesk.refresh(base, refresh)
        except GrantDeadError:
            await self._lose(installation, grant, intent)
        except RefreshLostError:
            # The call may still run at Zendesk: nobody may ask before it cannot.
            await self._mark(grant, intent, GrantState.UNCERTAIN, "uncertain", hold_seconds=HTTP_SECONDS)
        except DependencyUnavailableError:
            await self._mark(grant, intent, found if found in UNKNOWN else GrantState.OK, "not_done")
            raise
        else:
            await self._keep(base, grant, intent, pair)

    async def _keep(self, base: str, grant: Grant, intent: str, pair: TokenPair) -> None:
        """Keep the only living pair: on the disk at once, in the database however long that is away."""
        now = self._clock.now()
        newer = await self._insist(lambda: self._pairs.successor(grant, pair, now))
        entry = JournalEntry(intent, base, newer)
        try:
            await self._journal.keep(entry)
        except OSError as error:  # the database may well take it
            get_logger().error("the journal cannot be written", why=error.strerror or type(error).__name__)
        await self._insist(lambda: self.settle(entry))

    async def _journalled(self, grant: Grant) -> JournalEntry | None:
        for entry in await self._journal.entries():
            if (entry.grant.account, entry.grant.version) == (grant.account, grant.version + 1):
                return entry
        return None

    async def settle(self, entry: JournalEntry) -> None:
        """Commit an entry of the journal, or revoke its pair when nobody will ever use it; then drop it.

        Safe to repeat, and to run on several replicas at once.

        Raises:
            DependencyUnavailableError: the database is away; the entry stays.
        """
        try:
            access = await self._pairs.access(entry.grant)
        except ReauthorizationNeededError:
            return  # logged; a replica with the right keys may still open it
        if not await self._commit(entry.grant, access):
            # Revoked or authorised anew meanwhile.
            await discard(self._zendesk, entry.base, access)
        try:
            await self._journal.drop(entry.intent)
        except OSError as error:
            get_logger().error("the journal cannot be cleared", why=error.strerror or type(error).__name__)

    async def _commit(self, newer: Grant, access: str) -> bool:
        """Return whether the pair is the account's present one now."""
        async with self._store.transaction(newer.account) as tx:
            present = await tx.grants.get()
        if present is None:
            return False
        if present.version == newer.version and present.state is not GrantState.REVOKED:
            # Perhaps the commit before this one came through and only its answer did not. Plain text tells: the
            # stored one may have been sealed anew under another data key.
            with contextlib.suppress(ReauthorizationNeededError):
                return hmac.compare_digest(await self._pairs.access(present), access)
        async with self._store.transaction(newer.account) as tx:
            installation = await tx.installations.get(for_update=True)
            present = await tx.grants.get() or present
            if present.access == newer.access:
                return True  # another replica settled the same entry at this moment
            won = await tx.grants.replace(newer, expected_version=newer.version - 1)
            if won and installation is not None and present.state is GrantState.NEEDS_REAUTHORIZATION:
                # Somebody gave up too early; ours is the living pair.
                await tx.installations.put(replace(installation, state=InstallationState.AUTHORIZED))
            facts = {"version": str(newer.version)}
            outcome = "ok" if won else "superseded"
            await tx.audit.record(_ACTOR, "grant.refreshed", outcome, facts, self._clock.now())
        return won

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self._patience, 0.05
        while True:
            try:
                return await work()
            except _PASSING:
                if loop.time() + pause >= end:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _mark(
        self, grant: Grant, intent: str, state: GrantState, what: str, *, hold_seconds: float = 0.0
    ) -> None:
        async with self._store.transaction(grant.account) as tx:
            if await tx.grants.mark(grant.version, intent, state, hold_seconds=hold_seconds):
                facts = {"version": str(grant.version)}
                await tx.audit.record(_ACTOR, f"grant.refresh.{what}", state, facts, self._clock.now())

    async def _lose(self, installation: Installation, grant: Grant, intent: str) -> None:
        """Say loudly that the grant is dead, unless somebody else has the lease or a newer pair."""
        async with self._store.transaction(grant.account) as tx:
            mine = await tx.installations.get(for_update=True) or installation
            if not await tx.grants.mark(grant.version, intent, GrantState.NEEDS_REAUTHORIZATION):
                return
            if mine.state is not InstallationState.REVOKED:
                await tx.installations.put(replace(mine, state=InstallationState.NEEDS_REAUTHORIZATION))
            facts = {"version": str(grant.version)}
            await tx.audit.record(_ACTOR, "grant.lost", "needs_reauthorization", facts, self._clock.now())
