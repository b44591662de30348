"""The same command id a hundred times, on four replicas at once: one ticket, one decision, one write, one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from services.assignment.app.options import QueueOptions
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.integration.test_concurrent_rounds import AGENTS
from services.assignment.tests.integration.test_concurrent_rounds import replicas as replicas

pytestmark = pytest.mark.integration
TIMES = 25
"""Of each replica."""


async def repeated(replicas: list[House], command: Callable[[House], Awaitable[Any]]) -> list[Any]:
    """Send a command a hundred times, four at once; return the answers."""
    answers = []
    for _ in range(TIMES):
        answers += await asyncio.gather(*(command(replica) for replica in replicas))
    return answers


async def test_a_webhook_is_taken_once(replicas: list[House]) -> None:
    house = replicas[0]
    house.zendesk.ticket(5, group_id=SUPPORT)
    body = house.body(5)

    answers = await repeated(replicas, lambda r: r.webhook(5, invocation="same", body=body))
    await house.write(ACCOUNT)

    assert sum(not repeat for repeat, _ in answers) == 1
    assert len(await house.decisions(5)) == len(house.zendesk.writes) == 1


async def test_a_pull_gives_the_same_ticket(replicas: list[House]) -> None:
    house = replicas[0]
    await house.set_status("away", *AGENTS)
    for number in range(1, 9):
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
    await house.set_status("online", 1)

    answers = await repeated(replicas, lambda r: r.next(ACCOUNT, 1, "same"))

    assert {(ticket.facts.id, decision.id) for ticket, decision in answers} == {
        (1, house_decision.id) for house_decision in await house.decisions(1) if house_decision.agent_id
    }
    assert house.zendesk.writes == [(1, 1)]


async def test_an_offer_is_accepted_once(replicas: list[House]) -> None:
    house = replicas[0]
    await house.queue("asked", options=QueueOptions(offer_seconds=60))
    house.zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()
    (offer,) = await house.decisions(5)

    answers = await repeated(replicas, lambda r: r.answer(ACCOUNT, offer.id, offer.agent_id, accept=True))
    await house.write(ACCOUNT)

    assert {(row.facts.id, row.facts.assignee_id) for row in answers} == {(5, offer.agent_id)}
    assert house.zendesk.writes == [(5, offer.agent_id)]


async def test_a_minute_of_a_queue_gives_each_agent_one_batch(replicas: list[House]) -> None:
    house = replicas[0]
    await house.queue("all", batch_size=1)
    for number in range(1, 21):
        house.zendesk.ticket(number, group_id=SUPPORT)
    house.clock.advance(timedelta(minutes=2))
    await house.job(ACCOUNT, catch_up=True, wait_for_writes=False)

    await repeated(replicas, lambda r: r.route(ACCOUNT, "all", "all/same", house.clock.now()))
    await house.write(ACCOUNT)

    assert sorted(agent for _, agent in house.zendesk.writes) == list(AGENTS)
