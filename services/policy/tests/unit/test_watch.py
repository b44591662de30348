"""Streams of changes: complete, in order, resumed where they were, and true about effective permissions."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from libs.decision.decide import decide
from libs.decision.differences import Flip
from libs.decision.lookups import allowed_records
from libs.decision.rows import ACTIONS, Change, ObjectRow, RelationshipRow, User
from libs.decision.snapshot import Snapshot
from libs.decision.tests.world import T0
from libs.kernel.errors import OverloadedError
from services.policy.adapters.memory import MemoryStore
from services.policy.app import needed
from services.policy.app.engine import Limits
from services.policy.app.ports import OBJECT
from services.policy.app.watch import PART, Copied, Seen, Watch
from services.policy.domain.errors import RevisionNotKeptError, RevisionUnknownError
from services.policy.tests.scribbles import Scribbler, put
from services.policy.tests.world import PRODUCT, K, L, World

T = TypeVar("T")


def watch(world: World, heartbeat_seconds: float = 0.02) -> Watch:
    return Watch(world.store, world.use.engine, world.clock, heartbeat_seconds)


@contextlib.asynccontextmanager
async def reading(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Read a stream for ten seconds at most, and close it."""
    try:
        async with asyncio.timeout(10):
            yield stream
    finally:
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def until(stream: AsyncIterator[Seen], revision: int) -> list[Seen]:
    """Return what was seen up to a revision, without the heartbeats."""
    found = []
    async for seen in stream:
        if seen.changes or seen.flips:
            found.append(seen)
        if seen.revision >= revision:
            return found
    raise AssertionError("the stream ended")


def ends(seen: list[Seen]) -> list[tuple[str, str, bool]]:
    rows = [(c.row, c.gone) for one in seen for c in one.changes]
    return [(row.source, row.target, gone) for row, gone in rows if isinstance(row, RelationshipRow)]


async def test_relationships_are_told_in_order_with_who_wrote_them() -> None:
    world = await World.fresh()
    async with reading(watch(world).relationships(world.account, None, ())) as stream:
        first = await anext(stream)
        assert (first.revision, list(first.changes)) == (await world.revision(), []), "where it starts"
        row, other = await world.relate(5, "p1"), await world.relate(7, "p2", L)
        await world.use.write_relationships.delete(world.account, row.id, None, actor="user:1")
        seen = await until(stream, await world.revision())

    assert ends(seen) == [
        ("zen:user:5", "p1", False),
        ("zen:user:7", "p2", False),
        ("zen:user:5", "p1", True),
    ]
    written = seen[-1].written
    assert written is not None
    assert (written.actor, written.at, written.revision) == ("user:1", world.clock.now(), seen[-1].revision)
    async with reading(watch(world).relationships(world.account, first.revision, {L})) as stream:
        assert [s.changes[0].row for s in await until(stream, seen[-1].revision)] == [other]


async def test_a_stream_goes_on_behind_any_revision_that_was_seen() -> None:
    world = await World.fresh()
    start = await world.revision()
    for n in range(6):
        await world.relate(5, f"p{n}")
    end = await world.revision()

    for after in range(start, end):
        async with reading(watch(world).relationships(world.account, after, ())) as stream:
            assert [s.revision for s in await until(stream, end)] == list(range(after + 1, end + 1))


async def test_heartbeats_tell_the_revision_also_when_nothing_was_wanted() -> None:
    world = await World.fresh()
    async with reading(watch(world).relationships(world.account, None, {L})) as stream:
        await anext(stream)
        await world.relate(5, "p1", K)
        while (seen := await anext(stream)).revision < await world.revision():
            pass

        assert (list(seen.changes), seen.written) == ([], None)


async def test_what_is_not_kept_or_not_there_is_refused() -> None:
    world = await World.fresh()
    now = await world.revision()
    async with world.store.transaction(world.account) as tx:
        await tx.forget_before(now)

    for method in (watch(world).relationships, watch(world).permissions):
        async with reading(method(world.account, now - 1, ())) as stream:
            with pytest.raises(RevisionNotKeptError) as caught:
                await until(stream, now)
            assert caught.value.metadata == {"oldest": str(now)}
        async with reading(method(world.account, now + 1, ())) as stream:
            with pytest.raises(RevisionUnknownError):
                await anext(stream)
        async with reading(method(world.account, now, ())) as stream:
            assert (await anext(stream)).revision == now


async def test_a_sweep_under_a_slow_reader_ends_his_stream() -> None:
    world = await World.fresh()
    async with reading(watch(world).relationships(world.account, None, ())) as stream:
        await anext(stream)
        await world.relate(5, "p1")
        await world.relate(5, "p2")
        async with world.store.transaction(world.account) as tx:
            await tx.forget_before(await world.revision())

        with pytest.raises(RevisionNotKeptError):
            await until(stream, await world.revision())


def expected_flips(before: Snapshot, after: Snapshot, now: float) -> Iterator[Flip]:
    """Every question is asked of both."""
    types = {one.row.name: one for one in (*before.types.values(), *after.types.values())}
    for name, user_id in ((n, u) for n in types for u in {*before.users, *after.users}):
        both = [(one, one.users.get(user_id)) for one in (before, after)]
        key = types[name].row.key if types[name].row.kind == OBJECT else ""
        records = {*before.records(key), *after.records(key)} if key else set()
        for action in ACTIONS:
            every = [allowed_records(s, u, action, name, now).every for s, u in both]
            if every[0] != every[1]:
                yield Flip(user_id, name, "*", action, every[1])
            for record in records if action != "create" else ():
                was, becomes = (decide(s, u, action, name, record, now).allowed for s, u in both)
                if was != becomes:
                    yield Flip(user_id, name, record, action, becomes)


