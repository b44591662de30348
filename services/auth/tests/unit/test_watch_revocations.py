"""The feed: a snapshot with its mark, what follows, honest heartbeats, and continuation after a cut."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.store import MemoryStore
from services.auth.app import watch_revocations
from services.auth.app.watch_revocations import FeedMessage, WatchRevocations
from services.auth.domain.installation import Installation
from services.auth.domain.revocation import PLATFORM


class Feed:
    """A store, one replica's end of its feed, and what happens to accounts."""

    def __init__(self, store: MemoryStore | None = None, **settings: float) -> None:
        self.store = store or MemoryStore(ManualClock())
        self.key_loads = 0
        settings = {"heartbeat_seconds": 30.0, "poll_seconds": 0.01, **settings}
        self.watch = WatchRevocations(self.store.feed, self._load, **settings)

    async def _load(self) -> None:
        self.key_loads += 1

    async def revoke(self, account: str) -> int:
        """Raise an account's generation."""
        name = AccountId(account)
        async with self.store.transaction(name) as tx:
            now = ManualClock().now()
            mine = await tx.installations.get() or Installation(name, 1, 2, account, now)
            await tx.installations.put(replace(mine, generation=mine.generation + 1))
        return mine.generation + 1

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Reader:
    """One follower."""

    def __init__(self, watch: WatchRevocations, position: int = 0) -> None:
        self.messages = watch.stream(position)

    async def next(self) -> FeedMessage | None:
        """Return the next message, None when the stream ended."""
        async with asyncio.timeout(10):
            return await anext(self.messages, None)

    async def entries(self, count: int) -> list[tuple[int, str, int]]:
        found: list[tuple[int, str, int]] = []
        while len(found) < count:
            message = await self.next()
            assert message is not None
            if message.entry is not None:
                found.append((message.position, message.entry.account, message.entry.generation))
        return found

    async def snapshot(self) -> tuple[list[tuple[str, int]], int]:
        """Return what the snapshot said and the position of its mark."""
        said: list[tuple[str, int]] = []
        while (message := await self.next()) is not None:
            if message.snapshot_end:
                return said, message.position
            assert message.entry is not None
            said.append((message.entry.account, message.entry.generation))
        raise AssertionError("the stream ended before its mark")


async def test_a_snapshot_says_what_is_revoked_and_then_what_becomes_so() -> None:
    feed = Feed()
    await feed.revoke("acc-2")
    await feed.revoke("acc-1")
    await feed.revoke("acc-2")
    async with feed.running():
        reader = Reader(feed.watch)
        assert await reader.snapshot() == ([("acc-1", 1), ("acc-2", 2)], 3)
        await feed.revoke("acc-1")
        await feed.revoke("acc-3")

        assert await reader.entries(2) == [(4, "acc-1", 2), (5, "acc-3", 1)]


async def test_with_nothing_revoked_there_is_the_mark_alone() -> None:
    feed = Feed()
    async with feed.running():
        assert await Reader(feed.watch).snapshot() == ([], 0)


async def test_a_rolled_back_revocation_is_not_told() -> None:
    feed = Feed()
    with contextlib.suppress(ZeroDivisionError):
        async with feed.store.transaction(AccountId("acc-1")) as tx:
            await tx.installations.put(
                Installation(AccountId("acc-1"), 1, 2, "a", ManualClock().now(), generation=4)
            )
            raise ZeroDivisionError

    assert list(await feed.store.feed.tail(10)) == []


async def test_a_follower_goes_on_at_another_replica_without_a_snapshot() -> None:
    feed = Feed()
    other = Feed(feed.store)
    await feed.revoke("acc-1")
    async with feed.running(), other.running():
        reader = Reader(feed.watch)
        _, position = await reader.snapshot()
        there = Reader(other.watch)
        await there.snapshot()
        await feed.revoke("acc-2")
        await there.entries(1)

        again = Reader(other.watch, position)
        assert await again.snapshot() == ([], position)
        assert await again.entries(1) == [(position + 1, "acc-2", 1)]


@pytest.mark.parametrize("position", [99, -1, 0])
async def test_a_position_that_never_was_gets_a_snapshot(position: int) -> None:
    feed = Feed()
    await feed.revoke("acc-1")
    async with feed.running():
        await Reader(feed.watch).snapshot()
        assert await Reader(feed.watch, position).snapshot() == ([("acc-1", 1)], 1)


async def test_a_position_too_old_gets_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_revocations, "KEPT", 3)
    feed = Feed()
    for _ in range(6):
        await feed.revoke("acc-1")
    async with feed.running():
        reader = Reader(feed.watch)
        await reader.snapshot()
        await feed.revoke("acc-1")
        await reader.entries(1)

        assert await Reader(feed.watch, 2).snapshot() == ([("acc-1", 7)], 7)
        resumed = Reader(feed.watch, 4)
        assert await resumed.snapshot() == ([], 4)
        assert [position for position, _, _ in await resumed.entries(3)] == [5, 6, 7]


