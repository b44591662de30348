"""A command that comes again with its id gets the first answer, whatever happened since (AIP-155)."""

from __future__ import annotations

import pytest

from libs.decision.rows import ObjectRow
from libs.kernel.errors import RequestIdReusedError
from services.policy.app.ports import OBJECT
from services.policy.app.repeats import Repeat
from services.policy.domain.errors import AlreadyExistsError
from services.policy.tests.world import PRODUCT, World

FIRST = Repeat("m", "id-1", b"body")


async def test_a_type_is_made_once() -> None:
    world = await World.fresh()
    first = await world.use.types.create(world.account, OBJECT, "boat", repeat=FIRST)
    await world.patch({"rbac": {"agent": {"read": False}}}, key="boat")

    again = await world.use.types.create(world.account, OBJECT, "boat", repeat=FIRST)

    assert again == first
    with pytest.raises(AlreadyExistsError):
        await world.use.types.create(world.account, OBJECT, "boat", repeat=Repeat("m", "id-2", b"body"))
    for other in (Repeat("m", "id-1", b"other"), Repeat("n", "id-1", b"body")):
        with pytest.raises(RequestIdReusedError):
            await world.use.types.create(world.account, OBJECT, "boat", repeat=other)


async def test_a_relationship_that_was_deleted_since_does_not_come_back() -> None:
    world = await World.fresh()
    write, row = world.use.write_relationships, world.row(5, "p1")
    kept, revision = await write.create(world.account, row, None, repeat=FIRST)
    await write.delete(world.account, kept.id, None)

    assert await write.create(world.account, world.row(5, "p1"), None, repeat=FIRST) == (kept, revision)
    async with world.store.snapshot(world.account) as tx:
        assert await tx.relationships() == []


async def test_batches_count_what_the_first_call_did() -> None:
    world = await World.fresh()
    batch, put = world.use.write_relationships.batch, world.use.objects.write
    rows = [world.row(5, "p1"), world.row(5, "p2")]
    done = await batch(world.account, rows, [], None, repeat=FIRST)
    wrote = await put(
        world.account, [ObjectRow(PRODUCT, "p1", {"a": 1})], [], repeat=Repeat("o", "id-9", b"")
    )
    revision = await world.revision()

    assert (done.created, done.deleted) == (2, 0)
    assert await batch(world.account, rows, [], None, repeat=FIRST) == done
    assert (await put(world.account, [], [], repeat=Repeat("o", "id-9", b""))) == wrote
    assert await world.revision() == revision
