"""Leases and advisory locks under two holders."""

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.locks import Lease, advisory_lock, holds_lease, release_lease, take_lease, try_advisory_lock
from libs.kernel.errors import ConcurrentChangeError

pytestmark = pytest.mark.integration


async def take(database: Database, name: str, holder: str, seconds: float = 60) -> Lease | None:
    async with database.transaction() as connection:
        return await take_lease(connection, name, holder, seconds)


async def take_soon(database: Database, name: str, holder: str) -> Lease | None:
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
        return await take_lease(connection, name, holder, 60)


async def holds(database: Database, lease: Lease) -> bool:
    async with database.transaction() as connection:
        return await holds_lease(connection, lease)


async def test_a_lease_has_one_holder(database: Database) -> None:
    first = await take(database, "one", "a")

    assert first == Lease("one", "a", 1)
    assert await take(database, "one", "b") is None
    assert await take(database, "one", "a") == first


async def test_a_lease_that_ended_goes_to_the_next_with_a_higher_fence(database: Database) -> None:
    first = await take(database, "two", "a", seconds=-1)
    second = await take(database, "two", "b")

    assert first is not None
    assert second == Lease("two", "b", 2)
    assert not await holds(database, first)
    assert await holds(database, second)


async def test_a_paused_holder_that_comes_back_gets_a_new_fence(database: Database) -> None:
    await take(database, "three", "a", seconds=-1)

    assert await take(database, "three", "a") == Lease("three", "a", 2)


async def test_a_released_lease_is_free_and_a_late_release_does_nothing(database: Database) -> None:
    first = await take(database, "four", "a")
    assert first is not None
    async with database.transaction() as connection:
        await release_lease(connection, first)
    second = await take(database, "four", "b")
    assert second is not None

    async with database.transaction() as connection:
        await release_lease(connection, first)

    assert await holds(database, second)


async def test_a_lease_that_is_checked_cannot_be_taken_before_the_commit(database: Database) -> None:
    lease = await take(database, "five", "a")
    assert lease is not None
    async with database.transaction() as writer:
        assert await holds_lease(writer, lease)
        with pytest.raises(ConcurrentChangeError):
            await take_soon(database, "five", "a")


async def test_an_advisory_lock_ends_with_its_transaction(database: Database) -> None:
    async with database.transaction() as first, database.transaction() as second:
        await advisory_lock(first, "minute")
        assert not await try_advisory_lock(second, "minute")
        assert await try_advisory_lock(second, "hour")
    async with database.transaction() as third:
        assert await try_advisory_lock(third, "minute")
