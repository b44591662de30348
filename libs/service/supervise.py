"""Keeps background loops alive: one that ends is started again, one that will not live ends the process."""

from __future__ import annotations

import asyncio

from libs.service.definition import Loop
from libs.telemetry.logs import get_logger

QUICK_SECONDS = 60.0
MAXIMUM_QUICK_FAILURES = 5


class LoopFailedError(Exception):
    """A background loop failed too often; the process must not look healthy without it."""


async def supervise(name: str, loop: Loop) -> None:
    """Run `loop` for ever; after a failure wait 0.1 s, doubled each time, and run it again.

    Raises:
        LoopFailedError: five failures, each within a minute of its start.
    """
    failures = 0
    clock = asyncio.get_running_loop()
    while True:
        began = clock.time()
        try:
            await loop()
            why = "ended"
        except asyncio.CancelledError:
            raise
        except Exception as error:
            why = type(error).__name__
            get_logger().exception("background loop failed", loop=name)
        failures = failures + 1 if clock.time() - began < QUICK_SECONDS else 1
        if failures >= MAXIMUM_QUICK_FAILURES:
            raise LoopFailedError(f"background loop `{name}` failed {failures} times in a row, last: {why}")
        await asyncio.sleep(0.1 * 2**failures)
