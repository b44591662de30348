"""A simulator for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World
from tools.zendesk_simulator.tests.machine import SPEC, Machine, Receiver, served


@pytest_asyncio.fixture
async def machine() -> AsyncIterator[Machine]:
    """A simulator with one account and a clock that stands still."""
    clock = ManualClock()
    world = World(clock)
    async with served(build_app(world)) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        assert (await http.post("/_control/accounts", json=SPEC)).status_code == 201
        yield Machine(http, clock, world)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An endpoint for webhooks."""
    made = Receiver()
    async with served(made.app()) as url:
        made.url = url
        yield made
