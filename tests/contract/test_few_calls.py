"""How many calls an account costs, counted by the Zendesk simulator over virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from libs.kernel.ids import CountingIds
from libs.zendesk.tests.simulated import AGENT, REQUESTER, SUPPORT, Zendesk, simulated
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.tests.house import ACCOUNT, House
from tests.contract.test_assignment_at_zendesk import AtSimulator, made, use

QUEUES, MINUTES = 20, 30
OTHER = 5
UNSOLVED = {"field": "status", "operator": "less_than", "value": "solved"}
NOBODY = {"field": "assignee_id", "operator": "is", "value": ""}
OLD = {"field": "NEW", "operator": "greater_than", "value": "4"}


def view(number: int, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"title": f"View {number}", "all": [UNSOLVED, NOBODY, *conditions]}


def tagged(number: int) -> dict[str, str]:
    """A condition on what is not kept here."""
    return {"field": "current_tags", "operator": "includes", "value": f"t{number}"}


def grouped(number: int) -> dict[str, str]:
    """A condition on what is kept here."""
    return {"field": "group_id", "operator": "is", "value": str(GROUPS[number])}


GROUPS = [100 + n for n in range(QUEUES)]
GROUPED = [view(n, grouped(n)) for n in range(QUEUES)]
STEADY = [view(n, tagged(n)) for n in range(QUEUES)]
MOVING = [view(n, OLD) for n in range(QUEUES)]
PEOPLE = [
    {"id": 1, "role": "admin", "name": "Ada", "groups": [SUPPORT, *GROUPS]},
    {"id": AGENT, "role": "agent", "name": "Bo", "groups": [SUPPORT, *GROUPS]},
    {"id": OTHER, "role": "agent", "name": "Di", "groups": [SUPPORT, *GROUPS]},
    {"id": REQUESTER, "role": "end-user", "name": "Cy", "email": "cy@example.com"},
]


@pytest_asyncio.fixture
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A queue for each of the account's views, and no other."""
    groups = [{"id": group, "name": f"Group {group}"} for group in (SUPPORT, *GROUPS)]
    async with simulated(users=PEOPLE, groups=groups, views=request.param, plan="professional") as simulator:
        house = House(MemoryStore(), AtSimulator(simulator), simulator.clock, CountingIds())
        await house.sync(ACCOUNT, "")
        async with house.store.transaction(ACCOUNT) as tx:
            for queue in await tx.directory.queues():
                await tx.directory.delete_queue(queue.id)
        for position, one in enumerate(await (await house.zendesk.of(ACCOUNT)).views.active()):
            await house.queue(f"q{position:02}", source=one.id, position=position)
        yield house


def simulator_of(house: House) -> Zendesk:
    assert isinstance(house.zendesk, AtSimulator)
    return house.zendesk.simulator


async def calls(house: House) -> int:
    """Return how many calls Zendesk was asked so far."""
    counts = (await simulator_of(house).http.get("/_control/acme/requests")).json()
    return int(sum(counts.values()))


async def views_read(house: House) -> int:
    """Return how many times a page of a view was asked for so far."""
    return await simulator_of(house).asked("GET views/{id:int}/tickets")


async def minutes(house: House, count: int) -> int:
    """Let the minute job run so often; return how many calls that took."""
    before = await calls(house)
    for _ in range(count):
        await house.minute(minutes=1)
    return await calls(house) - before


@pytest.mark.parametrize(
    ("house", "most"),
    [(STEADY, 2 * MINUTES), (MOVING, 3 * MINUTES)],
    indirect=["house"],
    ids=["steady", "moving"],
)
async def test_twenty_scheduled_queues_at_rest_cost_less_than_three_calls_a_minute(
    house: House, most: int
) -> None:
    await use(house, skills=True)
    await made(house, *[{"group_id": SUPPORT, "tags": [f"t{n}"]} for n in range(QUEUES)])
    await minutes(house, 15)  # every view is read once, and once more until it is sure what is in it

    assert MINUTES <= await minutes(house, MINUTES) < most


@pytest.mark.parametrize(
    ("house", "tags", "most"),
    [(GROUPED, False, 2 * MINUTES), (STEADY, True, QUEUES * MINUTES // 2)],
    indirect=["house"],
    ids=["by group", "by tag"],
)
async def test_a_busy_account_routes_within_two_minutes_and_reads_views_that_may_have_changed(
    house: House, tags: bool, most: int
) -> None:
    """Nobody tells of these tickets by webhook. Each changes one view; what a view says of tags is not known here."""
    await house.set_status("online", AGENT, OTHER)
    await minutes(house, 2)
    read = await views_read(house)
    waits: dict[int, int] = {}
    came: dict[int, int] = {}
    for minute in range(MINUTES):
        for number in (minute % QUEUES, (7 * minute + 3) % QUEUES):
            spec = {"tags": [f"t{number}"], "group_id": SUPPORT} if tags else {"group_id": GROUPS[number]}
            (ticket,) = await made(house, spec)
            came[ticket] = minute
        house.clock.advance(timedelta(minutes=1))
        done = await house.job(ACCOUNT, catch_up=True, wait_for_writes=True)
        waits |= {ticket: minute + 1 - came[ticket] for ticket, _, _ in done.assignments}
    await minutes(house, 2)

    shown = await (await house.zendesk.of(ACCOUNT)).tickets.show_many(sorted(came))
    assert all(t.assignee_id in (AGENT, OTHER) for t in shown)
    assert max(waits.values()) <= 2
    assert await views_read(house) - read <= most


@pytest.mark.parametrize("house", [STEADY[:1]], indirect=True)
async def test_of_a_large_view_only_what_changed_is_read(house: House) -> None:
    tickets = await made(house, *[{"group_id": SUPPORT, "tags": ["t0"]}] * 250)
    await minutes(house, 15)
    before = await views_read(house)

    (new,) = await made(house, {"group_id": SUPPORT, "tags": ["t0"]})
    left = tickets[100]
    await simulator_of(house).change({"id": left, "tags": []})
    await minutes(house, 3)

    assert await views_read(house) - before == 2  # one page, and one a minute later to be sure
    await house.set_status("online", AGENT)
    await house.minute(minutes=1)
    shown = await (await house.zendesk.of(ACCOUNT)).tickets.show_many([new, left, tickets[0]])
    assert {t.id: t.assignee_id for t in shown} == {new: AGENT, left: None, tickets[0]: AGENT}


@pytest.mark.parametrize("house", [STEADY], indirect=True)
async def test_tickets_that_do_not_wait_cost_no_read_of_a_view(house: House) -> None:
    await minutes(house, 2)
    await made(house, {"group_id": SUPPORT, "assignee_id": AGENT, "status": "open"})

    assert await minutes(house, 3) == 3  # who has an agent waits for nobody
