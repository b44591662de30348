"""Import and export: in batches that can be repeated, and of one revision whatever is written meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from libs.decision.rows import User
from libs.kernel.ids import AccountId
from services.policy.app.asked import Freshness
from services.policy.app.ports import RELATIONSHIP, RelationshipRow
from services.policy.app.transfer import PAGE, REFUSED_SHOWN
from services.policy.domain.errors import RevisionNotKeptError, RevisionUnknownError
from services.policy.tests.served import PARENT, Served, code_of, serving
from services.policy.tests.world import K, L, World
from setlist.policy.v1 import policy_service_pb2 as messages

ONE = "main_car"


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    world = await World.fresh()
    await world.use.types.create(world.account, RELATIONSHIP, ONE, source="zen:user", target="car")
    async with serving(world) as found:
        yield found


def new(user: int | str, target: str, key: str = K) -> messages.NewRelationship:
    source = user if isinstance(user, str) else f"zen:user:{user}"
    return messages.NewRelationship(type=key, source=source, target=target)


def batch(*rows: messages.NewRelationship, parent: str = PARENT) -> messages.ImportRelationshipsRequest:
    return messages.ImportRelationshipsRequest(parent=parent, relationships=rows)


async def imported(served: Served, *batches: messages.ImportRelationshipsRequest) -> Any:
    return await served.job.ImportRelationships(iter(batches), metadata=served.service())


async def stored(world: World) -> set[tuple[str, str, str]]:
    async with world.store.snapshot(world.account) as tx:
        return {(row.type, row.source, row.target) for row in await tx.relationships(limit=10**6)}


async def test_each_batch_is_one_revision_and_each_record_is_taken_skipped_or_refused(served: Served) -> None:
    await served.world.relate(5, "p1")
    revision = await served.world.revision()

    answer = await imported(
        served,
        batch(new(5, "p1"), new(5, "p2"), new(5, "p3", "ghost")),
        batch(),
        batch(new("p1", "p2"), new(5, "p2"), new(6, "p2", L)),
        batch(new(5, "p1"), new(5, "p2")),
    )

    assert (answer.created, answer.skipped, answer.refused_count) == (2, 4, 2)
    assert [(r.place, r.error) for r in answer.refused] == [
        (2, "there is no relationship type `ghost`"),
        (3, "`relationship.source` is not of the form zen:user:{id}"),
    ]
    assert answer.token == served.world.tokens.token(served.world.account, revision + 2)
    assert await served.world.revision() == revision + 2, "a batch that changes nothing is no revision"
    assert await stored(served.world) == {
        (K, "zen:user:5", "p1"),
        (K, "zen:user:5", "p2"),
        (L, "zen:user:6", "p2"),
    }


async def test_one_target_per_source_holds_within_and_across_batches(served: Served) -> None:
    world = served.world
    await world.relate(5, "c1", ONE)
    await world.relate(6, "c1", ONE, expires_at=world.clock.now() + timedelta(minutes=1))
    world.clock.advance(timedelta(minutes=2))

    answer = await imported(
        served,
        batch(new(5, "c2", ONE), new(5, "c1", ONE), new(6, "c2", ONE), new(7, "c1", ONE), new(7, "c2", ONE)),
        batch(new(7, "c3", ONE), new(7, "c1", ONE), new(8, "c3", ONE)),
    )

    assert [r.place for r in answer.refused] == [0, 4, 5]
    assert {r.error for r in answer.refused} == {"`main_car` allows one target per source"}
    assert (answer.created, answer.skipped) == (3, 2)


async def test_of_many_refused_records_all_are_counted_and_the_first_are_told(served: Served) -> None:
    bad = [new(5, f"p{n}", "ghost") for n in range(REFUSED_SHOWN + 5)]

    answer = await imported(served, batch(*bad), batch(new(5, "p1"), new(5, "p2", "ghost")))

    assert (answer.created, answer.refused_count) == (1, REFUSED_SHOWN + 6)
    assert [r.place for r in answer.refused] == list(range(REFUSED_SHOWN))


async def test_an_import_is_of_one_account(served: Served) -> None:
    other = World(served.world.store, AccountId("acc-2"), beside=served.world)
    for second in (batch(new(5, "p2"), parent="accounts/acc-2"), batch(parent="accounts/acc-2")):
        call = imported(served, batch(new(5, "p1")), second)
        assert await code_of(call) in ("PERMISSION_DENIED", "INVALID_ARGUMENT")

    assert await stored(served.world) == {(K, "zen:user:5", "p1")}, "the first batch was written by itself"
    assert await stored(other) == set()
    assert await code_of(imported(served)) == "INVALID_ARGUMENT"


async def test_only_admins_and_services_move_records_in_bulk(served: Served) -> None:
    export = messages.ExportRelationshipsRequest(parent=PARENT)
    for role, code in (("admin", "OK"), ("agent", "PERMISSION_DENIED"), ("end_user", "PERMISSION_DENIED")):
        metadata = served.person(50, role)
        call = served.stub.ImportRelationships(iter([batch(new(5, "p1"))]), metadata=metadata)
        assert await code_of(call) == code
        assert await code_of(served.stub.ExportRelationships(export, metadata=metadata).read()) == code


async def test_an_import_that_was_killed_between_batches_is_simply_repeated(served: Served) -> None:
    batches = [batch(*(new(5, f"p{n}") for n in range(start, start + 10))) for start in (0, 10, 20)]
    world, before = served.world, await served.world.revision()

    async def first_only() -> AsyncIterator[messages.ImportRelationshipsRequest]:
        yield batches[0]
        await asyncio.Event().wait()

    call = served.job.ImportRelationships(first_only(), metadata=served.service())
    assert await world.use.engine.wait(world.account, before, 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(await stored(world)) == 10

    answer = await imported(served, *batches)

    assert (answer.created, answer.skipped, answer.refused_count) == (20, 10, 0)
    assert await stored(world) == {(K, "zen:user:5", f"p{n}") for n in range(30)}
    assert (await imported(served, *batches)).skipped == 30


async def exported(world: World, freshness: Freshness | None = None, key: str = "") -> list[RelationshipRow]:
    pages = world.use.exporting(world.account, freshness or Freshness(), key)
    return [row async for _, page in pages for row in page]


async def test_an_export_is_of_one_revision_while_writes_go_on() -> None:
    world = await World.fresh()
    rows = [world.row(5, f"p{n}") for n in range(2 * PAGE + 10)]
    await world.use.write_relationships.batch(world.account, rows, [], None)
    start = await world.revision()
    found, revisions, page_number = [], set(), 0
    async for revision, page in world.use.exporting(world.account, Freshness(), ""):
        found += page
        revisions.add(revision)
        page_number += 1
        gone = rows[::-7] if page_number == 1 else rows[5::11]
        await world.use.write_relationships.batch(world.account, [], gone, None)
        await world.relate(7, f"q{page_number}")

    assert page_number == 3
    assert revisions == {start}
    assert found == sorted(rows, key=lambda row: row.id)
    assert await exported(world, Freshness(exact=start)) == found
    assert len(await exported(world)) < len(rows)


async def test_an_export_is_of_a_type_and_of_a_revision_that_is_kept() -> None:
    world = await World.fresh()
    row = await world.relate(5, "p1")
    then = await world.revision()
    other = await world.relate(5, "p1", L)

    assert await exported(world) == [row, other]
    assert await exported(world, key=L) == [other]
    assert await exported(world, Freshness(exact=then)) == [row]
    with pytest.raises(RevisionUnknownError):
        await exported(world, Freshness(exact=then + 9))
    async with world.store.transaction(world.account) as tx:
        await tx.forget_before(then + 1)
    with pytest.raises(RevisionNotKeptError):
        await exported(world, Freshness(exact=then))


async def test_an_export_that_the_sweep_overtakes_says_so() -> None:
    world = await World.fresh()
    rows = [world.row(5, f"p{n}") for n in range(PAGE + 1)]
    await world.use.write_relationships.batch(world.account, rows, [], None)
    pages = world.use.exporting(world.account, Freshness(), "")
    await anext(pages)
    await world.relate(7, "p1")
    async with world.store.transaction(world.account) as tx:
        await tx.forget_before(await world.revision())

    with pytest.raises(RevisionNotKeptError):
        await anext(pages)


async def test_what_is_exported_can_be_imported_elsewhere(served: Served) -> None:
    ends = served.world.clock.now() + timedelta(days=1)
    await served.world.relate(5, "p1", expires_at=ends)
    await served.world.relate(2, "c1", ONE)
    other = await World.fresh(served.world.store, AccountId("acc-2"))
    await other.use.types.create(other.account, RELATIONSHIP, ONE, source="zen:user", target="car")
    await other.use.sync_users(other.account, [User(5, "end_user")], (), complete=False)
    call = served.job.ExportRelationships(
        messages.ExportRelationshipsRequest(parent=PARENT), metadata=served.service()
    )
    rows = [
        messages.NewRelationship(
            type=r.type,
            source=r.source,
            target=r.target,
            expire_time=r.expire_time if r.HasField("expire_time") else None,
        )
        async for r in (answer.relationship async for answer in call)
    ]

    answer = await served.job.ImportRelationships(
        iter([batch(*rows, parent="accounts/acc-2")]), metadata=served.service("acc-2")
    )

    assert answer.created == 2
    assert await stored(other) == await stored(served.world)
    async with other.store.snapshot(other.account) as tx:
        assert {row.expires_at for row in await tx.relationships()} == {ends, None}
