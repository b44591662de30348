"""Auth's store in memory: one transaction at a time per account, rolled back by an exception."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.keys import (
    MemoryAnnouncements,
    MemoryAppTokens,
    MemoryRevocationFeed,
    MemorySigningKeys,
    MemoryTokensDue,
)
from services.auth.adapters.memory.repositories import (
    MemoryAudit,
    MemoryAuthorizations,
    MemoryGrants,
    MemoryInstallations,
    MemorySessions,
)
from services.auth.adapters.memory.rows import Rows
from services.auth.app.ports import Transaction
from services.auth.domain.installation import Installation, InstallationState
from services.auth.domain.session import IDLE, MARGIN


class MemoryStore:
    """Implements the port `Store`.

    Args:
        clock: the store's own clock, on which leases end.

    Attributes:
        away: the next so many transactions fail as those of an absent database do.
        feed: of revocations.
        tokens_due: which apps need a new token.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[AccountId, Rows] = {}
        self._used: dict[bytes, datetime] = {}
        self._locks: dict[AccountId, asyncio.Lock] = {}
        self._holders: dict[AccountId, asyncio.Task[object] | None] = {}
        self.away = 0
        self.feed = MemoryRevocationFeed(lambda: self._accounts, self._answer)
        self.tokens_due = MemoryTokensDue(lambda: self._accounts)

    @property
    def rows(self) -> dict[AccountId, Rows]:
        """Every account's rows as they are now, for what walks through all of them."""
        return self._accounts

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        self._answer()
        if self._holders.get(account) is asyncio.current_task():
            raise RuntimeError("a transaction inside a transaction of the same account waits for itself")
        async with self._locks.setdefault(account, asyncio.Lock()):
            self._holders[account] = asyncio.current_task()
            try:
                # A snapshot: an exception leaves the rows as they were.
                rows = self._accounts.get(account, Rows()).copy()
                announcements = MemoryAnnouncements()
                yield Transaction(
                    MemoryInstallations(rows, account, announcements),
                    MemoryGrants(rows, self._clock),
                    MemoryAuthorizations(rows),
                    MemorySessions(rows),
                    MemoryAudit(rows, account),
                    MemoryAppTokens(rows),
                    MemorySigningKeys(rows),
                    announcements,
                )
                self._accounts[account] = rows
                self.feed.commit(announcements.told)
            finally:
                self._holders[account] = None

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise DependencyUnavailableError("the database does not answer", retry_after_seconds=1.0)

    async def bind(self, installation: Installation) -> Installation:
        self._answer()
        key = (installation.app_id, installation.subdomain, installation.installation_id)
        for rows in self._accounts.values():
            found = rows.installation
            if found is not None and (found.app_id, found.subdomain, found.installation_id) == key:
                return found
        async with self.transaction(installation.account) as tx:
            await tx.installations.put(installation)
        return installation

    async def use_once(self, key: bytes, until: datetime) -> bool:
        self._answer()
        if key in self._used:
            return False
        self._used[key] = until
        return True

    async def due_grants(self, now: datetime, after: AccountId | None, limit: int) -> Sequence[AccountId]:
        self._answer()
        leases_end = self._clock.now()
        stored = [(a, rows.grant) for a, rows in sorted(self._accounts.items()) if a > (after or "")]
        return [a for a, grant in stored if grant and grant.may_be_due(now, leases_end)][:limit]

    async def claim_watched(self, now: datetime, limit: int) -> Sequence[Installation]:
        self._answer()
        found = [rows.installation for _, rows in sorted(self._accounts.items()) if rows.installation]
        never = datetime.min.replace(tzinfo=UTC)
        due = sorted((i for i in found if i.to_watch(now)), key=lambda i: i.checked_at or never)[:limit]
        claimed = [replace(one, checked_at=now) for one in due]
        for one in claimed:
            self._accounts[one.account].installation = one
        return claimed

    async def siblings(self, installation: Installation) -> Sequence[Installation]:
        self._answer()
        found = [rows.installation for _, rows in sorted(self._accounts.items()) if rows.installation]
        place = (installation.app_id, installation.subdomain)
        others = [(i.authorized_at, i) for i in found if (i.app_id, i.subdomain) == place and i.authorized_at]
        ordered = sorted(others, key=lambda one: one[0], reverse=True)
        return [i for _, i in ordered if i.account != installation.account]

    async def take_over(self, former: AccountId, newcomer: Installation) -> bool:
        self._answer()
        theirs, mine = self._accounts.get(newcomer.account), self._accounts.get(former)
        if theirs is None or theirs.installation is None or theirs.installation.authorized_at is not None:
            return False
        if theirs.installation.generation != newcomer.generation:
            return False
        if mine is None or mine.installation is None:
            return False
        theirs.installation, theirs.grant = None, None
        theirs.sessions.clear()
        theirs.authorizations.clear()
        mine.installation = replace(
            mine.installation,
            installation_id=newcomer.installation_id,
            state=InstallationState.UNAUTHORIZED,
            enabled=True,
            gone_since=None,
        )
        return True

    async def sweep(self, now: datetime) -> None:
        self._answer()
        ended, idle = now - MARGIN, now - IDLE - MARGIN
        self._used = {key: until for key, until in self._used.items() if until >= ended}
        for account in list(self._accounts):
            async with self._locks.setdefault(account, asyncio.Lock()):
                rows = self._accounts[account].copy()
                rows.authorizations = {i: a for i, a in rows.authorizations.items() if a.expires_at >= ended}
                rows.sessions = {h: s for h, s in rows.sessions.items() if s.seen_at >= idle}
                self._accounts[account] = rows

    async def installations(
        self, after: AccountId | None, limit: int, state: InstallationState | None
    ) -> Sequence[Installation]:
        self._answer()
        found = [rows.installation for _, rows in sorted(self._accounts.items()) if rows.installation]
        return [i for i in found if i.account > (after or "") and state in (None, i.state)][:limit]
