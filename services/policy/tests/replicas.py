"""Replicas over one database: each with a way to it that can be held up or cut, and a time of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.engine import Limits
from services.policy.app.ports import Answer, LogRow, Reading, Store, Transaction
from services.policy.tests.world import PRODUCT, World


class Line:
    """A store behind a way that counts reads, and that can be held up or cut.

    Attributes:
        snapshots: reads that were begun.
        gate: reads go on when it is set, and see the database as it was when they began.
        polled: the same for the counters of revisions.
        cut: nothing gets through.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.snapshots = 0
        self._held = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()
        self.polled = asyncio.Event()
        self.polled.set()
        self.cut = False

    async def reached(self) -> None:
        """Wait until a read is held up."""
        await asyncio.wait_for(self._held.acquire(), 10)

    def _require(self) -> None:
        if self.cut:
            raise DependencyUnavailableError("the database is away")

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        self._require()
        async with self._store.transaction(account) as tx:
            yield tx

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _snapshot(self, account: AccountId) -> AsyncIterator[Reading]:
        self.snapshots += 1
        self._require()
        async with self._store.snapshot(account) as tx:
            if not self.gate.is_set():
                await tx.state()  # from here on it sees this state, whatever is written
                self._held.release()
                await self.gate.wait()
            yield tx

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Reading]:
        return self._snapshot(account)

    async def revisions(self, accounts: Collection[AccountId] | None = None) -> Mapping[AccountId, int]:
        self._require()
        found = await self._store.revisions(accounts)
        if not self.polled.is_set():
            self._held.release()
            await self.polled.wait()
        return found

    async def log(self, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
        self._require()
        await self._store.log(rows)


class Replica(World):
    """A replica that follows nothing by itself, and whose time stands still until it is moved.

    Attributes:
        line: its way to the database.
        seconds: of its monotonic clock.
    """

    def __init__(
        self,
        store: Store,
        account: AccountId,
        *,
        beside: World | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.line = Line(store)
        self.seconds = 100.0
        super().__init__(self.line, account, beside=beside, limits=limits, monotonic=lambda: self.seconds)

    async def sees(
        self, user: int, record: str, freshness: Freshness | None = None, action: str = "read"
    ) -> Answer:
        """Return the answer of this replica."""
        question = Question(user, action, PRODUCT, record)
        asked = Asked(freshness=freshness or Freshness())
        (answer,) = await self.use.check(self.account, [question], asked)
        return answer

    async def allows(self, user: int, record: str, freshness: Freshness | None = None) -> bool:
        """Tell whether this replica lets a user read a record."""
        return (await self.sees(user, record, freshness)).decided.allowed

    async def unrelate(self, user: int, record: str) -> int:
        """Delete a relationship; return the revision."""
        rows = [self.row(user, record)]
        return (await self.use.write_relationships.batch(self.account, [], rows, None)).revision
