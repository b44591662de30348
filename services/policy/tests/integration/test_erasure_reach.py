"""An erased person is gone from every copy within a second, and from what watchers could still read."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from libs.clients.context_tokens import Metadata
from libs.clients.decision_point import DecisionPoint
from libs.db.engine import Database
from libs.db.notify import Listener
from libs.kernel.ids import AccountId, UserId
from libs.participant.sql import SqlSubjects
from services.policy.adapters.sql.history import CHANNEL
from services.policy.adapters.sql.store import SqlStore
from services.policy.adapters.sql.subjects import PLACES, rewrite_history
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.data_map import DATA_MAP
from services.policy.domain.errors import RevisionNotKeptError
from services.policy.tests.served import serving
from services.policy.tests.world import PRODUCT, K, World

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
BOB = 5


@pytest_asyncio.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """An account that a replica serves which follows the database, as in a cluster."""
    world = await World.fresh(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    await world.relate(BOB, "p1")
    await world.relate(7, "p1")
    listener = Listener(database.url, CHANNEL, world.use.engine.heard)
    loops = [asyncio.ensure_future(loop()) for loop in (world.use.engine.follow, listener.listen)]
    yield world
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


@pytest.fixture
def subjects(database: Database) -> SqlSubjects:
    return SqlSubjects(database, PLACES, DATA_MAP, rewrite_history)


@contextlib.asynccontextmanager
async def following(world: World) -> AsyncIterator[DecisionPoint]:
    async with serving(world) as served:

        async def connect() -> tuple[grpc.aio.Channel, Metadata]:
            return served.rpc.channel("assignment"), served.service(world.account)

        point = DecisionPoint(world.account, connect, world.clock)
        task = asyncio.create_task(point.follow())
        try:
            yield point
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_embedded_point_drops_who_was_erased(world: World, subjects: SqlSubjects) -> None:
    async with following(world) as point:
        await asyncio.wait_for(point.caught_up(), 10)
        assert point.check(BOB, "read", PRODUCT, "p1").allowed

        await subjects.erase(world.account, UserId(BOB), "request-1", "node-1", 1)
        token = world.tokens.token(world.account, await world.revision())
        await asyncio.wait_for(point.caught_up(token), 1)

        assert point.check(BOB, "read", PRODUCT, "p1").decided.reason == "UNKNOWN_USER"
        assert point.check(7, "read", PRODUCT, "p1").allowed
        held = repr((dict(point.snapshot.users), point.snapshot.forward, point.snapshot.back))
        assert f"zen:user:{BOB}'" not in held
        await world.relate(7, "p2")
        token = world.tokens.token(world.account, await world.revision())
        await asyncio.wait_for(point.caught_up(token), 5)
        assert point.check(7, "read", PRODUCT, "p2").allowed, "it goes on following"


async def test_the_service_forgets_him_at_once_and_says_that_the_past_was_rewritten(
    world: World, subjects: SqlSubjects
) -> None:
    before = await world.revision()
    question = [Question(BOB, "read", PRODUCT, "p1"), Question(7, "read", PRODUCT, "p1")]
    present, _ = await world.use.check(world.account, question)
    assert (present.decided.allowed, present.redacted) == (True, False)

    await subjects.erase(world.account, UserId(BOB), "request-1", "node-1", 1)

    for freshness in (Freshness(fully=True), Freshness(exact=before)):
        gone, stays = await world.use.check(world.account, question, Asked(freshness=freshness))
        assert (gone.decided.reason, stays.decided.allowed) == ("UNKNOWN_USER", True)
        assert gone.redacted is stays.redacted is (freshness.exact is not None)


async def test_watchers_of_before_are_told_to_read_anew(world: World, subjects: SqlSubjects) -> None:
    before = await world.revision()
    for method in (world.use.watch.relationships, world.use.watch.permissions):
        stream = method(world.account, before, ())
        assert (await anext(stream)).revision == before
        await subjects.erase(world.account, UserId(BOB), "request-1", str(method), 1)
        with pytest.raises(RevisionNotKeptError):
            async with asyncio.timeout(10):
                await anext(stream)
        before = await world.revision()


async def test_an_export_that_goes_on_during_an_erasure_holds_nothing_of_him_afterwards(
    world: World, subjects: SqlSubjects
) -> None:
    rows = [world.row(user, f"x{n}") for n in range(800) for user in (BOB, 7)]
    await world.use.write_relationships.batch(world.account, rows, [], None)
    pages = world.use.exporting(world.account, Freshness(), "")
    await anext(pages)

    await subjects.erase(world.account, UserId(BOB), "request-1", "node-1", 1)

    rest = [row async for _, page in pages for row in page]
    assert rest
    assert {row.source for row in rest} == {"zen:user:7"}
