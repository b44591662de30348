"""The decision log on its way to the database: never does a check wait for it, unless the type is audited."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.policy.app.ports import AccountSettings, LogRow, Store

CAPACITY = 50_000
PART = 2000
FLUSH_SECONDS = 0.2
EVERY_TYPE = "*"
"""In `AccountSettings.audited_types`."""


class DecisionLog:
    """Keeps decisions until they are written; when too many wait, the newest are dropped and counted.

    Args:
        capacity: decisions that wait at most.
        chance: numbers of 0 to 1, for sampling.
    """

    def __init__(
        self, store: Store, capacity: int = CAPACITY, chance: Callable[[], float] = random.random
    ) -> None:
        self._store = store
        self._capacity = capacity
        self._chance = chance
        self._waiting: deque[tuple[AccountId, LogRow]] = deque()
        self._writing = asyncio.Lock()
        self.dropped = 0

    def wanted(self, settings: AccountSettings, *, allowed: bool, audited: bool) -> bool:
        """Tell whether a decision is to be logged: denied ones always are, of the others a share.

        Args:
            audited: whether it is only given once it is logged.
        """
        if not allowed or settings.log_share >= 1 or audited:
            return True
        return self._chance() < settings.log_share

    def put(self, account: AccountId, rows: Sequence[LogRow]) -> None:
        """Take decisions to be written soon."""
        room = self._capacity - len(self._waiting)
        if len(rows) > room:
            self.dropped += len(rows) - room
            rows = rows[:room]
        self._waiting.extend([(account, row) for row in rows])

    async def write(self, account: AccountId, rows: Sequence[LogRow]) -> bool:
        """Write decisions now; False when the database does not take them."""
        try:
            await self._store.log([(account, row) for row in rows])
        except SetlistError as error:
            get_logger().error("decisions not logged", why=error.reason, decisions=len(rows))
            return False
        return True

    async def flush(self) -> None:
        """Write what waits now; what comes meanwhile is written the next time, many at once.

        Raises:
            SetlistError: the database does not take it; it goes on waiting.
        """
        async with self._writing:
            left = len(self._waiting)
            while left > 0:
                part = list(islice(self._waiting, min(PART, left)))
                await self._store.log(part)
                for _ in part:
                    self._waiting.popleft()
                left -= len(part)

    async def run(self) -> None:
        """Write what waits, for ever."""
        told = 0
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except SetlistError as error:
                get_logger().warning("decision log waits", why=error.reason, waiting=len(self._waiting))
            if self.dropped > told:
                get_logger().error("decisions dropped from the log", decisions=self.dropped - told)
                told = self.dropped

    async def close(self) -> None:
        """Write what waits, at the end."""
        try:
            await self.flush()
        except SetlistError as error:
            get_logger().error("decisions not logged", why=error.reason, decisions=len(self._waiting))
