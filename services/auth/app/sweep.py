"""Sweep: forgets what ended, so that nothing about a person stays longer than it is of use."""

from __future__ import annotations

import asyncio

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger
from services.auth.app.ports import Store

EVERY_SECONDS = 600.0


class Sweep:
    """A background loop; any number of replicas may run it, a second sweep finds nothing."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            try:
                await self._store.sweep(self._clock.now())
            except SetlistError as error:  # the database is away: the next sweep finds the same rows
                get_logger().warning("nothing was swept", why=error.reason)
            await asyncio.sleep(EVERY_SECONDS)
