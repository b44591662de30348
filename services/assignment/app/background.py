"""What runs without anybody asking: the minute ticker and the writer."""

from __future__ import annotations

import asyncio
import contextlib

from libs.db.engine import Database
from libs.db.locks import take_lease
from libs.kernel.clock import Clock
from libs.kernel.ids import IdSource
from libs.telemetry.logs import get_logger
from services.assignment.app.ports import Store
from services.assignment.app.run_minute_job import RunMinuteJob
from services.assignment.app.write_outbox import WriteOutbox

MINUTE_SECONDS = 60.0
TICK_LEASE_SECONDS = 50.0
SWEEP_SECONDS = 5.0


class MinuteTicker:
    """Runs the minute job of every account, on one replica per minute (a lease on the database's clock)."""

    def __init__(
        self, store: Store, database: Database, job: RunMinuteJob, clock: Clock, ids: IdSource
    ) -> None:
        self._store = store
        self._database = database
        self._job = job
        self._clock = clock
        self._holder = ids.new("tic")

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            await asyncio.sleep(MINUTE_SECONDS)
            async with self._database.transaction() as connection:
                lease = await take_lease(connection, "assignment.minute", self._holder, TICK_LEASE_SECONDS)
            if lease is None:
                continue
            for account in await self._store.accounts():
                try:
                    await self._job(account, catch_up=True, wait_for_writes=True)
                except Exception as error:
                    get_logger().warning("minute job failed", account=account, why=type(error).__name__)


class Writer:
    """Drains outboxes as soon as a decision was made, and every few seconds what a dead replica left."""

    def __init__(self, store: Store, write: WriteOutbox, wake: asyncio.Event) -> None:
        self._store = store
        self._write = write
        self._wake = wake

    async def run(self) -> None:
        """Write for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), SWEEP_SECONDS)
            self._wake.clear()
            for account in await self._store.accounts():
                await self._write(account)
