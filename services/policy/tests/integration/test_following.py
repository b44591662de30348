"""How a replica keeps up: reads are shared, notices wake it, a cancelled call leaves nothing wrong."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from libs.db.engine import Database
from libs.db.notify import Listener
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.policy.adapters.sql.history import CHANNEL
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.asked import Freshness
from services.policy.app.engine import Limits
from services.policy.tests.replicas import Replica
from services.policy.tests.world import PRODUCT, K

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
BOB = 5
FULLY = Freshness(fully=True)


@pytest_asyncio.fixture
async def writer(database: Database) -> Replica:
    replica = await Replica.fresh(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))
    await replica.patch({"rebac": {K: {"end_user": {"read": True}}}})
    await replica.relate(BOB, "p1")
    return replica


@pytest_asyncio.fixture
async def reader(database: Database, writer: Replica) -> Replica:
    replica = Replica(SqlStore(database), writer.account, beside=writer)
    assert await replica.allows(BOB, "p1")
    return replica


@contextlib.asynccontextmanager
async def running(loop: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run one of the service's loops."""
    task = asyncio.ensure_future(loop())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_calls_that_wait_share_one_read(writer: Replica, reader: Replica) -> None:
    removed = await writer.unrelate(BOB, "p1")
    reads = reader.line.snapshots
    reader.line.gate.clear()
    calls = [asyncio.create_task(reader.sees(BOB, "p1", FULLY)) for _ in range(100)]
    calls += [asyncio.create_task(reader.sees(BOB, "p1", Freshness(removed))) for _ in range(100)]
    await reader.line.reached()
    reader.line.gate.set()

    answers = await asyncio.gather(*calls)

    assert {(a.decided.allowed, a.revision) for a in answers} == {(False, removed)}
    assert reader.line.snapshots - reads == 1


async def test_a_burst_during_writes_reads_far_less_than_it_is_asked(
    writer: Replica, reader: Replica
) -> None:
    reads, asked, writes = reader.line.snapshots, 0, 6

    async def write() -> None:
        for n in range(writes):
            await writer.relate(BOB, f"q{n}")

    async def ask(wish: Freshness) -> None:
        nonlocal asked
        for _ in range(4):
            reader.seconds += 0.001
            await reader.sees(BOB, "p1", wish)
            asked += 1

    await asyncio.gather(write(), *(ask(FULLY) for _ in range(50)))

    assert asked == 200
    assert reader.line.snapshots - reads <= 2 * 4 + 2, (
        "each round shares one read, or the one that follows it"
    )


async def test_a_cancelled_call_leaves_its_read_to_the_others(writer: Replica, reader: Replica) -> None:
    removed = await writer.unrelate(BOB, "p1")
    reader.line.gate.clear()
    cancelled, timed_out, waiting = (asyncio.create_task(reader.sees(BOB, "p1", FULLY)) for _ in range(3))
    await reader.line.reached()

    cancelled.cancel()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await timed_out
    reader.line.gate.set()

    await asyncio.gather(cancelled, timed_out, return_exceptions=True)
    assert cancelled.cancelled()
    assert timed_out.cancelled()
    assert ((await waiting).decided.allowed, (await waiting).revision) == (False, removed)
    reads = reader.line.snapshots
    assert not await reader.allows(BOB, "p1")
    assert reader.line.snapshots == reads


async def test_a_cancelled_only_call_still_leads_to_the_right_state(writer: Replica, reader: Replica) -> None:
    await writer.unrelate(BOB, "p1")
    reader.line.gate.clear()
    call = asyncio.create_task(reader.sees(BOB, "p1", FULLY))
    await reader.line.reached()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    reader.line.gate.set()

    assert not await reader.allows(BOB, "p1", FULLY)


async def test_a_read_that_failed_is_not_taken_for_an_answer(writer: Replica, reader: Replica) -> None:
    reader.line.cut = True
    failed = await asyncio.gather(*(reader.sees(BOB, "p1", FULLY) for _ in range(5)), return_exceptions=True)
    assert {type(one) for one in failed} == {DependencyUnavailableError}
    reader.line.cut = False

    assert await reader.allows(BOB, "p1", FULLY)


