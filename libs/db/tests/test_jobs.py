"""Durable jobs on a real queue: transactions, locks, retries, dead workers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.jobs import JobRun, Jobs
from libs.testing.postgres import FreshDatabase

pytestmark = pytest.mark.integration

MIGRATIONS = "libs.db.tests.migrations_jobs"


@pytest_asyncio.fixture
async def queue(fresh_database: FreshDatabase) -> AsyncIterator[Database]:
    database = Database(fresh_database(MIGRATIONS))
    yield database
    await database.close()


async def waiting(database: Database) -> list[str]:
    query = text("SELECT task_name FROM jobs.procrastinate_jobs WHERE task_name LIKE 'test.%' ORDER BY id")
    async with database.transaction() as connection:
        return list((await connection.execute(query)).scalars())


class Worked:
    """Collects runs, and lets a test wait for them."""

    def __init__(self, failures: int = 0) -> None:
        self.runs: list[JobRun] = []
        self.failures = failures
        self.done = asyncio.Event()

    async def __call__(self, run: JobRun) -> None:
        self.runs.append(run)
        if len(self.runs) <= self.failures:
            raise ValueError("not yet")
        self.done.set()


async def work_until(jobs: Jobs, event: asyncio.Event) -> None:
    worker = asyncio.create_task(jobs.work())
    try:
        async with asyncio.timeout(20):
            await event.wait()
    finally:
        worker.cancel()
        await asyncio.wait([worker])


async def test_a_job_is_worked_off_once_and_leaves_no_row(queue: Database) -> None:
    jobs, worked = Jobs(queue.url, "test", poll_seconds=0.1), Worked()
    jobs.register("test.step", worked)
    async with queue.transaction() as connection:
        assert await jobs.defer(connection, "test.step", {"request": "r-1"})

    await work_until(jobs, worked.done)

    assert [(run.attempt, run.arguments) for run in worked.runs] == [(0, {"request": "r-1"})]
    assert await waiting(queue) == []


async def test_a_rolled_back_transaction_takes_its_job_away(queue: Database) -> None:
    jobs = Jobs(queue.url, "test", poll_seconds=0.1)
    jobs.register("test.step", Worked())

    with pytest.raises(RuntimeError, match="no"):  # noqa: PT012 - the whole transaction raises
        async with queue.transaction() as connection:
            await jobs.defer(connection, "test.step", {})
            raise RuntimeError("no")

    assert await waiting(queue) == []


async def test_a_second_waiting_job_with_the_same_key_is_not_made_and_the_transaction_lives(
    queue: Database,
) -> None:
    jobs = Jobs(queue.url, "test", poll_seconds=0.1)
    jobs.register("test.step", Worked())

    async with queue.transaction() as connection:
        made = [await jobs.defer(connection, "test.step", {}, unless_waiting="k") for _ in range(2)]
        await connection.execute(text("INSERT INTO seen VALUES ('k', 1)"))

    assert made == [True, False]
    assert await waiting(queue) == ["test.step"]


async def test_a_job_that_raises_runs_again_with_a_higher_attempt(queue: Database) -> None:
    jobs, worked = Jobs(queue.url, "test", poll_seconds=0.1), Worked(failures=1)
    jobs.register("test.step", worked, backoff_base=0)
    async with queue.transaction() as connection:
        await jobs.defer(connection, "test.step", {})

    await work_until(jobs, worked.done)

    assert [run.attempt for run in worked.runs] == [0, 1]


async def test_a_dead_workers_job_is_given_to_a_live_one_by_one_rescuer(queue: Database) -> None:
    jobs, worked = Jobs(queue.url, "test", poll_seconds=0.1), Worked()
    jobs.register("test.step", worked)
    async with queue.transaction() as connection:
        await jobs.defer(connection, "test.step", {}, lock="l")
        await connection.execute(text("UPDATE jobs.procrastinate_jobs SET status = 'doing', attempts = 0"))

    rescuer = asyncio.create_task(jobs.rescue())
    await work_until(jobs, worked.done)
    rescuer.cancel()
    await asyncio.wait([rescuer])

    assert len(worked.runs) == 1
    assert await waiting(queue) == []
