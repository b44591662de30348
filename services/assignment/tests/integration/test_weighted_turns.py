"""Weighted turns on PostgreSQL: the log of many rounds, run by replicas at once, is within one turn of the share."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from fractions import Fraction

import pytest

from services.assignment.app.options import QueueOptions
from services.assignment.domain.rotation import CHANGED
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


async def test_members_who_come_and_go_stay_within_the_measured_distance_and_a_reset_begins_anew(
    replicas: list[House],
) -> None:
    house, other = replicas[0], replicas[1]
    for agent in AGENTS:
        await house.set_limits(agent)
    await house.queue("w", model="weighted", options=QueueOptions(weights=tuple(WEIGHTS.items())))
    share, taken, known = dict.fromkeys(AGENTS, Fraction(0)), Counter[int](), 0

    async def minute(first: int, online: list[int], within: Fraction) -> list[int]:
        nonlocal known
        for ticket in range(first, first + EACH):
            house.zendesk.ticket(ticket, group_id=SUPPORT)
        house.clock.advance(timedelta(minutes=2))
        await asyncio.gather(*(r.job(ACCOUNT, catch_up=True, wait_for_writes=True) for r in replicas))
        log = [d.agent_id for d in await house.decisions() if d.agent_id is not None][known:]
        known += len(log)
        whole = sum(WEIGHTS[a] for a in online)
        for agent in log:
            taken[agent] += 1
            for member in online:
                share[member] += Fraction(WEIGHTS[member], whole)
            assert all(abs(share[a] - taken[a]) <= within for a in AGENTS)
        return log

    for number in range(8):
        away = AGENTS[number % len(AGENTS)] if number % 2 else None
        for agent in AGENTS:
            await (house, other)[number % 2].set_status("away" if agent == away else "online", agent)
        log = await minute(number * EACH + 1, [a for a in AGENTS if a != away], Fraction(3, 2))
        assert len(log) == EACH
        assert away not in log
    async with other.store.transaction(ACCOUNT) as tx:
        assert await tx.rotations.stretch("w") == CHANGED

    await other.queues.reset_rotation(ACCOUNT, "w", validate_only=False)
    for agent in AGENTS:
        await house.set_status("online", agent)
    share, taken = dict.fromkeys(AGENTS, Fraction(0)), Counter[int]()
    bound = 1 - Fraction(1, 2 * len(AGENTS) - 2)
    for number in range(8, 11):
        await minute(number * EACH + 1, list(AGENTS), bound)
