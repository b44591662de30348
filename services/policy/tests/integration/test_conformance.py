"""One conformance suite for the port `Store`, over memory and SQL."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from libs.db.engine import Database
from libs.decision.rows import User
from libs.kernel.ids import AccountId
from services.policy.adapters.memory import MemoryStore
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.ports import OBJECT, RELATIONSHIP, LogRow, Store, Transaction, TypeRow
from services.policy.domain.permissions import new_permissions
from services.policy.tests.world import PRODUCT, K, L, World

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)


@pytest_asyncio.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Store]:
    yield MemoryStore() if request.param == "memory" else SqlStore(database)


@pytest_asyncio.fixture
async def world(store: Store) -> World:
    """An account of this test's own without anything in it."""
    return World(store, AccountId(f"acc-{next(_ACCOUNTS)}"))


def user_row(user_id: int, role: str = "agent", custom: int | None = None) -> User:
    return User(user_id, role, custom, (3, 1), 9)


async def raised(world: World, tx: Transaction) -> int:
    return await tx.next_revision("service:test", world.clock.now())


async def test_revisions_count_from_one_and_a_failure_takes_them_back(world: World) -> None:
    async with world.store.transaction(world.account) as tx:
        assert (await tx.state()).revision == 0
        assert [await raised(world, tx), await raised(world, tx)] == [1, 2]
    with pytest.raises(RuntimeError, match="no"):  # noqa: PT012 - the whole transaction raises
        async with world.store.transaction(world.account) as tx:
            await raised(world, tx)
            await tx.put_users([user_row(1)])
            await tx.relate([world.row(1, "p1")])
            await tx.add_type(TypeRow(OBJECT, "x1", new_permissions(), world.clock.now()))
            raise RuntimeError("no")

    async with world.store.snapshot(world.account) as tx:
        assert (await tx.state()).revision == 2
        assert await tx.users() == []
        assert await tx.relationships() == []
        assert await tx.types() == []


async def test_types_are_unique_per_kind_and_ordered_by_code_point(world: World) -> None:
    now = world.clock.now()
    rows = [TypeRow(OBJECT, key, new_permissions(), now) for key in ("a_b", "a-c", "ab", "2019-car")]
    link = TypeRow(RELATIONSHIP, "ab", new_permissions(), now, "zen:user", "ab", True)
    async with world.store.transaction(world.account) as tx:
        assert [await tx.add_type(row) for row in [*rows, link]] == [True] * 5
        assert not await tx.add_type(replace(rows[0], created_at=now + timedelta(days=1)))

    async with world.store.snapshot(world.account) as tx:
        assert [row.key for row in await tx.types(OBJECT)] == ["2019-car", "a-c", "a_b", "ab"]
        assert await tx.types(RELATIONSHIP) == [link]
        assert [row.kind for row in await tx.types()] == [OBJECT] * 4 + [RELATIONSHIP]
        assert await tx.type(OBJECT, "a_b") == rows[0]
        assert await tx.type(RELATIONSHIP, "a_b") is None


async def test_permissions_change_with_their_version_alone(world: World) -> None:
    row = TypeRow(OBJECT, PRODUCT, new_permissions(), world.clock.now())
    changed = new_permissions()
    changed["rbac"]["custom"] = {"8237": changed["rbac"]["agent"]}
    async with world.store.transaction(world.account) as tx:
        await tx.add_type(row)
        await tx.put_permissions(replace(row, permissions=changed, version=77))
        await tx.put_permissions(TypeRow(OBJECT, "ghost", changed, row.created_at))

    async with world.store.transaction(world.account) as tx:
        assert await tx.types() == [replace(row, permissions=changed, version=2)]
        await tx.delete_type(RELATIONSHIP, PRODUCT)
        assert len(await tx.types()) == 1
        await tx.delete_type(OBJECT, PRODUCT)
        assert await tx.types() == []


async def test_what_was_read_is_the_readers_own(world: World) -> None:
    async with world.store.transaction(world.account) as tx:
        await tx.add_type(TypeRow(OBJECT, PRODUCT, new_permissions(), world.clock.now()))
        (read,) = await tx.types()
        read.permissions["rbac"]["agent"]["read"] = False

    async with world.store.snapshot(world.account) as tx:
        found = await tx.type(OBJECT, PRODUCT)
        assert found is not None
        assert found.permissions == new_permissions()


