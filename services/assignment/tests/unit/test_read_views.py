"""Views are read when they can have changed, seldom otherwise, and never for ever once they are gone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from services.assignment.app.options import AccountOptions
from services.assignment.app.run_minute_job import RunMinuteJob
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

UNSOLVED = {"field": "status", "operator": "less_than", "value": "solved"}


def of_group(zendesk: LocalZendesk, view: int, group: int) -> None:
    """Make a view of a group's unassigned tickets."""
    zendesk.views[view] = lambda t: t["group_id"] == group and t["status"] in ("new", "open")
    in_group = {"field": "group_id", "operator": "is", "value": str(group)}
    zendesk.view_conditions[view] = {"all": [UNSOLVED, in_group]}


async def calls(house: House, minutes: int = 1) -> Counter[str]:
    """Return what the job of some minutes asks of Zendesk."""
    before = len(house.zendesk.calls)
    for _ in range(minutes):
        await house.minute(minutes=1)
    return Counter(house.zendesk.calls[before:])


@pytest.fixture
async def two_views(house: House, zendesk: LocalZendesk) -> House:
    """Support's queue is view 70, Billing's 71; both were read, and there is no other queue."""
    await house.open()
    async with house.store.transaction(ACCOUNT) as tx:
        for queue in await tx.directory.queues():
            await tx.directory.delete_queue(queue.id)
    of_group(zendesk, 70, SUPPORT)
    of_group(zendesk, 71, BILLING)
    await house.queue("support", source=70)
    await house.queue("billing", source=71, position=1)
    assert (await calls(house))["GET views/70/tickets"] == 1
    return house


async def test_at_rest_no_view_is_read(two_views: House) -> None:
    told = await calls(two_views, 9)

    assert told == {"GET incremental/tickets/cursor": 9}


async def test_a_ticket_without_a_webhook_is_found_by_the_export_and_only_its_view_is_read(
    two_views: House, zendesk: LocalZendesk
) -> None:
    await two_views.set_status("online", 1)
    zendesk.ticket(5, group_id=SUPPORT)

    told = await calls(two_views, 2)

    assert zendesk.tickets[5]["assignee_id"] == 1
    assert (told["GET views/70/tickets"], told["GET views/71/tickets"]) == (1, 0)
    assert (await calls(two_views, 8))["GET views/70/tickets"] == 0  # it does not wait any more


async def test_a_webhook_s_ticket_is_routed_by_the_next_job(two_views: House, zendesk: LocalZendesk) -> None:
    await two_views.set_status("online", 3)
    zendesk.ticket(5, group_id=BILLING)
    await two_views.webhook(5)

    told = await calls(two_views)

    assert zendesk.tickets[5]["assignee_id"] == 3
    assert (told["GET views/70/tickets"], told["GET views/71/tickets"]) == (0, 1)


async def test_a_ticket_that_left_its_view_is_routed_no_more(two_views: House, zendesk: LocalZendesk) -> None:
    zendesk.ticket(5, group_id=SUPPORT)
    await two_views.webhook(5)
    await calls(two_views, 11)
    zendesk.views[70] = lambda t: "vip" not in t.get("tags", ())
    zendesk.change(5, tags=["vip"])
    await two_views.webhook(5)
    await two_views.set_status("online", 1)

    await calls(two_views)

    assert zendesk.tickets[5]["assignee_id"] is None


async def test_a_change_of_a_view_s_conditions_is_noticed(two_views: House, zendesk: LocalZendesk) -> None:
    of_group(zendesk, 70, BILLING)

    told = await calls(two_views, 10)

    assert (told["GET views/show_many"], told["GET views/70/tickets"], told["GET views/71/tickets"]) == (
        1,
        1,
        0,
    )


async def test_a_view_that_vanished_is_asked_once_and_shows_up_again(
    two_views: House, zendesk: LocalZendesk
) -> None:
    kept = zendesk.views.pop(70)

    told = await calls(two_views, 60)
    assert (told["GET views/70/tickets"], told["GET views/show_many"]) == (1, 6)
    zendesk.views[70] = kept
    await two_views.set_status("online", 1)
    zendesk.ticket(5, group_id=SUPPORT)
    await calls(two_views, 11)

    assert (await two_views.decisions(5))[-1].queue == "support"


async def test_a_view_that_cannot_be_read_stops_nobody_and_keeps_what_it_held(
    two_views: House, zendesk: LocalZendesk
) -> None:
    zendesk.ticket(5, group_id=SUPPORT)
    await two_views.webhook(5)
    await calls(two_views)
    zendesk.fault("GET views/70/tickets", status=400, times=2)
    zendesk.ticket(6, group_id=BILLING)
    await two_views.webhook(6)
    await two_views.set_status("online", 1, 3)

    await calls(two_views, 2)

    assert (zendesk.tickets[5]["assignee_id"], zendesk.tickets[6]["assignee_id"]) == (1, 3)


async def test_another_replica_goes_on_without_a_storm(two_views: House) -> None:
    house = two_views
    house.job = RunMinuteJob(
        house.store,
        house.zendesk,
        house.route,
        house.prefer,
        house.absences,
        house.returned,
        house.skills,
        house.schedules,
        house.write,
        house.clock,
    )

    assert await calls(house) == {"GET incremental/tickets/cursor": 1}


async def test_a_view_that_time_changes_is_read_every_five_minutes(
    two_views: House, zendesk: LocalZendesk
) -> None:
    old = {"field": "NEW", "operator": "greater_than", "value": "4"}
    zendesk.views[72] = lambda _: False
    zendesk.view_conditions[72] = {"all": [old]}
    await two_views.queue("old", source=72)
    await calls(two_views)

    assert (await calls(two_views, 20))["GET views/72/tickets"] == 4


async def test_paused_and_deleted_queues_views_are_not_read_and_begin_anew(
    two_views: House, zendesk: LocalZendesk
) -> None:
    await two_views.queue("support", source=70, state="paused")
    zendesk.ticket(5, group_id=SUPPORT)
    await two_views.webhook(5)
    assert (await calls(two_views, 3))["GET views/70/tickets"] == 0

    await two_views.queue("support", source=70)

    assert (await calls(two_views))["GET views/70/tickets"] == 1


@pytest.mark.parametrize(("options", "followed"), [({"skills": True}, 15), ({}, 0)])
async def test_skills_are_followed_every_second_minute_at_rest(
    house: House, options: dict[str, Any], followed: int
) -> None:
    await house.open()
    async with house.store.transaction(ACCOUNT) as tx:
        kept = await tx.directory.account()
        assert kept is not None
        await tx.directory.put_account(replace(kept, options=AccountOptions(**options)))

    told = await calls(house, 30)

    assert told["GET incremental/routing/instance_values"] == followed
