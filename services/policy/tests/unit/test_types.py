"""Types: made, patched, deleted and read."""

from __future__ import annotations

import asyncio

import pytest

from libs.decision.rows import User
from libs.kernel.errors import EtagMismatchError, InvalidRequestError, NotFoundError, PermissionDeniedError
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.domain.errors import AlreadyExistsError, TypeInUseError
from services.policy.domain.permissions import new_permissions
from services.policy.tests.world import PRODUCT, K, World

END_USER, AGENT, ADMIN = User(5, "end_user"), User(2, "agent"), User(1, "admin")


async def test_a_type_is_made_once_per_kind_with_default_permissions() -> None:
    world = await World.fresh()
    revision = await world.revision()

    row, made = await world.use.types.create(world.account, OBJECT, "cell_phone")
    with pytest.raises(AlreadyExistsError) as caught:
        await world.use.types.create(world.account, OBJECT, "cell_phone")

    assert row.permissions == new_permissions()
    assert made == await world.revision() == revision + 1
    assert caught.value.metadata == {"name": "accounts/acc-1/objectTypes/cell_phone"}
    await world.use.types.create(
        world.account, RELATIONSHIP, "cell_phone", source="zen:user", target="cell_phone"
    )


async def test_a_dry_run_answers_and_changes_nothing() -> None:
    world = await World.fresh()
    revision = await world.revision()
    types = world.use.types

    _, made = await types.create(world.account, OBJECT, "boat", validate_only=True)
    changed = await types.update_permissions(
        world.account, OBJECT, PRODUCT, '{"rbac":{"agent":{"delete":false}}}', validate_only=True
    )
    deleted = await types.delete(world.account, RELATIONSHIP, K, validate_only=True)

    assert (made, changed.revision, deleted) == (revision,) * 3
    assert await world.revision() == revision
    assert changed.row.permissions["rbac"]["agent"]["delete"] is False
    assert (await world.get()).permissions == new_permissions()
    assert (await world.get(RELATIONSHIP, K)).key == K
    with pytest.raises(NotFoundError):
        await world.get(OBJECT, "boat")


@pytest.mark.parametrize("key", ["type", "relationship_type"])
async def test_words_that_mean_the_types_themselves_are_no_keys_of_object_types(key: str) -> None:
    world = await World.fresh()

    with pytest.raises(InvalidRequestError):
        await world.use.types.create(world.account, OBJECT, key)


async def test_a_relationship_type_stands_between_types_that_exist() -> None:
    world = await World.fresh()

    with pytest.raises(InvalidRequestError) as caught:
        await world.use.types.create(world.account, RELATIONSHIP, "x_to_y", source="ghost", target="zen:USER")

    assert [v.field for v in caught.value.violations] == ["source", "target"]


async def test_permissions_are_updated_only_from_the_version_that_was_read() -> None:
    world = await World.fresh()
    first = await world.patch({"rbac": {"agent": {"delete": False}}}, etag="1")

    with pytest.raises(EtagMismatchError) as caught:
        await world.patch({"rbac": {"agent": {"update": False}}}, etag="1")

    assert caught.value.metadata == {"name": "accounts/acc-1/objectTypes/product/permissions"}
    assert first.version == 2
    assert await world.get() == first


async def test_of_several_faults_the_first_in_the_order_of_the_endpoints_is_told() -> None:
    world = await World.fresh()
    update = world.use.types.update_permissions

    with pytest.raises(NotFoundError):
        await update(world.account, OBJECT, "ghost", "{", "7", validate_only=False)
    with pytest.raises(NotFoundError):
        await update(world.account, OBJECT, K, "{", "7", validate_only=False)
    with pytest.raises(InvalidRequestError, match="not JSON"):
        await update(world.account, OBJECT, PRODUCT, "{", "7", validate_only=False)
    with pytest.raises(EtagMismatchError):
        await update(world.account, OBJECT, PRODUCT, '{"x":1}', "7", validate_only=False)


async def test_t25_two_admins_who_patch_different_members_both_survive() -> None:
    world = await World.fresh()
    revision = await world.revision()

    await asyncio.gather(
        world.patch({"rbac": {"agent": {"delete": False}}}),
        world.patch({"rbac": {"end_user": {"read": True}}}),
    )

    rbac = (await world.get()).permissions["rbac"]
    assert rbac["agent"]["delete"] is False
    assert rbac["end_user"]["read"] is True
    assert await world.revision() == revision + 2


async def test_what_something_refers_to_is_not_deleted() -> None:
    world = await World.fresh()
    row = await world.relate(5, "p1")

    for kind, key in ((OBJECT, PRODUCT), (RELATIONSHIP, K)):
        with pytest.raises(TypeInUseError) as caught:
            await world.use.types.delete(world.account, kind, key, validate_only=False)
        assert caught.value.metadata == {"name": f"accounts/acc-1/{kind}Types/{key}"}

    await world.use.write_relationships.delete(world.account, row.id, None, validate_only=False)
    await world.patch({"rebac": {K: {}}})
    with pytest.raises(TypeInUseError):
        await world.use.types.delete(world.account, RELATIONSHIP, K, validate_only=False)
    await world.patch({"rebac": None})
    await world.use.types.delete(world.account, RELATIONSHIP, K, validate_only=False)
    with pytest.raises(NotFoundError):
        await world.get(RELATIONSHIP, K)


async def test_a_reference_to_the_other_kind_of_type_is_no_reference() -> None:
    world = await World.fresh()
    await world.use.types.create(world.account, OBJECT, K)
    await world.use.types.create(world.account, RELATIONSHIP, PRODUCT, source=K, target=K)
    await world.relate(5, "p1")

    await world.use.types.delete(world.account, RELATIONSHIP, PRODUCT, validate_only=False)
    await world.use.types.delete(world.account, OBJECT, K, validate_only=False)

    assert (await world.get(RELATIONSHIP, K)).key == K


async def test_a_type_is_read_by_those_who_read_its_records_and_by_admins() -> None:
    world = await World.fresh()
    await world.patch(
        {"rbac": {"agent": {"read": False}, "end_user": {"read": True}, "admin": {"read": False}}}
    )

    for person in (END_USER, ADMIN, None):
        assert (await world.use.read_types.get(world.account, OBJECT, PRODUCT, person)).key == PRODUCT
    with pytest.raises(PermissionDeniedError):
        await world.use.read_types.get(world.account, OBJECT, PRODUCT, AGENT)


async def test_whether_a_type_exists_is_told_to_those_only_who_may_read_it() -> None:
    world = await World.fresh()

    for person in (END_USER, AGENT):
        with pytest.raises(PermissionDeniedError):
            await world.use.read_types.get(world.account, OBJECT, "ghost", person)
    for reader in (ADMIN, None):
        with pytest.raises(NotFoundError):
            await world.use.read_types.get(world.account, OBJECT, "ghost", reader)


async def test_types_are_listed_in_pages_of_those_that_may_be_read() -> None:
    world = await World.fresh()
    for key in ("a_b", "a-c", "ab"):
        await world.use.types.create(world.account, OBJECT, key)
    await world.patch({"rbac": {"agent": {"read": False}}}, key="a_b")
    pages, after, more = [], "", True

    while more:
        rows, more = await world.use.read_types.list(world.account, OBJECT, AGENT, after=after, limit=2)
        pages.append([row.key for row in rows])
        after = rows[-1].key

    assert pages == [["a-c", "ab"], ["car", "product"]]