async def test_users_are_added_changed_and_counted(world: World) -> None:
    big = user_row(2**53 + 1)
    async with world.store.transaction(world.account) as tx:
        assert await tx.put_users([]) == 0
        assert await tx.put_users([user_row(2), user_row(1), big, user_row(2, "admin")]) == 3
        assert await tx.put_users([user_row(1), user_row(2, "admin", 5), User(7, "end_user")]) == 2

    async with world.store.snapshot(world.account) as tx:
        everybody = [user_row(1), user_row(2, "admin", 5), User(7, "end_user"), big]
        assert await tx.users() == everybody
        assert await tx.users(after=1, limit=2) == everybody[1:3]
        assert await tx.known([2, 7, 99]) == {2: user_row(2, "admin", 5), 7: User(7, "end_user")}
        assert await tx.known([]) == {}


async def test_users_go_with_the_relationships_from_and_to_them(world: World) -> None:
    async with world.store.transaction(world.account) as tx:
        await tx.put_users([user_row(1), user_row(11)])
        rows = [world.row(1, "p1"), world.row("p1", "zen:user:1"), world.row(11, "p1"), world.row(9, "1")]
        await tx.relate(rows)
        assert await tx.remove_users([]) == (0, 0)
        assert await tx.remove_users([1, 404]) == (1, 2)

    async with world.store.snapshot(world.account) as tx:
        assert await tx.users() == [user_row(11)]
        assert await tx.relationships() == rows[2:]


async def test_relationships_are_unique_by_their_ends_and_type(world: World) -> None:
    first, same = world.row(1, "p1"), world.row(1, "p1")
    other_type, other_end = world.row(1, "p1", L), world.row(1, "p2")
    async with world.store.transaction(world.account) as tx:
        assert await tx.relate([]) == 0
        assert await tx.relate([first, same, other_type]) == 2
        assert await tx.relate([same, other_end]) == 1

    async with world.store.snapshot(world.account) as tx:
        assert await tx.relationships() == [first, other_type, other_end]
        assert await tx.relationship(first.id) == first
        assert await tx.relationship(same.id) is None


async def test_a_relationship_that_has_expired_is_replaced_and_one_that_lives_stays(world: World) -> None:
    hour = timedelta(hours=1)
    ending = world.row(1, "p1", expires_at=world.clock.now() + hour)
    lasting = world.row(1, "p2", expires_at=world.clock.now() + 2 * hour)
    async with world.store.transaction(world.account) as tx:
        await tx.relate([ending, lasting])
    world.clock.advance(hour)
    again = [world.row(1, "p1"), world.row(1, "p2")]

    async with world.store.transaction(world.account) as tx:
        assert await tx.relate(again) == 1
        assert await tx.relationships() == [lasting, again[0]]


async def test_relationships_are_deleted_by_their_ends_or_id(world: World) -> None:
    rows = [world.row(1, "p1"), world.row(1, "p1", L), world.row(2, "p1")]
    async with world.store.transaction(world.account) as tx:
        await tx.relate(rows)
        assert await tx.unrelate([]) == 0
        assert await tx.unrelate([world.row(1, "p1"), world.row(1, "p1"), world.row(7, "p1")]) == 1
        assert await tx.delete_relationship(rows[2].id)
        assert not await tx.delete_relationship(rows[2].id)

    async with world.store.snapshot(world.account) as tx:
        assert await tx.relationships() == [rows[1]]


async def test_relationships_are_filtered_and_paged_by_id(world: World) -> None:
    rows = [world.row(1, "p1"), world.row(1, "p2", L), world.row(2, "p1"), world.row(2, "p3")]
    async with world.store.transaction(world.account) as tx:
        await tx.relate(rows)

    async with world.store.snapshot(world.account) as tx:
        assert await tx.relationships(types=[K]) == [rows[0], rows[2], rows[3]]
        assert await tx.relationships(types=[]) == []
        assert await tx.relationships(types=[K, L], source="zen:user:1") == rows[:2]
        assert await tx.relationships(target="p1") == [rows[0], rows[2]]
        assert await tx.relationships(after=rows[1].id, limit=1) == [rows[2]]


