"""The past, on either store: what came and went, what was alive, what is forgotten."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from libs.db.engine import Database
from libs.decision.rows import Change, ObjectRow, Row, TypeRow, User
from libs.kernel.ids import AccountId
from services.policy.adapters.memory import MemoryStore
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.ports import (
    OBJECT,
    RELATIONSHIP,
    AccountSettings,
    LogRow,
    Reading,
    State,
    Store,
    Transaction,
    Written,
)
from services.policy.domain.permissions import new_permissions
from services.policy.tests.world import PRODUCT, K, L, World

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Store]:
    yield MemoryStore() if request.param == "memory" else SqlStore(database)


@pytest_asyncio.fixture
async def world(store: Store) -> World:
    """An account of this test's own without anything in it."""
    return World(store, AccountId(f"acc-{next(_ACCOUNTS)}"))


async def raised(world: World, tx: Transaction, actor: str = "service:test") -> int:
    return await tx.next_revision(actor, world.clock.now())


async def everything(tx: Reading, at: int | None = None) -> list[Row]:
    rows = [row async for part in tx.every_relationship(at=at) for row in part]
    return [
        *await tx.types(at=at),
        *await tx.users(at=at),
        *await tx.objects(at=at),
        *sorted(rows, key=lambda row: row.id),
    ]


def product(world: World, key: str = PRODUCT) -> TypeRow:
    return TypeRow(OBJECT, key, new_permissions(), world.clock.now())


async def test_every_revision_is_alive_as_it_was(world: World) -> None:
    kind, link = (
        product(world),
        TypeRow(RELATIONSHIP, K, new_permissions(), world.clock.now(), "zen:user", PRODUCT),
    )
    row, other = world.row(1, "p1"), world.row(2, "p1", L)
    changed = replace(
        kind, permissions={**kind.permissions, "rebac": {K: {}}}, extensions={"policies": {}}, version=2
    )
    kept: dict[int, list[Row]] = {}
    async with world.store.transaction(world.account) as tx:  # 1
        await raised(world, tx)
        await tx.add_type(kind)
        await tx.add_type(link)
        await tx.put_users([User(1, "agent"), User(2, "end_user")])
        await tx.put_objects([ObjectRow(PRODUCT, "p1", {"n": 1})])
        await tx.relate([row, other])
        kept[1] = await everything(tx)
    async with world.store.transaction(world.account) as tx:  # 2: everything changes
        await raised(world, tx)
        await tx.put_permissions(changed)
        await tx.put_users([User(1, "agent", 8237, (4,), 9)])
        await tx.put_objects([ObjectRow(PRODUCT, "p1", {"n": 2}), ObjectRow(PRODUCT, "p2")])
        await tx.unrelate([row])
        kept[2] = await everything(tx)
    async with world.store.transaction(world.account) as tx:  # 3: everything goes
        await raised(world, tx)
        await tx.remove_users([1, 2])
        await tx.delete_objects([(PRODUCT, "p1")], [link])
        await tx.delete_type(RELATIONSHIP, K)
        kept[3] = await everything(tx)

    assert kept[3] == [changed, ObjectRow(PRODUCT, "p2")]
    async with world.store.snapshot(world.account) as tx:
        assert await everything(tx, 0) == []
        for revision, rows in kept.items():
            assert (revision, await everything(tx, revision)) == (revision, rows)
        assert await tx.known([1, 2], at=2) == {1: User(1, "agent", 8237, (4,), 9), 2: User(2, "end_user")}
        assert await tx.users(after=1, limit=1, at=1) == [User(2, "end_user")]
        assert await tx.objects([PRODUCT], ["p1"], at=2) == [ObjectRow(PRODUCT, "p1", {"n": 2})]
        assert await tx.from_sources([K, L], ["zen:user:1"], at=1) == [row]
        assert await tx.from_sources([K, L], ["zen:user:1"], at=2) == []
        assert await tx.to_targets([K, L], ["p1"], at=2) == [other]
        assert await tx.between([("zen:user:1", "p1")], at=1) == [row]
        assert await tx.relationships(at=1) == [row, other]
        assert await tx.relationships(types=[L], source="zen:user:2", after=row.id, limit=1, at=2) == [other]