async def test_a_follower_that_falls_too_far_behind_is_sent_back_for_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_revocations, "KEPT", 3)
    feed = Feed()
    await feed.revoke("acc-1")
    async with feed.running():
        slow = Reader(feed.watch)
        await slow.snapshot()
        fast = Reader(feed.watch)
        await fast.snapshot()
        for _ in range(9):
            await feed.revoke("acc-2")
            await fast.entries(1)

        assert await slow.next() is None


async def test_a_restored_database_ends_every_stream_and_is_read_from_its_own_end() -> None:
    feed, before = Feed(), Feed()
    for _ in range(2):
        await feed.revoke("acc-1")
    await before.revoke("acc-1")
    async with feed.running():
        reader = Reader(feed.watch)
        assert await reader.snapshot() == ([("acc-1", 2)], 2)
        await feed.revoke("acc-1")
        assert await reader.entries(1) == [(3, "acc-1", 3)]

        feed.watch._feed = before.store.feed  # the backup: two revocations ago
        assert await reader.next() is None
        again = Reader(feed.watch, 3)
        assert await again.snapshot() == ([("acc-1", 1)], 1)
        await before.revoke("acc-2")
        assert await again.entries(1) == [(2, "acc-2", 1)]


async def test_a_restored_database_is_told_from_one_that_went_on_meanwhile() -> None:
    feed, other = Feed(), Feed()
    await feed.revoke("acc-1")
    for account in ("acc-7", "acc-8", "acc-9"):  # the position that is known names another entry there
        await other.revoke(account)
    async with feed.running():
        reader = Reader(feed.watch)
        await reader.snapshot()
        await feed.revoke("acc-1")
        assert await reader.entries(1) == [(2, "acc-1", 2)]

        feed.watch._feed = other.store.feed
        assert await reader.next() is None
        said = await Reader(feed.watch, 2).snapshot()
        assert said == ([("acc-7", 1), ("acc-8", 1), ("acc-9", 1)], 3)


async def test_a_heartbeat_says_that_nothing_is_missing_and_only_while_the_database_answers() -> None:
    feed = Feed(heartbeat_seconds=0.05)
    await feed.revoke("acc-1")
    async with feed.running():
        reader = Reader(feed.watch)
        await reader.snapshot()
        assert await reader.next() == FeedMessage(1)

        feed.store.away = 10_000
        with pytest.raises(DependencyUnavailableError):
            await Reader(feed.watch).next()
        silent = asyncio.create_task(reader.next())
        beats = 0
        while True:  # the beat that was due when the database went may still be said
            done, _ = await asyncio.wait([silent], timeout=0.3)
            if not done:
                break
            beats += 1
            assert beats < 3
            silent = asyncio.create_task(reader.next())
        feed.store.away = 0
        feed.watch.wake()
        await feed.revoke("acc-1")
        async with asyncio.timeout(10):
            message = await silent
        assert message is not None


async def test_a_notice_wakes_the_feed_long_before_it_would_look() -> None:
    feed = Feed(poll_seconds=3600.0)
    feed.store.feed.heard.append(feed.watch.wake)
    async with feed.running():
        reader = Reader(feed.watch)
        await reader.snapshot()
        await feed.revoke("acc-1")

        assert await reader.entries(1) == [(1, "acc-1", 1)]


async def test_changed_keys_are_loaded_by_every_replica_also_when_the_first_try_fails() -> None:
    feed = Feed()
    fails = 1

    async def load() -> None:
        nonlocal fails
        if fails:
            fails -= 1
            raise DependencyUnavailableError("away")
        feed.key_loads += 1

    watch = WatchRevocations(feed.store.feed, load, poll_seconds=0.01, heartbeat_seconds=0.05)
    async with feed.store.transaction(PLATFORM) as tx:
        tx.announcements.distrust("ctx-1")
        tx.announcements.keys_changed()
    task = asyncio.create_task(watch.run())
    reader = Reader(watch)
    await reader.snapshot()
    while feed.key_loads == 0:
        await reader.next()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert feed.key_loads == 1


async def test_streams_end_by_themselves_and_when_the_process_stops() -> None:
    feed = Feed(stream_seconds=0.05)
    async with feed.running():
        reader = Reader(feed.watch)
        await reader.snapshot()
        assert await reader.next() is None

        lasting = Feed(feed.store)
        open_one = Reader(lasting.watch)
        await open_one.snapshot()
        waiting = asyncio.create_task(open_one.next())
        lasting.watch.close()
        assert await waiting is None
        late = Reader(lasting.watch)
        await late.snapshot()
        assert await late.next() is None
