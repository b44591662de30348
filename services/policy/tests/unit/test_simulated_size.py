"""A change is simulated on a whole account in memory: one that is too large is refused, not read."""

from __future__ import annotations

import pytest

from libs.kernel.errors import OverloadedError
from services.policy.app.asked import Freshness
from services.policy.app.engine import Limits
from services.policy.app.ports import RELATIONSHIP
from services.policy.app.simulate_change import Proposal, Simulated
from services.policy.tests.world import K, World


async def simulated(world: World, exact: int | None = None) -> Simulated:
    proposal = Proposal(RELATIONSHIP, K, '{"rbac": {"agent": {"create": true}}}')
    return await world.use.simulate(world.account, proposal, Freshness(exact=exact), skip=0, limit=10)


async def test_an_account_beyond_the_memory_is_refused_now_and_of_the_past() -> None:
    world = await World.fresh(limits=Limits(account=1))
    await world.relate(5, "p1")
    fitting, revision = await simulated(world), await world.revision()

    await world.relate(5, "p2")

    assert fitting.revision == revision
    with pytest.raises(OverloadedError):
        await simulated(world)
    with pytest.raises(OverloadedError):
        await simulated(world, exact=revision)