async def test_changes_lead_from_any_revision_to_any_later_one(world: World) -> None:
    """What went stands first in its revision, and applying them to the one gives the other."""
    row, again = world.row(1, "p1"), world.row(1, "p1")
    steps: list[list[Change]] = []

    def told(*changes: Change) -> None:
        steps.append(list(changes))

    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.put_users([User(1, "agent"), User(2, "agent")])
        await tx.relate([row])
        told(Change(1, User(1, "agent")), Change(1, User(2, "agent")), Change(1, row))
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.put_users([User(1, "admin")])
        told(Change(2, User(1, "agent"), gone=True), Change(2, User(1, "admin")))
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.put_settings(AccountSettings(history_days=7))
        told()
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.unrelate([row])
        await tx.relate([again])
        told(Change(4, row, gone=True), Change(4, again))
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.put_objects([ObjectRow(PRODUCT, "p1")])
        await tx.delete_objects([(PRODUCT, "p1")], [])  # of this very revision: nobody ever saw it
        await tx.remove_users([2])
        told(Change(5, User(2, "agent"), gone=True))

    async with world.store.snapshot(world.account) as past:
        for after, to in itertools.combinations(range(6), 2):
            found = await past.changes(after, to)
            places = [(change.revision, not change.gone) for change in found]
            assert places == sorted(places)
            expected = [change for step in steps[after:to] for change in step]
            assert sorted(map(repr, found)) == sorted(map(repr, expected))
        assert await past.changes(5, 5) == []


async def test_who_wrote_which_revision_and_when(world: World) -> None:
    start = world.clock.now()
    for number in range(1, 4):
        async with world.store.transaction(world.account) as tx:
            await raised(world, tx, f"user:{number}")
        world.clock.advance(HOUR)

    async with world.store.snapshot(world.account) as tx:
        assert await tx.written(2) == Written(2, start + HOUR, "user:2")
        assert await tx.written(4) is None
        assert [one.actor for one in await tx.log_of(1, 3)] == ["user:2", "user:3"]
        asked = (start - HOUR, start, start + HOUR * 1.5, start + HOUR * 99)
        assert [await tx.revision_at(instant) for instant in asked] == [None, 1, 2, 3]


async def test_what_only_older_revisions_need_is_forgotten(world: World) -> None:
    for number in range(1, 5):
        async with world.store.transaction(world.account) as tx:
            await raised(world, tx)
            await tx.put_users([User(1, "agent", number)])
            await tx.put_objects([ObjectRow(PRODUCT, "p1", {"n": number})])
    async with world.store.transaction(world.account) as tx:
        await tx.forget_before(3)
        await tx.forget_before(2)  # what is forgotten stays so

    async with world.store.snapshot(world.account) as tx:
        assert await tx.state() == State(4, oldest=3)
        assert await everything(tx, 3) == [User(1, "agent", 3), ObjectRow(PRODUCT, "p1", {"n": 3})]
        assert await everything(tx) == [User(1, "agent", 4), ObjectRow(PRODUCT, "p1", {"n": 4})]
        assert {change.row for change in await tx.changes(3, 4) if isinstance(change.row, User)} == {
            User(1, "agent", 3),
            User(1, "agent", 4),
        }
        assert await tx.written(2) is None
        assert [one.revision for one in await tx.log_of(0, 9)] == [3, 4]


