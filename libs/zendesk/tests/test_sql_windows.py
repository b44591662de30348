"""The windows that replicas share, on a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from libs.db.engine import Database
from libs.kernel.clock import ManualClock, SystemClock
from libs.testing.postgres import FreshDatabase
from libs.zendesk.budget import Budget
from libs.zendesk.limits import charges_of
from libs.zendesk.sql_windows import ZENDESK_WINDOWS_DDL, SqlWindows
from libs.zendesk.tests.windows_conformance import BUCKET, WindowsConformance, ask
from libs.zendesk.windows import Windows

pytestmark = pytest.mark.integration
UPDATE = charges_of("PUT", "tickets/{id}")
ROUTE = "PUT tickets/{id}"
HEADERS = {"ratelimit-limit": "700", "ratelimit-remaining": "699", "ratelimit-reset": "60"}


@pytest_asyncio.fixture(scope="module")
async def shared(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(fresh_database(None))
    async with database.transaction() as connection:
        await connection.execute(text(ZENDESK_WINDOWS_DDL))
    yield database
    await database.close()


class TestSqlWindows(WindowsConformance):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def windows(self, shared: Database, clock: ManualClock) -> Windows:
        return SqlWindows(shared, clock)


async def test_an_account_is_forgotten_alone(shared: Database) -> None:
    windows = SqlWindows(shared)
    await windows.hold("gone", BUCKET, 60)
    await windows.hold("stays", BUCKET, 60)

    assert await windows.forget_account("gone") == 1
    assert (await windows.lease("gone", BUCKET, ask())).granted > 0
    assert (await windows.lease("stays", BUCKET, ask())).granted == 0


async def test_replicas_together_stay_under_the_limit_of_an_endpoint(shared: Database) -> None:
    replicas = [Budget("three", SqlWindows(shared), SystemClock()) for _ in range(3)]
    for replica in replicas:
        assert await replica.take(ROUTE, UPDATE) == 0
        replica.learn(ROUTE, HEADERS, UPDATE)
    taken = [0, 0, 0]
    for number in range(200):
        taken[number % 3] += not await replicas[number % 3].take(ROUTE, UPDATE)

    # What a lease holds that its replica did not need yet is not another's; the first calls were unmetered.
    assert 85 <= sum(taken) <= 100
    assert min(taken) > 0


def _spend_until_killed(url: str, taken: Any) -> None:
    import asyncio

    async def spend() -> None:
        budget = Budget("killed", SqlWindows(Database(url)), SystemClock())
        await budget.take(ROUTE, UPDATE)
        budget.learn(ROUTE, HEADERS, UPDATE)
        for _ in range(31):
            taken.value += not await budget.take(ROUTE, UPDATE)
        taken.value += 1000  # ready to die, with part of a lease in hand
        await asyncio.Event().wait()

    asyncio.run(spend())


async def test_a_replica_that_is_killed_costs_its_lease_and_no_limit(
    shared: Database, postgres: object
) -> None:
    spawn = multiprocessing.get_context("spawn")
    taken = spawn.Value("i", 0)
    replica = spawn.Process(target=_spend_until_killed, args=(shared.url, taken), daemon=True)
    replica.start()
    try:
        end = time.monotonic() + 60
        while taken.value < 1000:
            assert time.monotonic() < end
            assert replica.is_alive()
            replica.join(0.02)
    finally:
        os.kill(replica.pid or 0, signal.SIGKILL)
        replica.join()
    other, mine = Budget("killed", SqlWindows(shared), SystemClock()), 0
    for _ in range(200):
        mine += not await other.take(ROUTE, UPDATE)

    assert taken.value - 1000 == 31
    assert 31 + mine <= 100
    assert mine >= 100 - 31 - 5  # a lease is at most a twentieth
