"""Replicas find each other by leases, and share accounts out."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.locks import LEASES_DDL
from libs.db.replicas import LEASE_SECONDS, Replicas

pytestmark = pytest.mark.integration
ACCOUNTS = [f"acc-{n}" for n in range(300)]


@pytest.fixture
async def leases(database: Database) -> Database:
    async with database.transaction() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS leases"))
        await connection.execute(text(LEASES_DDL))
    return database


async def end(database: Database, replica: str) -> None:
    """Let a replica's lease run out, as if it had died a while ago."""
    async with database.transaction() as connection:
        done = await connection.execute(
            text("UPDATE leases SET expires_at = clock_timestamp() WHERE holder = :holder"),
            {"holder": replica},
        )
        assert done.rowcount == 1


def shares(*replicas: Replicas) -> Counter[int]:
    """Count how many accounts have so many owners."""
    return Counter(sum(r.owns(account) for r in replicas) for account in ACCOUNTS)


async def test_each_account_belongs_to_one_and_only_the_gone_one_s_move(leases: Database) -> None:
    a, b, c = (Replicas(leases, "routing", name) for name in "abc")
    stranger = Replicas(leases, "writing", "z")
    for _ in range(2):
        for one in (a, b, c, stranger):
            await one.beat()

    assert (a.living, stranger.living) == (("a", "b", "c"), ("z",))
    assert shares(a, b, c) == {1: 300}
    assert all(sum(map(one.owns, ACCOUNTS)) > 60 for one in (a, b, c))

    before = {account for account in ACCOUNTS if a.owns(account)}
    await end(leases, "c")
    await a.beat()
    await b.beat()
    assert shares(a, b) == {1: 300}
    assert before < {account for account in ACCOUNTS if a.owns(account)}


async def test_who_leaves_is_missed_at_once_and_who_comes_is_seen(leases: Database) -> None:
    told: list[int] = []
    a, b = Replicas(leases, "routing", "a", lambda: told.append(1)), Replicas(leases, "routing", "b")
    assert a.owns("acc-1")  # alone, as far as it knows
    await b.beat()
    await a.beat()
    assert a.living == ("a", "b")

    await b.leave()
    await a.beat()
    await a.beat()

    assert list(a.living) == ["a"]
    assert list(b.living) == []
    assert len(told) == 2
    assert all(a.owns(account) and not b.owns(account) for account in ACCOUNTS)


async def test_who_cannot_renew_its_lease_owns_nothing(leases: Database) -> None:
    now = 0.0
    a = Replicas(leases, "routing", "a", monotonic=lambda: now)
    await a.beat()
    now = LEASE_SECONDS - 1
    assert a.owns("acc-1")

    now = LEASE_SECONDS
    assert not a.owns("acc-1")


async def test_a_cancelled_one_leaves(leases: Database) -> None:
    seen = asyncio.Event()
    a = Replicas(leases, "routing", "a", seen.set)
    await Replicas(leases, "routing", "b").beat()
    task = asyncio.create_task(a.run())
    await asyncio.wait_for(seen.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    b = Replicas(leases, "routing", "b")
    await b.beat()
    assert b.living == ("b",)
