"""Accounts in memory: one immutable snapshot each, which follows the database; a check never waits for a write.

The counter `revisions` is the truth, a notice only a wake-up: within every second each loaded account is
compared with it, in one query for all. A state that is not confirmed within the bound is not answered from.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from libs.decision.build import Builder
from libs.decision.snapshot import Snapshot
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.policy.app import needed
from services.policy.app.asked import Freshness
from services.policy.app.ports import AccountSettings, LogRow, Reading, State, Store, Transaction
from services.policy.domain.errors import RevisionUnknownError

BOUND_SECONDS = 1.0
"""How long ago a state was the present one, at most, when an answer is made from it (facts: policy, D21)."""
POLL_SECONDS = 0.25
LARGE_SECONDS = 300.0
"""How long an account that was too large is not tried again."""
STEPS = 5000
"""Revisions that are followed one by one; beyond, everything is read anew."""
FREEZE = 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept in memory.

    Attributes:
        account: relationships of one account; a larger one is answered from the database.
        total: relationships of all; the accounts that were not asked about for longest go first.
    """

    account: int = 2_000_000
    total: int = 5_000_000


class Current(NamedTuple):
    """An account's present.

    Attributes:
        snapshot: None = too large for memory.
        lag_seconds: since it was known to be the present one.
    """

    snapshot: Snapshot | None
    state: State
    settings: AccountSettings
    lag_seconds: float


@dataclass(slots=True)
class _Loaded:
    snapshot: Snapshot | None = None
    state: State = field(default_factory=lambda: State(-1))
    settings: AccountSettings = field(default_factory=AccountSettings)
    confirmed: float = float("-inf")
    """When it was the present; taken back by a notice."""
    seen: float = float("-inf")
    """The same; a notice leaves it."""
    heard: float = float("-inf")
    used: float = 0.0
    large_until: float = float("-inf")
    reading: asyncio.Task[None] | None = None
    reading_since: float = 0.0
    rose: asyncio.Event = field(default_factory=asyncio.Event)


