"""Relationship records and the directory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libs.decision.rows import User
from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.domain.errors import AlreadyExistsError
from services.policy.tests.world import K, World

ADMIN, AGENT, END_USER = User(1, "admin"), User(2, "agent"), User(5, "end_user")


async def listed(world: World, person: User | None = None, type_key: str = "") -> list[tuple[str, str]]:
    rows, _ = await world.use.list_relationships(
        world.account, person, type_key=type_key, source="", target="", after="", limit=100
    )
    return [(row.source, row.target) for row in rows]


async def test_a_record_is_made_once_and_stays() -> None:
    world = await World.fresh()
    row = await world.relate(5, "p1")
    revision = await world.revision()

    again = await world.relate(5, "p1", expires_at=world.clock.now() + timedelta(days=1))

    assert again == row
    assert await world.revision() == revision, "nothing changed"
    assert await listed(world) == [("zen:user:5", "p1")]


async def test_an_expired_record_is_replaced() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    old = await world.relate(5, "p1", expires_at=world.clock.now() + timedelta(hours=1))
    world.clock.advance(timedelta(hours=1))
    assert await world.rights(5) == "FFFF"

    new = await world.relate(5, "p1")

    assert new.id != old.id
    assert await world.rights(5) == "FTFF"
    assert len(await listed(world)) == 1


async def test_a_dry_run_of_a_record_changes_nothing() -> None:
    world = await World.fresh()
    revision = await world.revision()
    write = world.use.write_relationships

    _, made = await write.create(world.account, world.row(5, "p1"), None, validate_only=True)
    assert (made, await listed(world)) == (revision, [])
    row = await world.relate(5, "p1")
    deleted = await write.delete(world.account, row.id, None, validate_only=True)

    assert deleted == await world.revision() == revision + 1
    assert len(await listed(world)) == 1


async def test_of_people_the_relationship_types_policy_decides_whatever_object_type_has_the_key() -> None:
    world = await World.fresh()
    await world.use.types.create(world.account, OBJECT, K)  # its agents may do everything
    await world.patch(
        {"rbac": {"agent": {"create": False, "delete": False}, "end_user": {"create": True}}},
        kind=RELATIONSHIP,
        key=K,
    )
    write = world.use.write_relationships
    row, _ = await write.create(world.account, world.row(5, "p1"), END_USER, validate_only=False)

    with pytest.raises(PermissionDeniedError, match="create"):
        await write.create(world.account, world.row(2, "p1"), AGENT, validate_only=False)
    for person in (AGENT, END_USER):
        with pytest.raises(PermissionDeniedError, match="delete"):
            await write.delete(world.account, row.id, person, validate_only=False)
    with pytest.raises(PermissionDeniedError):
        await write.batch(world.account, [], [row], AGENT)

    assert await listed(world) == [("zen:user:5", "p1")]
    await write.delete(world.account, row.id, ADMIN, validate_only=False)
    assert await listed(world) == []


async def test_a_refused_write_stays_in_the_log() -> None:
    world = await World.fresh()
    write, row = world.use.write_relationships, await world.relate(5, "p1")

    with pytest.raises(PermissionDeniedError):
        await write.create(world.account, world.row(5, "p2"), END_USER, validate_only=False)
    with pytest.raises(PermissionDeniedError):
        await write.batch(world.account, [world.row(5, "p2")], [], END_USER)
    with pytest.raises(PermissionDeniedError):
        await write.batch(world.account, [], [row], END_USER)
    with pytest.raises(PermissionDeniedError):
        await write.delete(world.account, row.id, END_USER, validate_only=False)

    logged, _ = await world.use.read_log(world.account, None, before="", limit=10)
    assert [r.action for r in logged] == ["delete", "delete", "create", "create"]
    assert {(r.user_id, r.object_type, r.allowed) for r in logged} == {(5, f"relationship:{K}", False)}


async def test_only_admins_and_services_learn_that_a_record_is_not_there() -> None:
    world = await World.fresh()
    delete = world.use.write_relationships.delete

    for person in (ADMIN, None):
        with pytest.raises(NotFoundError):
            await delete(world.account, "rel-x", person, validate_only=False)
    with pytest.raises(PermissionDeniedError):
        await delete(world.account, "rel-x", AGENT, validate_only=False)


async def test_an_unknown_type_and_ends_that_do_not_fit_are_refused() -> None:
    world = await World.fresh()
    write = world.use.write_relationships

    with pytest.raises(NotFoundError) as missing:
        await write.create(world.account, world.row(5, "p1", "ghost"), None, validate_only=False)
    with pytest.raises(InvalidRequestError) as unfit:
        await write.batch(world.account, [world.row(5, "p1"), world.row("5", "zen:user:1")], [], None)

    assert missing.value.metadata == {"name": "accounts/acc-1/relationshipTypes/ghost"}
    assert [v.field for v in unfit.value.violations] == ["creates[1].source", "creates[1].target"]
    assert await listed(world) == [], "all or nothing"


async def test_a_batch_deletes_and_makes_in_one_revision() -> None:
    world = await World.fresh()
    old, kept = await world.relate(5, "p1"), await world.relate(5, "p2")
    revision = await world.revision()
    new = world.row(5, "p3")

    written = await world.use.write_relationships.batch(
        world.account, [new, new, kept], [old, world.row(9, "p9")], None
    )

    assert (written.created, written.deleted, written.revision) == (1, 1, revision + 1)
    assert await listed(world) == [("zen:user:5", "p2"), ("zen:user:5", "p3")]
    again = await world.use.write_relationships.batch(world.account, [new], [old], None)
    assert (again.created, again.deleted, again.revision) == (0, 0, revision + 1)


async def test_a_type_with_one_target_per_source_takes_no_second_one() -> None:
    world = await World.fresh()
    await world.use.types.create(
        world.account, RELATIONSHIP, "user_main_car", source="zen:user", target="car"
    )
    first = await world.relate(5, "c1", "user_main_car", expires_at=world.clock.now() + timedelta(hours=1))
    write = world.use.write_relationships

    await world.relate(5, "c1", "user_main_car")
    await world.relate(6, "c1", "user_main_car")
    with pytest.raises(AlreadyExistsError) as caught:
        await world.relate(5, "c2", "user_main_car")
    with pytest.raises(AlreadyExistsError):
        await write.batch(
            world.account,
            [world.row(7, "c1", "user_main_car"), world.row(7, "c2", "user_main_car")],
            [],
            None,
        )
    await write.batch(
        world.account, [world.row(6, "c2", "user_main_car")], [world.row(6, "c1", "user_main_car")], None
    )
    world.clock.advance(timedelta(hours=1))
    await world.relate(5, "c2", "user_main_car")

    assert caught.value.metadata == {"name": f"accounts/acc-1/relationships/{first.id}"}


async def test_records_are_listed_to_those_whose_role_reads_the_type() -> None:
    world = await World.fresh()
    await world.relate(5, "p1")
    await world.relate(5, "c1", "user_to_car")
    await world.patch(
        {"rbac": {"end_user": {"read": True}, "admin": {"read": False}}}, kind=RELATIONSHIP, key=K
    )

    assert await listed(world, END_USER) == [("zen:user:5", "p1")]
    assert await listed(world, ADMIN) == [("zen:user:5", "c1")]
    assert await listed(world, AGENT, K) == [("zen:user:5", "p1")]
    assert len(await listed(world, None)) == 2
    for person, key in ((END_USER, "user_to_car"), (ADMIN, K), (END_USER, "ghost")):
        with pytest.raises(PermissionDeniedError):
            await listed(world, person, key)


async def test_the_directory_is_completed_and_people_go_with_their_relationships() -> None:
    world = await World.fresh()
    await world.relate(5, "p1")
    await world.relate(2, "p1")
    sync, account = world.use.sync_users, world.account
    revision = await world.revision()

    kept = [User(2, "agent", 9001, (7, 8), 3), User(1, "admin")]
    changed, after = await sync(account, kept, (), complete=True)

    assert (changed, after) == (6, revision + 1), "one changed, five left"
    assert await listed(world) == [("zen:user:2", "p1")]
    assert await sync(account, kept, (), complete=True) == (0, revision + 1)
    assert await sync(account, [], [2], complete=False) == (1, revision + 2)
    assert await listed(world) == []


async def test_relationships_of_people_whom_the_directory_never_knew_go_too() -> None:
    world = await World.fresh()
    await world.relate(777, "p1")

    changed, revision = await world.use.sync_users(world.account, [], [777], complete=False)

    assert (changed, revision) == (0, await world.revision())
    assert await listed(world) == []


@pytest.mark.parametrize("user", [User(9, "owner"), User(9, "end-user"), User(0, "agent"), User(-4, "agent")])
async def test_a_user_who_is_none_is_refused_and_nothing_is_stored(user: User) -> None:
    world = await World.fresh()

    with pytest.raises(InvalidRequestError):
        await world.use.sync_users(world.account, [User(8, "agent"), user], (), complete=True)

    async with world.store.snapshot(world.account) as tx:
        assert [row.id for row in await tx.users()] == [1, 2, 3, 4, 5, 6, 7]
