"""The replica that is killed, as a process of its own, and what the one that lives on needs of the simulator."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping

import httpx2

from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from libs.zendesk.tests.simulated import Zendesk
from services.assignment.tests.zendesk import LocalZendesk


class AtSimulator(LocalZendesk):
    """The simulator where the house expects its local Zendesk."""

    def __init__(self, simulator: Zendesk) -> None:
        super().__init__(simulator.clock)
        self.simulator = simulator

    async def of(
        self, account: AccountId, transport: httpx2.AsyncBaseTransport | None = None
    ) -> ZendeskClient:
        return await self.simulator.client()


class Child:
    """The replica that is killed.

    Args:
        module: whose `main` serves deaths (`executioner.serve`).
        settings: its only argument, as JSON.
    """

    def __init__(self, module: str, settings: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )

    async def does(self, work: Mapping[str, str], killed_at: int = 0) -> str:
        """Do some work, with a kill at one await (0 = none); return how it ended."""
        return await asyncio.to_thread(self._does, f"{killed_at} {json.dumps(work)}\n")

    def _does(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        """Close its input and wait for it."""
        self._process.communicate(timeout=20)
