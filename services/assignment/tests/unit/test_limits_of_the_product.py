"""Every row of the facts' table of limits (§2.2), played through the minute job."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


def arrive(zendesk: LocalZendesk, tickets: int, **values: object) -> None:
    """Make tickets, numbered on."""
    first = len(zendesk.tickets) + 1
    for number in range(first, first + tickets):
        zendesk.ticket(number, group_id=SUPPORT, **values)


def given(zendesk: LocalZendesk, agent: int) -> int:
    """Count what we wrote to an agent."""
    return sum(to == agent for _, to in zendesk.writes)


async def team(house: House, daily: int) -> None:
    """Set the team's default."""
    async with house.store.transaction(ACCOUNT) as tx:
        account = await tx.directory.account()
        assert account is not None
        await tx.directory.put_account(replace(account, daily_limit=daily))


async def only(house: House, queue: str = "q", **values: object) -> None:
    """Leave one scheduled queue."""
    async with house.store.transaction(ACCOUNT) as tx:
        for one in await tx.directory.queues():
            await tx.directory.delete_queue(one.id)
    await house.queue(queue, **values)


async def test_batch_2_of_3_agents_and_10_tickets(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2, 9)
    await only(house, batch_size=2)
    arrive(zendesk, 10)

    assert len((await house.minute()).assignments) == 6
    assert Counter(a for _, a in zendesk.writes) == {1: 2, 2: 2, 9: 2}
    second = await house.minute(minutes=1)

    # The rotation goes on where it stopped: whoever was first is first again.
    assert [a for _, a, _ in second.assignments] == [1, 2, 9, 1]


@pytest.mark.parametrize(("held", "more"), [(9, 1), (10, 0), (4, 5)])
async def test_inbox_10_and_batch_5(house: House, zendesk: LocalZendesk, held: int, more: int) -> None:
    await house.open(1)
    await only(house, batch_size=5)
    await house.set_limits(1, inbox=10)
    arrive(zendesk, held, assignee_id=1, status="open")
    arrive(zendesk, 30, assignee_id=1, status="pending")
    arrive(zendesk, 10)

    await house.minute()

    assert given(zendesk, 1) == more


async def test_after_the_one_ticket_he_counts_10_at_once(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await only(house)
    await house.set_limits(1, inbox=10)
    arrive(zendesk, 9, assignee_id=1, status="open")
    arrive(zendesk, 3)
    zendesk.fault("PUT .*", times=9, status=503)

    await house.minute()
    await house.minute()

    assert len([d for d in await house.decisions() if d.agent_id == 1]) == 1
    assert given(zendesk, 1) == 0


async def test_daily_5_given_at_8_is_over_at_20_sharp(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await only(house)
    await house.set_limits(1, daily=5)
    house.clock.set(house.clock.now().replace(hour=7, minute=58))
    arrive(zendesk, 7)
    await house.minute()
    assert given(zendesk, 1) == 5

    house.clock.set(house.clock.now().replace(hour=19, minute=59, second=59))
    await house.minute(minutes=0)
    assert given(zendesk, 1) == 5
    house.clock.set(house.clock.now().replace(hour=20, minute=0, second=0))
    await house.minute(minutes=0)

    assert given(zendesk, 1) == 7


async def test_ten_on_one_calendar_day_with_daily_5(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await only(house)
    await house.set_limits(1, daily=5)
    house.clock.set(house.clock.now().replace(hour=6, minute=58))
    arrive(zendesk, 12)

    await house.minute()
    house.clock.set(house.clock.now().replace(hour=19, minute=1))
    await house.minute(minutes=0)

    assert given(zendesk, 1) == 10


@pytest.mark.parametrize(("own", "limit"), [(3, 3), (20, 20), (None, 10)])
async def test_team_10_and_the_agent_s_own(
    house: House, zendesk: LocalZendesk, own: int | None, limit: int
) -> None:
    await house.open(1)
    await only(house)
    await team(house, daily=10)
    await house.set_limits(1, daily=own)
    arrive(zendesk, 25)

    await house.minute()

    assert given(zendesk, 1) == limit


async def test_agent_10_and_queue_2(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.views[70] = lambda t: t["id"] <= 6
    await only(house, "a", source=70, daily_limit=2)
    await house.queue("b", position=1)
    await house.set_limits(1, daily=10)
    arrive(zendesk, 6)
    await house.minute()
    assert given(zendesk, 1) == 2

    arrive(zendesk, 4)
    await house.minute()
    assert given(zendesk, 1) == 6  # 2 of the queue, 4 of others
    arrive(zendesk, 8)
    await house.minute()

    assert given(zendesk, 1) == 10
    assert sum(d.queue == "a" for d in await house.decisions() if d.agent_id) == 2


async def test_what_is_assigned_by_hand_does_not_count_for_daily_5(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await only(house)
    await house.set_limits(1, daily=5)
    arrive(zendesk, 5, assignee_id=1, status="open")
    arrive(zendesk, 7)

    await house.minute()

    assert given(zendesk, 1) == 5
