"""Memory and SQL answer alike, a large account as a small one, and the past as it was answered then."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from libs.db.engine import Database
from libs.decision.tests.world import T0
from libs.kernel.ids import AccountId
from services.policy.adapters.memory import MemoryStore
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.asked import Freshness
from services.policy.app.engine import Limits
from services.policy.tests.scribbles import FULLY, Scribbler, answers, put
from services.policy.tests.world import World

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
STEPS = 10


def worlds(database: Database) -> dict[str, World]:
    """The same account three times: in memory, in SQL, and in SQL as if it were too large for memory."""
    account = AccountId(f"acc-{next(_ACCOUNTS)}")
    memory = World(MemoryStore(), account)
    memory.clock.set(T0)
    sql = World(SqlStore(database), account, beside=memory)
    large = World(SqlStore(database), account, beside=memory, limits=Limits(account=0))
    return {"memory": memory, "sql": sql, "large": large}


async def write(world: World, scribbled: list[Any], *, expire: bool) -> int:
    async with world.store.transaction(world.account) as tx:
        revision = await tx.next_revision("service:test", world.clock.now())
        for change in scribbled:
            await put(tx, change)
        if expire:
            await tx.expire(world.clock.now(), 100)
    return revision


@pytest.mark.parametrize("seed", range(4))
async def test_every_store_and_size_answers_alike_now_and_of_the_past(database: Database, seed: int) -> None:
    stores, scribbler, kept = worlds(database), Scribbler(seed), {}
    memory = stores["memory"]
    for step in range(STEPS):
        changes, expire = scribbler.step(), scribbler.chance(3)
        revisions = [await write(stores[name], changes, expire=expire) for name in ("memory", "sql")]
        assert revisions == [step + 1] * 2
        samples = scribbler.samples()
        expected = await answers(memory, FULLY, samples)
        assert await answers(stores["sql"], FULLY, samples) == expected
        assert await answers(stores["large"], FULLY, samples) == expected
        kept[step + 1] = (samples, expected)
        if step == STEPS // 2:
            memory.clock.advance(timedelta(seconds=1))

    for revision, (samples, expected) in kept.items():
        for name, world in stores.items():
            found = await answers(world, Freshness(exact=revision), samples)
            assert (name, revision, found) == (name, revision, expected)
    assert len({str(expected["check"]) for _, expected in kept.values()}) > 2, "the worlds do change"
    assert any(allowed for _, expected in kept.values() for allowed, _, _ in expected["check"])
