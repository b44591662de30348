"""Two writers at once on PostgreSQL: nothing is lost, and a reader sees one state."""

from __future__ import annotations

import asyncio
import itertools

import pytest
import pytest_asyncio
from sqlalchemy import text

from libs.db.engine import Database
from libs.decision.rows import User
from libs.kernel.errors import EtagMismatchError, PermissionDeniedError
from libs.kernel.ids import AccountId
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.ports import OBJECT, RELATIONSHIP, TypeRow
from services.policy.domain.errors import AlreadyExistsError
from services.policy.tests.world import PRODUCT, K, World

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest_asyncio.fixture
async def world(database: Database) -> World:
    return await World.fresh(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))


async def until_somebody_waits(database: Database) -> None:
    """Return as soon as a transaction waits for a lock."""
    async with asyncio.timeout(10):
        while True:
            async with database.transaction(read_only=True) as connection:
                if (await connection.execute(text(_WAITING))).scalar_one():
                    return


async def test_t25_patches_of_different_members_both_survive(world: World, database: Database) -> None:
    """The second begins while the first holds the account, so it must read what the first has written."""
    revision = await world.revision()
    async with world.store.transaction(world.account) as tx:
        await tx.next_revision("service:test", world.clock.now())
        row = await tx.type(OBJECT, PRODUCT)
        assert row is not None
        second = asyncio.create_task(world.patch({"rbac": {"end_user": {"read": True}}}))
        await until_somebody_waits(database)
        row.permissions["rbac"]["agent"]["delete"] = False
        await tx.put_permissions(row)
    patched = await second

    rbac = (await world.get()).permissions["rbac"]
    assert (rbac["agent"]["delete"], rbac["end_user"]["read"]) == (False, True)
    assert (await world.get()).version == patched.version == 3
    assert await world.revision() == revision + 2


async def test_many_patches_at_once_each_have_their_effect_and_revision(world: World) -> None:
    revision = await world.revision()

    await asyncio.gather(
        *(world.patch({"rbac": {"custom": {str(role): {"read": True}}}}) for role in range(1, 9))
    )

    row = await world.get()
    assert sorted(row.permissions["rbac"]["custom"]) == [str(role) for role in range(1, 9)]
    assert row.version == 9
    assert await world.revision() == revision + 8


async def test_of_two_who_read_the_same_version_one_is_refused(world: World) -> None:
    results = await asyncio.gather(
        world.patch({"rbac": {"agent": {"delete": False}}}, etag="1"),
        world.patch({"rbac": {"agent": {"update": False}}}, etag="1"),
        return_exceptions=True,
    )

    won = [result for result in results if isinstance(result, TypeRow)]
    assert [type(result) for result in results if not isinstance(result, TypeRow)] == [EtagMismatchError]
    assert await world.get() == won[0]


async def test_of_two_who_make_the_same_type_one_is_told(world: World) -> None:
    results = await asyncio.gather(
        *(world.use.types.create(world.account, OBJECT, "boat") for _ in range(2)), return_exceptions=True
    )

    assert [type(r) for r in results if isinstance(r, BaseException)] == [AlreadyExistsError]


async def test_the_first_writes_of_an_account_count_one_by_one(database: Database) -> None:
    world = World(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))

    made = await asyncio.gather(*(world.use.types.create(world.account, OBJECT, f"t{n}") for n in range(6)))

    assert sorted(revision for _, revision in made) == [1, 2, 3, 4, 5, 6]


async def test_of_two_targets_for_one_source_one_is_refused(world: World) -> None:
    await world.use.types.create(world.account, RELATIONSHIP, "main_car", source="zen:user", target="car")

    results = await asyncio.gather(
        *(world.relate(5, record, "main_car") for record in ("c1", "c2")), return_exceptions=True
    )

    assert [type(r) for r in results if isinstance(r, BaseException)] == [AlreadyExistsError]


async def test_a_snapshot_stays_what_it_was(world: World) -> None:
    async with world.store.snapshot(world.account) as tx:
        before = (await tx.state()).revision
        await world.patch({"rebac": {K: {}}})
        row = await tx.type(OBJECT, PRODUCT)
        assert row is not None
        assert ((await tx.state()).revision, row.version) == (before, 1)

    assert await world.revision() == before + 1


async def test_a_right_that_is_taken_while_a_write_waits_is_gone(world: World, database: Database) -> None:
    """The new-enemy problem on our own write path: it was allowed before the lock, and must not be after it."""
    write = world.use.write_relationships.create(
        world.account, world.row(5, "p1"), User(2, "agent"), validate_only=False
    )
    async with world.store.transaction(world.account) as tx:
        await tx.next_revision("service:test", world.clock.now())
        row = await tx.type(RELATIONSHIP, K)
        assert row is not None
        waiting = asyncio.create_task(write)
        await until_somebody_waits(database)
        row.permissions["rbac"]["agent"]["create"] = False
        await tx.put_permissions(row)

    with pytest.raises(PermissionDeniedError):
        await waiting
    async with world.store.snapshot(world.account) as tx:
        assert await tx.relationships() == []
