"""What runs without anybody asking: the minute ticker and the writer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import timedelta

from libs.db.engine import Database
from libs.db.locks import take_lease
from libs.db.replicas import Replicas
from libs.db.requests import SqlRequests
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.assignment.app.answer_offer import ExpireOffers
from services.assignment.app.drain import Drain
from services.assignment.app.ports import Store
from services.assignment.app.run_minute_job import RunMinuteJob
from services.assignment.app.write_outbox import WriteOutbox

MINUTE_SECONDS = 60.0
TICK_LEASE_SECONDS = 50.0
SWEEP_SECONDS = 5.0
AT_ONCE = 8
"""Accounts that are worked on side by side, so that one slow Zendesk does not hold up all others."""
REQUESTS_KEPT = timedelta(days=1)


class MinuteTicker:
    """Runs the minute job of every account, each on the replica that it belongs to.

    While accounts move two replicas may think that one is theirs: a lease on the database's clock lets one of them.
    """

    def __init__(
        self, store: Store, database: Database, job: RunMinuteJob, replicas: Replicas, drain: Drain
    ) -> None:
        self._store = store
        self._database = database
        self._job = job
        self._replicas = replicas
        self._drain = drain

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            await asyncio.sleep(MINUTE_SECONDS)
            await self.tick()

    async def tick(self) -> int:
        """Run the job of every account of this replica once; return of how many."""
        async with self._database.transaction() as connection:
            await SqlRequests(connection).forget_before(REQUESTS_KEPT)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(account: AccountId) -> bool:
            async with places:
                if not await self._taken(account):
                    return False
                await _logged(account, self._run(account))
                return True

        mine = [account for account in await self._store.accounts() if self._replicas.owns(account)]
        return sum(await asyncio.gather(*(one(account) for account in mine)))

    async def _run(self, account: AccountId) -> None:
        done = await self._job(account, catch_up=True, wait_for_writes=True)
        self._drain.expect(account, done.next_at)

    async def _taken(self, account: AccountId) -> bool:
        """Take an account's minute; False when another replica has it."""
        async with self._database.transaction() as connection:
            name = f"assignment.minute/{account}"
            return await take_lease(connection, name, self._replicas.me, TICK_LEASE_SECONDS) is not None


class OfferSweeper:
    """Ends offers that nobody answered in time. Every replica sweeps: an offer ends once, under its account's lock."""

    def __init__(self, store: Store, expire: ExpireOffers, clock: Clock) -> None:
        self._store = store
        self._expire = expire
        self._clock = clock

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """End every offer that is due."""
        for account in await self._store.with_due_offers(self._clock.now()):
            await _logged(account, self._expire(account))


class Writer:
    """Drains outboxes as soon as a decision was made, and every few seconds what a dead replica left.

    An account whose Zendesk is slow holds up nobody but itself.
    """

    def __init__(self, store: Store, write: WriteOutbox, wake: asyncio.Event) -> None:
        self._store = store
        self._write = write
        self._wake = wake
        self._busy: dict[AccountId, bool] = {}

    async def run(self) -> None:
        """Write for ever."""
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), SWEEP_SECONDS)
                self._wake.clear()
                for account in await self._store.accounts():
                    if account in self._busy:
                        self._busy[account] = True  # once more when it is through
                    else:
                        self._busy[account] = False
                        group.create_task(self._drain(account, places))

    async def _drain(self, account: AccountId, places: asyncio.Semaphore) -> None:
        try:
            async with places:
                await _logged(account, self._write(account))
        finally:
            if self._busy.pop(account):
                self._wake.set()


async def _logged(account: AccountId, work: Awaitable[object]) -> None:
    """Await work for one account; a failure is logged and leaves the other accounts alone."""
    try:
        await work
    except Exception as error:
        get_logger().warning("background work failed", account=account, why=type(error).__name__)
