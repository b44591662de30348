"""WatchRevocations: the feed that every verifier follows (facts: auth §6).

Each replica reads the entries from the database, woken by a notice and polling in any case, and fans them out to
its streams. A heartbeat says that nothing up to its position is missing, so it is sent only while the database
answers: a replica that is cut off falls silent, and its verifiers know that they know nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger
from services.auth.app.key_ports import RevocationFeed
from services.auth.domain.revocation import Revocation

HEARTBEAT_SECONDS = 5.0
POLL_SECONDS = 0.5
STREAM_SECONDS = 240.0
"""A stream ends by itself before the connection's age ends it: the follower comes back at once, somewhere else."""
KEPT = 1000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """One message of a stream: an entry, the mark, or a heartbeat when it is neither.

    Attributes:
        position: up to which nothing is missing, once the snapshot is complete.
        entry: what is revoked.
        snapshot_end: the snapshot is complete.
    """

    position: int
    entry: Revocation | None = None
    snapshot_end: bool = False


class WatchRevocations:
    """One replica's end of the feed.

    Args:
        feed: the database's.
        keys_changed: told that the signing keys changed, so that this replica signs with the right one.
        heartbeat_seconds: between two heartbeats of a stream.
        poll_seconds: between two looks at the database that nobody asked for.
        stream_seconds: about how long a stream lasts.
    """

    def __init__(
        self,
        feed: RevocationFeed,
        keys_changed: Callable[[], Awaitable[None]],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        stream_seconds: float = STREAM_SECONDS,
    ) -> None:
        self._feed = feed
        self._keys_changed = keys_changed
        self._heartbeat = heartbeat_seconds
        self._poll = poll_seconds
        self._stream = stream_seconds
        self._kept: deque[Revocation] = deque(maxlen=KEPT)
        self._position: int | None = None
        self._restores = 0
        self._read_at = float("-inf")
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._closed = False
        self._keys_due = False

    def wake(self, _: str = "") -> None:
        """Look at the database now; for the listener."""
        self._wake.set()

    def close(self) -> None:
        """End every stream, and let none begin: the process is about to stop."""
        self._closed = True
        self._tell()

    async def run(self) -> None:
        """Read the feed for ever; a background task of the process."""
        silent = False
        while True:
            self._wake.clear()
            try:
                more = await self._read()
            except SetlistError as error:
                if not silent:
                    get_logger().warning("the revocation feed cannot be read", why=error.reason)
                silent, more = True, False
            else:
                silent = False
            if not more:
                try:
                    async with asyncio.timeout(self._poll):
                        await self._wake.wait()
                except TimeoutError:
                    pass

    async def _read(self) -> bool:
        """Take over new entries; True when there may be more."""
        began = asyncio.get_running_loop().time()
        if self._position is None:
            entries = await self._feed.tail(KEPT)
            self._position, more = 0, False
        else:
            known = list(self._kept)[-1:]
            # The newest entry is read once more: it is never swept, so a database without it is not the one before.
            entries = await self._feed.after(self._position - len(known), _PAGE + len(known))
            if list(entries[: len(known)]) != known:
                return self._begin_anew()
            more = len(entries) == _PAGE + len(known)
            entries = entries[len(known) :]
        self._read_at = began  # INVARIANT: from before the read, for what is committed later was not seen
        if entries:
            self._kept.extend(entries)
            self._position = entries[-1].position
            self._keys_due = self._keys_due or any(entry.key_set_changed for entry in entries)
            self._tell()
        if self._keys_due:
            await self._keys_changed()
            self._keys_due = False
        return more

    def _begin_anew(self) -> bool:
        """Forget what is kept: the database was restored, and positions are given a second time."""
        get_logger().warning("the revocation feed begins anew: the database was restored")
        self._kept.clear()
        self._position, self._read_at = None, float("-inf")
        self._restores += 1
        self._keys_due = True
        self._tell()
        return True

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def stream(self, position: int) -> AsyncIterator[FeedMessage]:
        """Yield a snapshot and its mark, or what came after `position`; then entries and heartbeats.

        Args:
            position: up to which the follower knows everything; 0 for a snapshot.
        """
        loop, restores = asyncio.get_running_loop(), self._restores
        end = loop.time() + self._stream * random.uniform(0.9, 1.1)  # noqa: S311 - followers should not march in step
        known = self._fresh(loop.time()) and self._covers(position) and not self._ahead(position)
        if position > 0 and known and not restores:  # after a restore nobody's position can be believed
            sent = position
        else:
            sent = 0
            async for entry in self._feed.snapshot():
                sent = entry.position
                if entry.account or entry.kid:
                    yield FeedMessage(entry.position, entry)
        yield FeedMessage(sent, snapshot_end=True)
        beat = loop.time() + self._heartbeat
        while not self._closed and restores == self._restores and (now := loop.time()) < end:
            news = self._news
            if not self._covers(sent):
                return  # this stream fell too far behind: the follower comes back for a snapshot
            for entry in self._since(sent):
                sent = entry.position
                yield FeedMessage(entry.position, entry)
            if now >= beat:
                if self._fresh(now):
                    yield FeedMessage(sent)
                beat = now + self._heartbeat
            try:
                async with asyncio.timeout_at(min(beat, end)):
                    await news.wait()
            except TimeoutError:
                pass

    def _fresh(self, now: float) -> bool:
        """Tell whether the database was read a moment ago."""
        return now - self._read_at < self._heartbeat

    def _ahead(self, position: int) -> bool:
        """Tell whether a follower knows more than this replica, of another database perhaps."""
        return self._position is None or position > self._position

    def _covers(self, position: int) -> bool:
        """Tell whether every entry after `position` is still kept here; positions have no gaps."""
        return self._position is None or position >= self._position or self._kept[0].position <= position + 1

    def _since(self, position: int) -> list[Revocation]:
        if self._position is None or self._position <= position:
            return []
        return [entry for entry in self._kept if entry.position > position]