class Engine:
    """Keeps accounts in memory and follows what is written.

    Args:
        store: to follow; writes through `noting` are seen at once.
        monotonic: seconds.
    """

    def __init__(
        self, store: Store, limits: Limits | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._limits = limits or Limits()
        self._monotonic = monotonic
        self._accounts: dict[AccountId, _Loaded] = {}

    async def current(self, account: AccountId, freshness: Freshness) -> Current:
        """Return an account's present, as fresh as asked.

        Raises:
            RevisionUnknownError: the token's write is not in the database.
            DependencyUnavailableError: the database cannot confirm the state.
        """
        began = self._monotonic()
        loaded = self._loaded(account)
        loaded.used = began
        if freshness.fully:
            await self._read_since(account, loaded, began)
        elif loaded.confirmed + BOUND_SECONDS < began or loaded.state.revision < freshness.at_least:
            await self._read_since(account, loaded, began - BOUND_SECONDS)
            if loaded.state.revision < freshness.at_least:
                await self._read_since(account, loaded, began)
        if loaded.state.revision < freshness.at_least:
            raise RevisionUnknownError("the token names a write that is not in the database")
        lag = max(0.0, self._monotonic() - loaded.seen)
        return Current(loaded.snapshot, loaded.state, loaded.settings, lag)

    def _loaded(self, account: AccountId) -> _Loaded:
        loaded = self._accounts.get(account)
        if loaded is None:  # not `setdefault`: it would make one for every check
            loaded = self._accounts[account] = _Loaded()
        return loaded

    async def wait(self, account: AccountId, revision: int, seconds: float) -> bool:
        """Wait until an account is beyond a revision; False when it is not in time."""
        loaded = self._loaded(account)
        loaded.used = self._monotonic()
        if loaded.state.revision > revision:
            return True
        try:
            async with asyncio.timeout(seconds):
                while loaded.state.revision <= revision:
                    await loaded.rose.wait()
        except TimeoutError:
            return False
        return True

    def heard(self, payload: str) -> None:
        """Take a notice: an account that was written; empty = anything may have changed.

        What is at hand is not the present any more, until it is read anew.
        """
        for account in [AccountId(payload)] if payload else list(self._accounts):
            if (loaded := self._accounts.get(account)) is not None:
                loaded.confirmed, loaded.heard = float("-inf"), self._monotonic()
                if loaded.reading is not None:
                    loaded.reading_since = float("-inf")  # it may have begun before the commit
                else:
                    self._begin(account, loaded)

    async def follow(self) -> None:
        """Compare what is loaded with the database, for ever."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.poll()
            except SetlistError as error:
                get_logger().warning("changes not followed", why=error.reason)

    async def poll(self) -> None:
        """Compare what is loaded with the database, once; begin to read what changed."""
        if not self._accounts:
            return
        began = self._monotonic()
        present = await self._store.revisions(list(self._accounts))
        for account, loaded in list(self._accounts.items()):
            if present.get(account, 0) == loaded.state.revision:
                loaded.seen = max(loaded.seen, began)
                if loaded.heard < began:  # else the counter may have been read before that write
                    loaded.confirmed = max(loaded.confirmed, began)
            elif loaded.state.revision >= 0 and loaded.reading is None:
                self._begin(account, loaded)

    async def _read_since(self, account: AccountId, loaded: _Loaded, since: float) -> None:
        """Wait for a read that begins at `since` or later; calls that wait share one."""
        while True:
            if loaded.reading is None:
                self._begin(account, loaded)
            began, reading = loaded.reading_since, loaded.reading
            assert reading is not None  # noqa: S101 - begun just now
            await asyncio.shield(reading)
            if began >= since:
                return

    def _begin(self, account: AccountId, loaded: _Loaded) -> None:
        if loaded.reading is None:
            loaded.reading_since = self._monotonic()
            loaded.reading = asyncio.create_task(
                self._read(account, loaded, loaded.reading_since), name="policy read"
            )
            loaded.reading.add_done_callback(_retrieved)

    async def _read(self, account: AccountId, loaded: _Loaded, began: float) -> None:
        try:
            async with self._store.snapshot(account) as tx:
                state = await tx.state()
                if state != loaded.state or (loaded.snapshot is None and self._may_load(loaded)):
                    loaded.settings = await tx.settings()
                    loaded.snapshot = await self._next(tx, state, loaded)
                    loaded.state = state
                    loaded.rose.set()
                    loaded.rose = asyncio.Event()
            loaded.seen = max(loaded.seen, began)
            loaded.confirmed = max(loaded.confirmed, loaded.reading_since)
        finally:
            loaded.reading = None
        self._make_room(account)
        if loaded.reading_since == float("-inf"):  # something was written meanwhile
            self._begin(account, loaded)

    def _may_load(self, loaded: _Loaded) -> bool:
        return loaded.large_until < self._monotonic()

    async def _next(self, tx: Reading, state: State, loaded: _Loaded) -> Snapshot | None:
        base = loaded.snapshot
        if base is not None and self._may_follow(base, state):
            changes = await tx.changes(base.revision, state.revision)
            following = Builder(base).apply(changes).finish(state.revision)
            if following.edges <= self._limits.account:
                return following
        elif not self._may_load(loaded):
            return None
        if await tx.has_more_relationships_than(self._limits.account):
            loaded.large_until = self._monotonic() + LARGE_SECONDS
            return None
        snapshot = await needed.whole(tx, state.revision)
        if snapshot.edges > FREEZE:  # it lives for long: a full collection need not walk it each time
            gc.collect()
            gc.freeze()
        return snapshot

    @staticmethod
    def _may_follow(base: Snapshot, state: State) -> bool:
        return (
            max(state.oldest, state.redacted) <= base.revision <= state.revision
            and state.revision - base.revision <= STEPS
        )

    def _make_room(self, keep: AccountId) -> None:
        total = sum(one.snapshot.edges for one in self._accounts.values() if one.snapshot is not None)
        for account, loaded in sorted(self._accounts.items(), key=lambda item: item[1].used):
            if total <= self._limits.total:
                return
            if account != keep and loaded.snapshot is not None and loaded.reading is None:
                total -= loaded.snapshot.edges
                del self._accounts[account]


def _retrieved(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waits has it; nobody may


class NotingStore:
    """A store that tells the engine of every write, so that a replica sees its own at once."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        try:
            async with self._store.transaction(account) as tx:
                yield tx
        finally:  # also of a commit whose outcome is not known
            self._engine.heard(account)

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Reading]:
        return self._store.snapshot(account)

    async def revisions(self, accounts: Collection[AccountId] | None = None) -> Mapping[AccountId, int]:
        return await self._store.revisions(accounts)

    async def log(self, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
        await self._store.log(rows)