async def test_a_notice_wakes_a_replica_that_polls_nothing(
    writer: Replica, reader: Replica, database: Database
) -> None:
    """Its time stands still and it runs no loop but the listener's: what it learns is by the notice."""
    listener = Listener(database.url, CHANNEL, reader.use.engine.heard)
    before = await writer.revision()
    reader.line.gate.clear()
    async with running(listener.listen):
        await reader.line.reached()  # the first notice comes with the connection
        reader.line.gate.set()
        assert await reader.allows(BOB, "p1")
        removed = await writer.unrelate(BOB, "p1")

        assert await reader.use.engine.wait(reader.account, before, 10)

        reads = reader.line.snapshots
        answer = await reader.sees(BOB, "p1")
        assert (answer.decided.allowed, answer.revision) == (False, removed)
        assert reader.line.snapshots == reads, "the notice had it read already"


async def test_without_notices_polling_finds_what_was_written(writer: Replica, reader: Replica) -> None:
    before = await writer.revision()
    await writer.unrelate(BOB, "p1")
    async with running(reader.use.engine.follow):
        assert await reader.use.engine.wait(reader.account, before, 10)

        assert not await reader.allows(BOB, "p1")


async def test_polling_confirms_a_state_that_is_still_the_present_one(
    writer: Replica, reader: Replica
) -> None:
    reads = reader.line.snapshots
    reader.seconds += 5.0

    await reader.use.engine.poll()

    assert await reader.allows(BOB, "p1")
    assert reader.line.snapshots == reads


async def test_following_outlives_a_database_that_is_away(writer: Replica, reader: Replica) -> None:
    before = await writer.revision()
    reader.line.cut = True
    async with running(reader.use.engine.follow):
        with pytest.raises(DependencyUnavailableError):
            await reader.use.engine.poll()
        await writer.unrelate(BOB, "p1")
        reader.line.cut = False

        assert await reader.use.engine.wait(reader.account, before, 10)


async def test_a_write_during_a_read_is_read_as_well(writer: Replica) -> None:
    """The replica's own write, while it reads the state of before."""
    writer.line.gate.clear()
    writer.seconds += 2.0
    slow = asyncio.create_task(writer.sees(BOB, "p1"))
    await writer.line.reached()
    write = asyncio.create_task(writer.unrelate(BOB, "p1"))
    removed = await write
    after = asyncio.create_task(writer.sees(BOB, "p1"))
    writer.line.gate.set()

    assert ((await after).decided.allowed, (await after).revision) == (False, removed)
    assert (await slow).revision in (removed - 1, removed)


async def test_a_counter_that_was_read_before_a_write_confirms_nothing(writer: Replica) -> None:
    """The replica has heard of its own write meanwhile; the answer of the poll is older."""
    assert await writer.allows(BOB, "p1")
    writer.seconds += 0.1
    writer.line.polled.clear()
    poll = asyncio.create_task(writer.use.engine.poll())
    await writer.line.reached()
    writer.line.gate.clear()
    writer.seconds += 0.1
    removed = await writer.unrelate(BOB, "p1")
    writer.line.polled.set()
    await poll
    call = asyncio.create_task(writer.sees(BOB, "p1"))
    await writer.line.reached()
    writer.line.gate.set()

    assert ((await call).decided.allowed, (await call).revision) == (False, removed)


async def test_accounts_beyond_the_memory_give_way_and_come_back(database: Database) -> None:
    first = await Replica.fresh(
        SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"), limits=Limits(account=10, total=3)
    )
    second = Replica(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"), beside=first)
    second.use = first.use  # one replica, two accounts
    await second.use.types.create(second.account, "object", PRODUCT)
    await second.use.types.create(
        second.account, "relationship", K, source="zen:user", target=PRODUCT, many=True
    )
    for world in (first, second):
        for record in ("p1", "p2"):
            await world.relate(BOB, record)
    await first.patch({"rebac": {K: {"end_user": {"read": True}}}})

    assert await first.allows(BOB, "p1")
    assert not await second.allows(BOB, "p1")
    reads = first.line.snapshots
    assert await first.allows(BOB, "p2")

    assert first.line.snapshots == reads + 1, "the other account took its place"
