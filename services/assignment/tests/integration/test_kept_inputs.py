"""Inputs of rounds in PostgreSQL: few bytes, the snapshots themselves, whatever is rolled back, forgotten or full."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.inputs import BASE_HOURS, FEW_AGENTS, Bases, Kept, SqlInputs
from services.assignment.domain.inputs import digest, dump
from services.assignment.domain.model import Agent, Queue, Snapshot, Ticket
from services.assignment.domain.patches import Base
from services.assignment.tests.store_conformance import T0, later

pytestmark = pytest.mark.integration
MANY = 100
KIND = {True: "whole", False: "patch"}


class UndoneError(Exception):
    """Raised to roll back."""


def world(agents: Sequence[Agent], at: datetime = T0, queue: str = "q") -> Snapshot:
    return Snapshot(list(agents), [Ticket(1, at, 7)], Queue(queue), as_of=at)


def people(number: int = MANY) -> list[Agent]:
    return [Agent(n, frozenset({7}), open_count=n % 5) for n in range(1, number + 1)]


def busier(agents: Sequence[Agent], *those: int) -> list[Agent]:
    """Return agents of whom some have one more ticket."""
    return [replace(a, open_count=a.open_count + 1) if a.id in those else a for a in agents]


class Replica:
    """The inputs of an account, as one replica or several keep and read them."""

    def __init__(self, database: Database, account: AccountId) -> None:
        self.database, self.account, self.bases = database, account, Bases()

    async def keep(self, snapshot: Snapshot, *, undone: bool = False) -> str:
        assert snapshot.as_of is not None
        async with self.database.transaction() as connection:
            kept = SqlInputs(connection, self.account, self.bases)
            key = await kept.keep(snapshot, snapshot.as_of)
            assert await kept.load(key) == snapshot
            if undone:
                await connection.rollback()
        return key

    async def kind(self, snapshot: Snapshot) -> str:
        """Keep a snapshot; return whether it is kept whole or as a patch."""
        key = await self.keep(snapshot)
        return (await self.rows())[key]

    async def load(self, key: str, bases: Bases | None = None) -> Snapshot | None:
        async with self.database.transaction() as connection:
            return await SqlInputs(connection, self.account, bases or Bases()).load(key)

    async def forget(self, before: datetime, limit: int = 100) -> int:
        async with self.database.transaction() as connection:
            return await SqlInputs(connection, self.account, self.bases).forget(before, limit)

    async def rows(self) -> dict[str, str]:
        """Return what is kept: `whole`, `patch`, by digest."""
        async with self.database.transaction() as connection:
            found = await connection.execute(
                text(
                    "SELECT digest, base IS NULL AS whole FROM inputs WHERE account = :a ORDER BY at, digest"
                ),
                {"a": self.account},
            )
            return {row.digest: KIND[row.whole] for row in found}

    async def change(self, statement: str, **values: object) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(text(statement), {"a": self.account, **values})


@pytest.fixture
def kept(database: Database, account: AccountId) -> Replica:
    return Replica(database, account)


async def test_rounds_of_a_queue_keep_what_changed(kept: Replica) -> None:
    agents = people()
    first = await kept.keep(world(agents))
    second = await kept.keep(world(busier(agents, 3, 4)[:-1], later(1)))
    other = await kept.keep(world(agents, later(2), "other"))

    assert await kept.rows() == {first: "whole", second: "patch", other: "whole"}
    found = await kept.load(second)
    assert found == world(busier(agents, 3, 4)[:-1], later(1))


async def test_a_patch_is_a_small_part_of_the_whole(kept: Replica) -> None:
    dice = random.Random(1)
    agents = [replace(a, credit=dice.randint(-(10**6), 10**6)) for a in people(1000)]
    await kept.keep(world(agents))
    await kept.keep(world(busier(agents, 500), later(1)))

    async with kept.database.transaction() as connection:
        sizes = await connection.execute(
            text("SELECT length(snapshot) AS n FROM inputs WHERE account = :a ORDER BY at"),
            {"a": kept.account},
        )
        whole, patch = [row.n for row in sizes]
    assert patch < whole / 20


async def test_few_agents_are_kept_whole_and_nobody_leans_on_them(kept: Replica) -> None:
    agents = people()
    first = await kept.keep(world(agents))
    pull = await kept.keep(world(agents[:1], later(1)))
    few = await kept.keep(world(agents[: FEW_AGENTS - 1], later(2)))
    last = await kept.keep(world(busier(agents, 1), later(3)))

    assert await kept.rows() == {first: "whole", pull: "whole", few: "whole", last: "patch"}


async def test_a_new_base_when_much_is_new_or_much_was_said_or_the_base_is_old(kept: Replica) -> None:
    agents, quarter, more = people(), range(1, MANY // 4 + 1), range(1, MANY // 4 + 2)
    assert await kept.kind(world(agents)) == "whole"
    assert await kept.kind(world(busier(agents, *quarter), later(1))) == "patch"
    agents = busier(agents, *more)
    assert await kept.kind(world(agents, later(2))) == "whole"
    # Each says something new of a quarter, so that four of them come to the size of the base.
    kinds = [await kept.kind(world(busier(agents, *quarter), later(3 + n))) for n in range(6)]
    assert kinds == ["patch"] * 4 + ["whole", "patch"]
    old = later(3 + 4) + timedelta(hours=BASE_HOURS)
    assert await kept.kind(world(agents, old - timedelta(seconds=1))) == "patch"
    assert await kept.kind(world(agents, old)) == "whole"


async def test_a_base_that_was_rolled_back_carries_nothing(kept: Replica) -> None:
    agents = people()
    undone = await kept.keep(world(agents), undone=True)
    assert kept.bases.get(kept.account, undone) is not None
    key = await kept.keep(world(busier(agents, 1), later(1)))
    after = await kept.keep(world(busier(agents, 2), later(2)))

    assert await kept.rows() == {key: "whole", after: "patch"}


async def test_another_replica_leans_on_the_base_that_is_there(kept: Replica) -> None:
    agents = people()
    first = await kept.keep(world(agents))
    other = Replica(kept.database, kept.account)
    second = await other.keep(world(busier(agents, 1), later(1)))
    too_old = Replica(kept.database, kept.account)
    third = await too_old.keep(world(agents, later(0) + timedelta(hours=BASE_HOURS)))

    assert await kept.rows() == {first: "whole", second: "patch", third: "whole"}
    assert (
        await kept.load(second, kept.bases) == await kept.load(second) == world(busier(agents, 1), later(1))
    )


async def test_a_base_is_forgotten_after_its_last_patch(kept: Replica) -> None:
    agents = people()
    first = await kept.keep(world(agents))
    patches = [await kept.keep(world(busier(agents, n), later(n))) for n in (1, 2)]

    assert await kept.forget(later(1)) == 0
    assert await kept.forget(later(2)) == 1
    assert await kept.rows() == {first: "whole", patches[1]: "patch"}
    assert await kept.load(patches[1]) == world(busier(agents, 2), later(2))
    with pytest.raises(IntegrityError, match="inputs_lean"):
        await kept.change("DELETE FROM inputs WHERE account = :a AND digest = :d", d=first)
    assert await kept.forget(later(3), 1) == 1
    assert await kept.rows() == {first: "whole"}
    assert await kept.forget(later(3)) == 1
    assert await kept.rows() == {}
    # What was forgotten is not leaned on, whatever a replica remembers.
    key = await kept.keep(world(busier(agents, 3), later(4)))
    assert await kept.rows() == {key: "whole"}


async def test_what_an_older_release_kept_whole_can_be_read_and_forgotten(kept: Replica) -> None:
    old = world(people())
    facts = dump(old)
    await kept.change(
        "INSERT INTO inputs (account, digest, snapshot, at) VALUES (:a, :d, :s, :at)",
        d=digest(facts),
        s=zlib.compress(facts.encode()),
        at=T0,
    )

    assert await kept.load(digest(facts)) == old
    assert await kept.kind(world(people(), later(1))) == "whole"
    assert await kept.forget(later(1)) == 1


@pytest.mark.parametrize(
    "forged", [zlib.compress(dump(world(people(9))).encode()), b"no text", zlib.compress(b"\xff")]
)
async def test_changed_inputs_are_no_inputs(kept: Replica, forged: bytes) -> None:
    agents = people()
    base = await kept.keep(world(agents))
    patch, other = [await kept.keep(world(busier(agents, n), later(n))) for n in (1, 2)]
    for key in (base, other):
        await kept.change(
            "UPDATE inputs SET snapshot = :s WHERE account = :a AND digest = :d", s=forged, d=key
        )

    assert [await kept.load(key) for key in (base, patch, other, "nothing")] == [None] * 4
    # A replica that remembers the base as it was still knows what the patch says.
    assert await kept.load(patch, kept.bases) == world(busier(agents, 1), later(1))
    # Nobody leans on it from now on.
    assert await Replica(kept.database, kept.account).kind(world(agents, later(3))) == "whole"


async def test_whatever_rounds_come_each_is_read_as_it_was(kept: Replica) -> None:
    """By a dice: many queues in a memory of few bases, rollbacks, replicas, agents who come, go and change."""
    dice, seen = random.Random(5), dict[str, Snapshot]()
    replicas = [kept, Replica(kept.database, kept.account)]
    for one in replicas:
        one.bases = Bases(3 * FEW_AGENTS)
    staff = {queue: people(2 * FEW_AGENTS) for queue in "abc"}
    for n in range(120):
        queue = dice.choice("abc")
        those = dice.sample(range(1, 50), dice.choice([1, 1, 2, 20]))
        agents = busier(staff[queue], *those)
        if dice.random() < 0.3:
            agents = [a for a in agents if a.id not in those] or agents
        if dice.random() < 0.3:
            agents = [*agents, Agent(100 + n, frozenset({8}))]
        undone, snapshot = dice.random() < 0.2, world(agents, later(n * dice.choice([1, 200])), queue)
        key = await dice.choice(replicas).keep(snapshot, undone=undone)
        if not undone:
            seen[key], staff[queue] = snapshot, agents

    assert set(seen) == set(await kept.rows())
    assert set((await kept.rows()).values()) == {"whole", "patch"}
    for key, snapshot in seen.items():
        assert await kept.load(key, replicas[0].bases) == await kept.load(key) == snapshot


def test_bases_go_when_there_is_no_more_room() -> None:
    bases, account = Bases(5), AccountId("acc")

    def put(name: str, agents: int, *, newest: bool = True) -> None:
        base = Base(name, [Agent(n, frozenset()) for n in range(agents)])
        bases.put(account, Kept(base, f"of {name}", T0), newest=newest)

    for name in "abc":
        put(name, 2)
        bases.get(account, "a")  # who is asked for stays
    assert [bases.get(account, name) is not None for name in "abc"] == [True, False, True]
    assert bases.newest(account, "of a") is bases.get(account, "a")
    assert bases.newest(account, "of b") is None
    put("big", 9, newest=False)
    assert [bases.get(account, name) is not None for name in ("a", "c", "big")] == [False, False, True]
    assert bases.newest(account, "of big") is None
    assert bases.get(AccountId("other"), "big") is None
