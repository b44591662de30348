"""Transactions: what commits, what rolls back, and which failures have a name."""

import asyncio

import psycopg
import pytest
from sqlalchemy import exc, text

from libs.db.engine import Database
from libs.db.failures import constraint
from libs.kernel.errors import ConcurrentChangeError, DependencyUnavailableError, OverloadedError
from libs.testing.postgres import FreshDatabase

pytestmark = pytest.mark.integration


async def add(database: Database, identity: int) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO widgets VALUES ('a', :id)"), {"id": identity})


async def count(database: Database, identity: int) -> int:
    async with database.transaction(read_only=True) as connection:
        query = text("SELECT count(*) FROM widgets WHERE id = :id")
        return int((await connection.execute(query, {"id": identity})).scalar_one())


async def test_a_clean_exit_commits_and_an_exception_rolls_back(database: Database) -> None:
    await add(database, 1)
    with pytest.raises(RuntimeError, match="no"):  # noqa: PT012 - the whole transaction raises
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO widgets VALUES ('a', 2)"))
            raise RuntimeError("no")

    assert await count(database, 1) == 1
    assert await count(database, 2) == 0


async def test_a_unique_violation_stays_an_integrity_error_with_its_constraint(database: Database) -> None:
    await add(database, 3)

    with pytest.raises(exc.IntegrityError) as caught:
        await add(database, 3)

    assert constraint(caught.value) == "widgets_pkey"


async def test_a_serialization_failure_is_a_concurrent_change(database: Database) -> None:
    await add(database, 4)
    with pytest.raises(ConcurrentChangeError):  # noqa: PT012 - the whole transaction raises
        async with database.transaction(isolation="REPEATABLE READ") as first:
            await first.execute(text("SELECT 1 FROM widgets"))
            async with database.transaction() as second:
                await second.execute(text("UPDATE widgets SET colour = 'red' WHERE id = 4"))
            await first.execute(text("UPDATE widgets SET colour = 'blue' WHERE id = 4"))

    async with database.transaction(isolation="SERIALIZABLE") as connection:
        assert (await connection.execute(text("SHOW transaction_isolation"))).scalar_one() == "serializable"
    async with database.transaction() as connection:
        assert (await connection.execute(text("SHOW transaction_isolation"))).scalar_one() == "read committed"


async def test_a_deadlock_is_a_concurrent_change_for_one_of_the_two(database: Database) -> None:
    await add(database, 5)
    await add(database, 6)
    both = asyncio.Barrier(2)

    async def paint(first: int, second: int) -> None:
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE widgets SET colour = 'x' WHERE id = :id"), {"id": first})
            await both.wait()
            await connection.execute(text("UPDATE widgets SET colour = 'x' WHERE id = :id"), {"id": second})

    results = await asyncio.gather(paint(5, 6), paint(6, 5), return_exceptions=True)

    assert [type(result) for result in results if result is not None] == [ConcurrentChangeError]


async def test_a_read_only_transaction_refuses_writes(database: Database) -> None:
    with pytest.raises(exc.InternalError, match="read-only"):
        async with database.transaction(read_only=True) as connection:
            await connection.execute(text("INSERT INTO widgets VALUES ('a', 7)"))


async def test_a_slow_statement_is_ended_by_the_database(fresh_database: FreshDatabase) -> None:
    database = Database(fresh_database(None), statement_timeout_seconds=0.05)
    with pytest.raises(DependencyUnavailableError):
        async with database.transaction() as connection:
            await connection.execute(text("SELECT pg_sleep(10)"))
    await database.close()


async def test_a_full_pool_sheds_the_call(fresh_database: FreshDatabase) -> None:
    database = Database(fresh_database(None), 1, pool_timeout_seconds=0.05)
    async with database.transaction():
        with pytest.raises(OverloadedError):
            await database.ping()
    await database.ping()
    await database.close()


async def test_a_database_that_is_away_is_told_and_used_again_when_it_is_back(
    fresh_database: FreshDatabase,
) -> None:
    url = fresh_database(None)
    database = Database(url)
    with pytest.raises(DependencyUnavailableError):  # noqa: PT012 - the whole transaction raises
        async with database.transaction() as connection:
            backend = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (backend,))
            await connection.execute(text("SELECT 1"))

    await database.ping()
    await database.close()


async def test_nobody_there_is_unavailable_without_the_password_in_the_text() -> None:
    database = Database("postgresql://policy:secret@127.0.0.1:1/policy")

    with pytest.raises(DependencyUnavailableError) as caught:
        await database.ping()

    assert "secret" not in f"{caught.value} {database!r}"
    await database.close()


async def test_a_cancelled_caller_does_not_lose_a_commit_that_began(database: Database) -> None:
    began = asyncio.Event()

    async def write() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO widgets VALUES ('a', 8)"))
            began.set()

    task = asyncio.create_task(write())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await count(database, 8) == 1


async def test_closing_waits_for_what_is_in_use_and_leaves_no_connection_behind(
    fresh_database: FreshDatabase,
) -> None:
    other, begun, go_on = Database(fresh_database(None)), asyncio.Event(), asyncio.Event()
    used: list[psycopg.AsyncConnection] = []

    async def work() -> None:
        async with other.transaction() as connection:
            used.append((await connection.get_raw_connection()).driver_connection)  # type: ignore[arg-type] # psycopg's
            begun.set()
            await go_on.wait()

    working = asyncio.create_task(work())
    await begun.wait()
    go_on.set()  # it goes on when closing has begun to wait
    await other.close()

    assert used[0].closed
    await working