@pytest.mark.parametrize("seed", range(8))
async def test_flips_are_what_asking_everything_before_and_after_finds(seed: int) -> None:
    world, scribbler = World(MemoryStore()), Scribbler(seed)
    world.clock.set(T0 - timedelta(minutes=1))  # nothing has ended yet
    now = world.clock.now().timestamp()
    for _ in range(8):
        async with world.store.transaction(world.account) as tx:
            await tx.next_revision("service:test", world.clock.now())
            for change in scribbler.step():
                await put(tx, change)
    async with world.store.snapshot(world.account) as tx:
        states = [await needed.whole(tx, revision, revision) for revision in range(1, 9)]

    async with reading(watch(world).permissions(world.account, 1, ())) as stream:
        found = {one.revision: one.flips for one in await until(stream, 8)}

    for before, after in itertools.pairwise(states):
        flips = found.get(after.revision, ())
        assert len(flips) == len(set(flips))
        assert set(flips) == set(expected_flips(before, after, now))
    assert any(found.values())


async def test_flips_are_filtered_by_type_and_named_as_rights_are() -> None:
    world = await World.fresh()
    start = await world.revision()
    await world.patch({"rbac": {"end_user": {"read": True}}})
    await world.patch({"rbac": {"end_user": {"read": True}}}, kind="relationship", key=K)

    async with reading(watch(world).permissions(world.account, start, {f"relationship:{K}"})) as stream:
        (seen,) = await until(stream, await world.revision())

    assert seen.flips == [Flip(user, f"relationship:{K}", "*", "read", True) for user in (5, 7)]
    assert not seen.changes


async def test_a_right_that_ends_is_told_when_its_relationship_is_swept() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    async with reading(watch(world).permissions(world.account, None, ())) as stream:
        start = (await anext(stream)).revision
        await world.relate(5, "p1", expires_at=world.clock.now() + timedelta(minutes=1))
        world.clock.advance(timedelta(minutes=2))
        await world.use.sweep()
        seen = await until(stream, start + 2)

    flips = [flip for one in seen for flip in one.flips]
    assert flips == [Flip(5, PRODUCT, "p1", "read", True), Flip(5, PRODUCT, "p1", "read", False)]


async def test_permissions_of_an_account_that_is_too_large_are_not_watched() -> None:
    world = await World.fresh(limits=Limits(account=0))
    await world.relate(5, "p1")

    for stream in (watch(world).permissions(world.account, None, ()), watch(world).copies(world.account, 0)):
        async with reading(stream) as refused:
            with pytest.raises(OverloadedError):
                await anext(refused)


async def parts_until(stream: AsyncIterator[Copied], revision: int) -> list[Copied]:
    found = []
    async for part in stream:
        found.append(part)
        if part.complete and part.revision >= revision:
            return found
    raise AssertionError("the stream ended")


async def test_a_copy_starts_with_everything_in_parts_and_goes_on_with_what_changes() -> None:
    world = await World.fresh()
    await world.use.objects.write(world.account, [ObjectRow(PRODUCT, f"p{n}") for n in range(900)], ())
    for start in (0, 1200):
        rows = [world.row(5, f"p{n}") for n in range(start, start + 1200)]
        await world.use.write_relationships.batch(world.account, rows, [], None)
    async with reading(watch(world).copies(world.account, 0)) as stream:
        snapshot = await parts_until(stream, await world.revision())
        rows = [world.row(7, f"p{n}") for n in range(PART + 1)]
        await world.use.write_relationships.batch(world.account, rows, [], None)
        later = await parts_until(stream, await world.revision())

    assert {part.snapshot for part in snapshot} == {True}
    assert [part.complete for part in snapshot] == [False] * (len(snapshot) - 1) + [True]
    assert max(len(part.changes) for part in snapshot) <= PART
    assert sum(isinstance(c.row, RelationshipRow) for part in snapshot for c in part.changes) == 2400
    changed = [part for part in later if part.changes]
    assert [(len(part.changes), part.complete) for part in changed] == [(PART, False), (1, True)]
    assert not any(part.snapshot for part in later)


async def test_a_copy_of_an_account_that_was_never_written_waits_for_the_first_write() -> None:
    world = World(MemoryStore())
    async with reading(watch(world).copies(world.account, 0)) as stream:
        empty = await anext(stream)
        await world.use.sync_users(world.account, [User(1, "admin")], (), complete=False)
        parts = await parts_until(stream, 1)

    assert (empty.revision, list(empty.changes), empty.complete) == (0, [], True)
    changes: list[Any] = [change for part in parts for change in part.changes]
    assert changes == [Change(1, User(1, "admin"))]


async def test_a_copy_that_is_ahead_or_too_old_is_made_anew() -> None:
    world = await World.fresh()
    now = await world.revision()
    async with world.store.transaction(world.account) as tx:
        await tx.forget_before(now)

    for after in (now - 1, now + 7):
        async with reading(watch(world).copies(world.account, after)) as stream:
            parts = await parts_until(stream, now)
        assert parts[-1].snapshot, after
