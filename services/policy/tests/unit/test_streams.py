"""Streams behind the whole chain: what watchers and copies are sent, and who may have it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from libs.decision.rows import RelationshipRow, User
from libs.decision.wire import decode
from services.policy.tests.served import PARENT, Served, code_of, refusal, serving
from services.policy.tests.world import PRODUCT, K, L, World
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    async with serving(world) as found:
        yield found


def watch(served: Served, **more: Any) -> Any:
    request = messages.WatchRelationshipsRequest(parent=PARENT, **more)
    return served.stub.WatchRelationships(request, metadata=served.person(1, "admin"))


async def read(call: Any, number: int) -> list[Any]:
    """Return the next messages that are no heartbeats."""
    found: list[Any] = []
    async with asyncio.timeout(10):
        while len(found) < number:
            message = await call.read()
            if message.HasField("relationship") or message.HasField("flip"):
                found.append(message)
    return found


async def test_watchers_are_sent_each_change_with_a_token_to_go_on_from(served: Served) -> None:
    call = watch(served)
    start = await call.read()
    row = await served.world.relate(5, "p1")
    await served.world.use.write_relationships.delete(served.world.account, row.id, None, actor="user:1")
    made, gone = await read(call, 2)
    call.cancel()

    assert not start.HasField("relationship")
    assert (made.relationship.name, made.deleted) == (f"{PARENT}/relationships/{row.id}", False)
    assert (gone.relationship, gone.deleted, gone.actor) == (made.relationship, True, "user:1")
    assert (made.revision, gone.revision) == (start.revision + 1, start.revision + 2)
    assert gone.time.ToDatetime() == served.world.clock.now().replace(tzinfo=None)
    resumed = watch(served, after=made.token)
    assert await read(resumed, 1) == [gone]
    resumed.cancel()


async def test_types_filter_and_permissions_are_asked_for(served: Served) -> None:
    relationships, flips = watch(served, types=[L]), watch(served, types=[PRODUCT], permissions=True)
    for call in (relationships, flips):
        await call.read()
    await served.world.relate(5, "p1")
    other = await served.world.relate(5, "p1", L)
    (row,) = await read(relationships, 1)
    (flip,) = await read(flips, 1)
    for call in (relationships, flips):
        call.cancel()

    assert row.relationship.name.endswith(other.id)
    assert flip.flip == messages.Flip(
        user_id=5, action=resources.ACTION_READ, object_type=PRODUCT, record_id="p1", allowed=True
    )


async def test_streams_are_for_admins_and_services_and_start_at_a_token_of_ours(served: Served) -> None:
    for role in ("agent", "end_user"):
        metadata = served.person(50, role)
        requests = [
            served.stub.WatchRelationships(
                messages.WatchRelationshipsRequest(parent=PARENT), metadata=metadata
            ),
            served.stub.ReadChanges(messages.ReadChangesRequest(parent=PARENT), metadata=metadata),
        ]
        for call in requests:
            assert await code_of(call.read()) == "PERMISSION_DENIED"
    world = served.world
    ahead = world.tokens.token(world.account, await world.revision() + 5)
    assert await refusal(watch(served, after="zt2.1.forged").read()) == (
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
        ["after"],
    )
    assert (await refusal(watch(served, after=ahead).read()))[:2] == (
        "FAILED_PRECONDITION",
        "REVISION_UNKNOWN",
    )
    assert (await refusal(watch(served, types=["a\0"]).read()))[0] == "INVALID_ARGUMENT"
    old = world.tokens.token(world.account, 1)
    async with world.store.transaction(world.account) as tx:
        await tx.forget_before(await world.revision())
    call = watch(served, after=old)
    await call.read()
    assert (await refusal(call.read()))[:2] == ("OUT_OF_RANGE", "REVISION_NOT_KEPT")


async def test_a_copy_is_the_account_and_what_follows(served: Served) -> None:
    world = served.world
    await world.relate(5, "p1")

    def copies(after: int) -> Any:
        request = messages.ReadChangesRequest(parent=PARENT, after_revision=after)
        return served.job.ReadChanges(request, metadata=served.service())

    call = copies(0)
    parts: list[Any] = []
    async with asyncio.timeout(10):
        while not parts or not parts[-1].complete:
            parts.append(await call.read())
    rows = [change.row for part in parts for change in decode(part.change)]
    assert {row.id for row in rows if isinstance(row, User)} == set(range(1, 8))
    assert [row.target for row in rows if isinstance(row, RelationshipRow)] == ["p1"]
    assert all(part.snapshot for part in parts)
    assert parts[-1].token == world.tokens.token(world.account, await world.revision())
    await world.relate(5, "p2")
    async with asyncio.timeout(10):
        while not (part := await call.read()).change:
            pass
    call.cancel()

    assert (
        [c.row.target for c in decode(part.change) if isinstance(c.row, RelationshipRow)],
        part.snapshot,
    ) == (["p2"], False)
    assert await code_of(copies(-1).read()) == "INVALID_ARGUMENT"


async def test_many_watchers_are_told_and_end(served: Served) -> None:
    calls = [watch(served) for _ in range(30)]
    for call in calls:
        await call.read()
    await served.world.relate(5, "p1")
    for call in calls:
        (message,) = await read(call, 1)
        assert message.relationship.target == "p1"
        call.cancel()

    assert (await served.world.ask(5, "read", "p1")).decided.allowed