async def test_ended_relationships_go_in_parts_oldest_end_first(world: World) -> None:
    now = world.clock.now()
    rows = [world.row(1, f"p{n}", expires_at=now + HOUR * n) for n in (3, 1, 2)] + [world.row(1, "p9")]
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.relate(rows)
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        assert [await tx.has_ended(now), await tx.has_ended(now + 3 * HOUR)] == [False, True]
        assert await tx.expire(now, 10) == 0
        assert await tx.expire(now + 3 * HOUR, 2) == 2
        assert await tx.relationships() == [rows[0], rows[3]]

    async with world.store.snapshot(world.account) as tx:
        assert [change.gone for change in await tx.changes(1, 2)] == [True, True]
        assert await tx.relationships(at=1) == rows


async def test_object_records_are_put_listed_and_go_with_their_relationships(world: World) -> None:
    ends = [
        TypeRow(RELATIONSHIP, K, new_permissions(), world.clock.now(), "zen:user", PRODUCT, True),
        TypeRow(RELATIONSHIP, L, new_permissions(), world.clock.now(), PRODUCT, "car", True),
    ]
    records = [
        ObjectRow("car", "p1"),
        *(ObjectRow(PRODUCT, r, {"n": {"deep": [1, None]}}) for r in ("P1", "p1", "ä")),
    ]
    rows = [world.row(1, "p1"), world.row("p1", "c1", L), world.row("c1", "p1", L), world.row(1, "p2")]
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        assert await tx.put_objects([]) == 0
        assert await tx.put_objects([*records, ObjectRow(PRODUCT, "ä"), records[3]]) == 4
        assert await tx.put_objects([ObjectRow(PRODUCT, "p1", {"n": 2}), records[0]]) == 1
        assert await tx.put_objects([records[2]]) == 1
        await tx.relate(rows)

    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        assert await tx.objects() == records
        assert await tx.objects(["car"]) == records[:1]
        assert await tx.objects([]) == []
        assert await tx.objects(ids=["p1"]) == [records[0], records[2]]
        assert await tx.objects(after=("car", "p1"), limit=2) == records[1:3]
        assert await tx.delete_objects([], ends) == 0
        assert await tx.delete_objects([(PRODUCT, "p1"), (PRODUCT, "p3")], ends) == 3
        assert await tx.objects() == [records[0], records[1], records[3]]
        assert await tx.relationships() == [rows[2], rows[3]], "p1 of a car is another record"


async def test_settings_have_defaults_and_count_their_versions(world: World) -> None:
    settings = AccountSettings(True, 7, 8, 0.25, (PRODUCT, "*"))
    async with world.store.transaction(world.account) as tx:
        assert ((await tx.settings()), (await tx.settings()).version) == (AccountSettings(), 0)
        await tx.put_settings(AccountSettings(history_days=5))
        await tx.put_settings(settings)

    async with world.store.snapshot(world.account) as tx:
        assert ((await tx.settings()), (await tx.settings()).version) == (settings, 2)


async def test_old_decisions_are_forgotten_oldest_first(world: World) -> None:
    now = world.clock.now()
    rows = [
        LogRow(f"log-{n}", now + HOUR * n, 1, "read", PRODUCT, "p1", True, "RBAC", 1) for n in (2, 0, 1, 3)
    ]
    await world.store.log([(world.account, row) for row in rows])
    async with world.store.transaction(world.account) as tx:
        assert await tx.forget_decisions(now + HOUR * 3, 2) == 2
        assert await tx.logged("", 9, None) == [rows[3], rows[0]]
        assert await tx.forget_decisions(now + HOUR * 3, 2) == 1
        assert await tx.forget_decisions(now + HOUR * 3, 2) == 0


async def test_the_counters_of_all_accounts_are_told_at_once(world: World) -> None:
    other = World(world.store, AccountId(f"{world.account}-2"))
    for one, times in ((world, 2), (other, 1)):
        for _ in range(times):
            async with one.store.transaction(one.account) as tx:
                await raised(one, tx)

    everybody = await world.store.revisions()
    assert (everybody[world.account], everybody[other.account]) == (2, 1)
    assert await world.store.revisions([other.account, AccountId("acc-none")]) in (
        {other.account: 1},
        {other.account: 1, AccountId("acc-none"): 0},
    )
    assert await world.store.revisions([]) == {}
