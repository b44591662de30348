"""The stream of assignments: from any sequence on, without gaps, with heartbeats."""

from __future__ import annotations

import asyncio

from services.assignment.app.watch import Bell, Watch
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def assign(house: House, *tickets: int) -> None:
    for number in tickets:
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)


async def test_what_was_missed_is_told_first_and_then_what_comes(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await assign(house, 4)  # it waits: a decision of its own, but none that gives
    await house.set_status("online", 1)
    await assign(house, 5)
    seen = house.watch(ACCOUNT, 1)

    assert (await anext(seen)).row is None
    told = [await anext(seen) for _ in range(2)]
    await assign(house, 6)
    told.append(await anext(seen))

    assert [one.row.ticket for one in told if one.row] == [4, 5, 6]
    assert [one.sequence for one in told] == [2, 3, 4]
    await seen.aclose()  # type: ignore[attr-defined]  # it is a generator
    again = house.watch(ACCOUNT, 3)
    await anext(again)
    missed = await anext(again)
    assert missed.row is not None
    assert missed.row.ticket == 6


async def test_from_now_on_means_from_now_on(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await assign(house, 5)

    seen = house.watch(ACCOUNT, 0)

    assert (await anext(seen)).sequence == 1
    await assign(house, 6)
    first = await anext(seen)
    assert first.row is not None
    assert first.row.ticket == 6


async def test_when_nothing_happens_a_heartbeat_says_so(house: House) -> None:
    await house.open()
    seen = Watch(house.store, Bell(), heartbeat_seconds=0.001)(ACCOUNT, 7)

    assert [(one.sequence, one.row) for one in [await anext(seen) for _ in range(3)]] == [(7, None)] * 3


async def test_the_bell_wakes_at_once(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    bell = Bell()
    seen = Watch(house.store, bell, heartbeat_seconds=3600)(ACCOUNT, 0)
    await anext(seen)
    waiting = asyncio.ensure_future(anext(seen))
    other = bell.next(ACCOUNT)
    await assign(house, 5)

    bell.ring("acc-other")
    assert not other.is_set()
    bell.ring("")

    told = await asyncio.wait_for(waiting, 30)
    assert told.row is not None
    assert told.row.ticket == 5


async def test_a_change_of_status_is_told_as_it_is_now_and_from_where_it_was_left(house: House) -> None:
    await house.open(1)
    await house.set_status("away", 1)
    await house.set_status("online", 1)
    await house.set_status("invisible", 2)
    seen = house.watch.statuses(ACCOUNT, 1)

    told = [await anext(seen) for _ in range(3)]
    await house.set_status("online", 2)
    told.append(await anext(seen))

    assert [(one.record, one.row and (one.row.user_id, one.row.status)) for one in told] == [
        (1, None),
        (1, (1, "online")),
        (4, (2, "invisible")),
        (5, (2, "online")),
    ]


async def test_statuses_from_now_on_begin_with_a_heartbeat_and_the_bell_wakes_at_once(house: House) -> None:
    await house.open(1)
    seen = Watch(house.store, house.bell, heartbeat_seconds=3600).statuses(ACCOUNT, 0)
    assert (await anext(seen)).record == 1
    waiting = asyncio.ensure_future(anext(seen))
    await asyncio.wait_for(house.set_status("away", 2), 30)
    await house.set_status("online", 2)

    told = await asyncio.wait_for(waiting, 30)
    assert told.row is not None
    assert (told.row.user_id, told.row.status) == (2, "online")
    idle = Watch(house.store, house.bell, heartbeat_seconds=0.001).statuses(ACCOUNT, 7)
    assert [(await anext(idle)).record for _ in range(3)] == [7, 7, 7]