async def test_relationships_are_found_by_either_end_and_by_both(world: World) -> None:
    rows = [world.row(1, "p1"), world.row(1, "p1", L), world.row(1, "p2", L), world.row(2, "p1")]
    async with world.store.transaction(world.account) as tx:
        await tx.relate(rows)

    async with world.store.snapshot(world.account) as tx:
        assert await tx.from_sources([L], ["zen:user:1", "zen:user:2"]) == rows[1:3]
        assert await tx.from_sources([K, L], ["zen:user:1"]) == rows[:3]
        assert await tx.to_targets([K], ["p1", "p2"]) == [rows[0], rows[3]]
        for nothing in (
            tx.from_sources([K], []),
            tx.from_sources([], ["zen:user:1"]),
            tx.to_targets([], ["p1"]),
        ):
            assert await nothing == []
        pairs = {("zen:user:1", "p1"), ("p1", "zen:user:1"), ("zen:user:2", "p2")}
        assert sorted(row.id for row in await tx.between(pairs)) == [rows[0].id, rows[1].id]
        assert await tx.between([]) == []
        assert [await tx.has_more_relationships_than(n) for n in (3, 4)] == [True, False]


async def test_the_log_is_kept_once_and_read_from_the_newest(world: World) -> None:
    def logged(user: int | None) -> LogRow:
        now = world.clock.now()
        rule = ("edge", f"rebac/{K}:agent", "rel-1", "0af7", 12, 3)
        return LogRow(world.ids.new("log"), now, user, "read", PRODUCT, "p1", True, "RBAC", 4, *rule)

    rows = [logged(1), logged(2), logged(None), logged(1)]
    await world.store.log([])
    await world.store.log([(world.account, row) for row in rows])
    await world.store.log([(world.account, rows[0]._replace(allowed=False)), (AccountId("acc-x"), rows[0])])

    async with world.store.snapshot(world.account) as tx:
        assert await tx.logged("", 10, None) == rows[::-1]
        assert await tx.logged(rows[2].id, 1, None) == [rows[1]]
        assert await tx.logged("", 10, 1) == [rows[3], rows[0]]


async def test_accounts_see_and_touch_nothing_of_each_other(world: World) -> None:
    other = World(world.store, AccountId(f"{world.account}-other"))
    row, now = TypeRow(OBJECT, PRODUCT, new_permissions(), world.clock.now()), world.clock.now()
    relationship = world.row(1, "p1")
    log = LogRow("log-1", now, 1, "read", PRODUCT, "p1", True, "RBAC", 1)
    async with world.store.transaction(world.account) as tx:
        await raised(world, tx)
        await tx.add_type(row)
        await tx.put_users([user_row(1)])
        await tx.relate([relationship])
    await world.store.log([(world.account, log)])

    async with other.store.transaction(other.account) as tx:
        assert (
            (await tx.state()).revision,
            await tx.types(),
            await tx.users(),
            await tx.relationships(),
        ) == (
            0,
            [],
            [],
            [],
        )
        assert await tx.type(OBJECT, PRODUCT) is None
        assert await tx.known([1]) == {}
        assert await tx.relationship(relationship.id) is None
        assert await tx.between({("zen:user:1", "p1")}) == []
        assert await tx.from_sources([K], ["zen:user:1"]) == await tx.to_targets([K], ["p1"]) == []
        assert await tx.changes(0, 9) == []
        assert await tx.log_of(0, 9) == []
        assert await tx.logged("", 9, None) == []
        await tx.put_permissions(replace(row, permissions={"rbac": {}, "rebac": {}}))
        await tx.delete_type(OBJECT, PRODUCT)
        assert await tx.remove_users([1]) == (0, 0)
        assert await tx.unrelate([relationship]) == 0
        assert not await tx.delete_relationship(relationship.id)
        assert await tx.relate([relationship]) == 1

    async with world.store.snapshot(world.account) as tx:
        assert ((await tx.state()).revision, await tx.types(), await tx.users()) == (1, [row], [user_row(1)])
        assert await tx.relationships() == [relationship]
        assert await tx.logged("", 9, None) == [log]


async def test_the_use_cases_run_on_either_store(store: Store) -> None:
    world = await World.fresh(store, AccountId(f"acc-{next(_ACCOUNTS)}"))
    await world.patch({"rbac": {"end_user": {"read": True}}, "rebac": {K: {"end_user": {"update": True}}}})
    await world.relate(5, "p1")

    assert await world.rights(5, "p1") == "FTTF"
    assert await world.rights(5, "p2") == "FTFF"
    rows, _ = await world.use.read_log(world.account, 5, before="", limit=100)
    assert len(rows) == 8
