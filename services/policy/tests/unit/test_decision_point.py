"""The embedded decision point answers as the service does, through the real chain, whatever is written."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from libs.clients.context_tokens import Metadata
from libs.clients.decision_point import DecisionPoint, NotCaughtUpError
from libs.decision.decide import Given
from libs.decision.rows import ACTIONS, ObjectRow, User
from libs.testing.rpc import Rpc
from services.policy.app.asked import Asked, Question
from services.policy.tests.served import serving
from services.policy.tests.world import PRODUCT, USERS, K, L, World

RECORDS = ("p1", "p2", "p3")


@contextlib.asynccontextmanager
async def following(world: World, rpc: Rpc, **more: Any) -> AsyncIterator[DecisionPoint]:
    async def connect() -> tuple[grpc.aio.Channel, Metadata]:
        return rpc.channel("assignment"), rpc.token(account=world.account, job="assignment")

    point = DecisionPoint(world.account, connect, world.clock, **more)
    task = asyncio.create_task(point.follow())
    try:
        yield point
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def caught_up(world: World, point: DecisionPoint) -> str:
    token = world.use.tokens.token(world.account, await world.revision())
    await asyncio.wait_for(point.caught_up(token), 10)
    return token


async def scribble(world: World, chance: random.Random) -> None:
    """Write something, of every kind there is."""
    user, record, key = chance.randint(1, 8), chance.choice(RECORDS), chance.choice((K, L))
    match chance.randrange(7):
        case 0:
            await world.patch({"rbac": {"agent": {chance.choice(ACTIONS): chance.random() < 0.5}}})
        case 1:
            await world.patch({"rebac": {key: {"end_user": {"update": chance.random() < 0.7}}}})
        case 2:
            await world.relate(user, record, key)
        case 3:
            rows = [world.row(user, record, key)]
            await world.use.write_relationships.batch(world.account, [], rows, None)
        case 4:
            users = [User(user, chance.choice(("agent", "end_user")), chance.choice((None, 8237)), (7,))]
            await world.use.sync_users(world.account, users, (), complete=False)
        case 5:
            await world.use.objects.write(
                world.account, [ObjectRow(PRODUCT, record, {"open": chance.random() < 0.5})], []
            )
        case _:
            rows_of = {"admin": {}, "agent": {"update": True}, "end_user": {"read": True}}
            complete = {r: {a: row.get(a, False) for a in ACTIONS} for r, row in rows_of.items()}
            policy = {"path": [{"type": K, "up_to": 0}], "start": "user", "rows": complete}
            await world.use.types.update_extensions(
                world.account, PRODUCT, {"policies": {"open": {**policy, "condition": "object.open"}}}
            )


@pytest.mark.parametrize("seed", range(3))
async def test_every_answer_is_that_of_the_service(seed: int) -> None:
    world, chance = await World.fresh(), random.Random(seed)
    questions = [
        Question(user, action, PRODUCT, record)
        for user in [*(u.id for u in USERS.values()), 8, 99]
        for action in ACTIONS
        for record in ("", *RECORDS)
    ]
    async with serving(world) as served, following(world, served.rpc) as point:
        for _ in range(12):
            for _ in range(3):
                await scribble(world, chance)
            token = await caught_up(world, point)
            answers = await world.use.check(world.account, questions, Asked(), explain=True)
            for question, answer in zip(questions, answers, strict=True):
                found = point.check(question.user, question.action, PRODUCT, question.record, explain=True)
                assert (question, found.decided) == (question, answer.decided)
                assert (found.revision, found.token) == (answer.revision, token)


async def test_what_the_asker_knows_counts_here_too() -> None:
    world = await World.fresh()
    await world.patch({"rbac": {"end_user": {"read": True}}})
    async with serving(world) as served, following(world, served.rpc) as point:
        await caught_up(world, point)

        assert not point.check(777, "read", PRODUCT, "p1").allowed
        assert point.check(777, "read", PRODUCT, "p1", acting=User(777, "end_user"), given=Given()).allowed
        assert point.actions(1, PRODUCT, "p1") == list(ACTIONS)
        assert point.records(1, "read", PRODUCT).every


async def test_a_token_that_is_ahead_and_a_silent_service_are_never_answered() -> None:
    world, now = await World.fresh(), [0.0]
    async with serving(world) as served, following(world, served.rpc, monotonic=lambda: now[0]) as point:
        with pytest.raises(NotCaughtUpError):
            point.check(1, "read", PRODUCT)
        await caught_up(world, point)
        ahead = world.use.tokens.token(world.account, await world.revision() + 1)

        for token in (ahead, "zt1.1", "nonsense"):
            with pytest.raises(NotCaughtUpError):
                point.check(1, "read", PRODUCT, at_least=token)
        assert point.check(1, "read", PRODUCT).allowed
    now[0] += 60.0
    with pytest.raises(NotCaughtUpError):
        point.check(1, "read", PRODUCT)


async def test_a_relationship_ends_here_at_the_same_instant() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    await world.relate(5, "p1", expires_at=world.clock.now() + timedelta(minutes=1))
    async with serving(world) as served, following(world, served.rpc) as point:
        await caught_up(world, point)
        assert point.check(5, "read", PRODUCT, "p1").allowed

        world.clock.advance(timedelta(minutes=1))

        assert not point.check(5, "read", PRODUCT, "p1").allowed


async def test_a_copy_goes_on_where_it_was_after_the_service_was_away() -> None:
    world = await World.fresh()
    async with serving(world) as served:
        async with following(world, served.rpc) as point:
            await caught_up(world, point)
        before = point.snapshot.revision
        await world.patch({"rbac": {"agent": {"read": False}}})
        again = asyncio.create_task(point.follow())
        try:
            await caught_up(world, point)
            assert point.snapshot.revision == before + 1
            assert not point.check(2, "read", PRODUCT, "p1").allowed
        finally:
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)
