"""Deletes what is not kept any longer: relationships that ended, the past, old decisions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.policy.app.ports import Store, UnchangedError

ACTOR = "service:policy"
PART = 1000
EVERY_SECONDS = 60.0
REPEATS = timedelta(days=2)
"""For how long a command that comes again gets the first answer."""


class Sweep:
    """Sweeps one account after the other; any number of replicas may."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Sweep, for ever."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self()
            except SetlistError as error:
                get_logger().warning("not swept", why=error.reason)

    async def __call__(self) -> None:
        """Sweep every account once."""
        for account in sorted(await self._store.revisions()):
            while await self._expire(account):
                pass
            while await self._forget(account):
                pass

    async def _expire(self, account: AccountId) -> bool:
        """Delete ended relationships, so that those who watch see it; True = there may be more."""
        now = self._clock.now()
        async with self._store.snapshot(account) as reading:
            if not await reading.has_ended(now):
                return False  # without taking the account's lock from those who write
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(ACTOR, now)
                gone = await tx.expire(now, PART)
                if not gone:
                    raise UnchangedError(revision - 1)
        except UnchangedError:
            return False
        return gone == PART

    async def _forget(self, account: AccountId) -> bool:
        """Delete the past and the decisions that are older than the account keeps; True = there may be more."""
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            settings, state = await tx.settings(), await tx.state()
            revision = await tx.revision_at(now - timedelta(days=settings.history_days))
            if revision is not None and revision > state.oldest:
                await tx.forget_before(revision)
            await tx.forget_requests(REPEATS)
            gone = await tx.forget_decisions(now - timedelta(days=settings.log_days), PART)
        return gone == PART
