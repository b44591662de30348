"""What runs without anybody asking: the runner of steps that are due."""

from __future__ import annotations

import asyncio
import contextlib

from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.privacy.app.execute import Execute
from services.privacy.app.ports import Store

POLL_SECONDS = 1.0
"""How soon this replica finds what another one left."""
AT_ONCE = 8
"""Requests that one replica works at."""


class Runner:
    """Works at due requests at once when woken, when a wait ends, and at the latest at the next look.

    Args:
        wake: set by a use case when it made a request due.
    """

    def __init__(
        self, store: Store, execute: Execute, wake: asyncio.Event, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._store = store
        self._execute = execute
        self._wake = wake
        self._poll_seconds = poll_seconds
        self._working: dict[tuple[AccountId, str], asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work for ever; what is cancelled in the middle is taken over when its lease ends."""
        try:
            while True:
                self._wake.clear()
                await self._start_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._poll_seconds)
        finally:
            for task in self._working.values():
                task.cancel()
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def _start_due(self) -> None:
        for account, request in await self._store.due():
            if len(self._working) >= AT_ONCE:
                return  # the first that ends wakes us
            if (account, request) not in self._working:
                task = asyncio.create_task(self._work(account, request))
                self._working[account, request] = task

    async def _work(self, account: AccountId, request: str) -> None:
        try:
            seconds = await self._execute(account, request)
        except Exception as error:
            # The database was away, most likely: the next look finds the request again.
            get_logger().warning(
                "request not advanced", account=account, request=request, why=type(error).__name__
            )
            seconds = self._poll_seconds
        finally:
            self._working.pop((account, request), None)
        if seconds is None:
            self._wake.set()
        else:
            asyncio.get_running_loop().call_later(seconds, self._wake.set)
