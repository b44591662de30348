"""Weighted turns on PostgreSQL: the log of many rounds, run by replicas at once, is within one turn of the share."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from fractions import Fraction

import pytest

from services.assignment.app.options import QueueOptions
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.integration.test_concurrent_rounds import AGENTS
from services.assignment.tests.integration.test_concurrent_rounds import replicas as replicas

pytestmark = pytest.mark.integration
WEIGHTS = dict(zip(AGENTS, (5, 3, 2, 1), strict=True))
ROUNDS, EACH = 11, 5


async def test_every_prefix_of_the_log_is_within_one_turn(replicas: list[House]) -> None:
    house = replicas[0]
    for agent in AGENTS:
        await house.set_limits(agent)
    await house.queue("w", model="weighted", options=QueueOptions(weights=tuple(WEIGHTS.items())))
    for number in range(ROUNDS):
        for ticket in range(number * EACH + 1, (number + 1) * EACH + 1):
            house.zendesk.ticket(ticket, group_id=SUPPORT)
        house.clock.advance(timedelta(minutes=2))
        await asyncio.gather(*(r.job(ACCOUNT, catch_up=True, wait_for_writes=True) for r in replicas))

    log = [d.agent_id for d in await house.decisions() if d.agent_id is not None]
    total, taken = sum(WEIGHTS.values()), Counter[int]()
    bound = 1 - Fraction(1, 2 * len(AGENTS) - 2)
    assert len(log) == ROUNDS * EACH
    for turn, agent in enumerate(log, 1):
        taken[agent] += 1
        assert all(abs(taken[a] - Fraction(turn * w, total)) <= bound for a, w in WEIGHTS.items())
    assert taken == {agent: weight * len(log) // total for agent, weight in WEIGHTS.items()}
