"""Skips and releases: tickets go back to their queues, in Zendesk too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libs.kernel.errors import DependencyUnavailableError, NotFoundError
from services.assignment.app.options import QueueOptions
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def given(house: House, *tickets: int) -> None:
    """Let agent 1 have tickets of ours."""
    await house.open(1)
    for number in tickets:
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
        house.clock.advance(timedelta(seconds=10))
    await house.write(ACCOUNT)


async def test_all_open_tickets_of_an_agent_go_back_and_to_the_next(
    house: House, zendesk: LocalZendesk
) -> None:
    await given(house, *range(5, 25))
    zendesk.ticket(30, group_id=SUPPORT, assignee_id=1, status="open")  # by hand
    await house.webhook(30)
    zendesk.ticket(31, group_id=SUPPORT, assignee_id=1, status="pending")
    await house.webhook(31)
    await house.set_status("away", 1)

    assert await house.release(ACCOUNT, 1, validate_only=True) == 21
    assert await house.pending() == 0
    assert await house.release(ACCOUNT, 1, validate_only=False) == 21
    assert await house.release(ACCOUNT, 1, validate_only=False) == 21
    assert await house.pending() == 21
    written = await house.write(ACCOUNT)

    assert (written.confirmed, written.conflicts) == (21, 0)
    assert {t["assignee_id"] for n, t in zendesk.tickets.items() if n != 31} == {None}
    assert {t["group_id"] for t in zendesk.tickets.values()} == {SUPPORT}
    assert zendesk.tickets[31]["assignee_id"] == 1
    assert await house.release(ACCOUNT, 1, validate_only=False) == 0
    await house.set_status("online", 2)
    done = await house.minute()
    assert {agent for _, agent, _ in done.assignments} == {2}
    assert len(done.assignments) == 21


async def test_a_ticket_that_somebody_took_meanwhile_stays_his(house: House, zendesk: LocalZendesk) -> None:
    await given(house, 5, 6)

    await house.release(ACCOUNT, 1, validate_only=False)
    house.clock.advance(timedelta(seconds=5))
    zendesk.change(5, assignee_id=9)
    zendesk.change(6, status="solved")
    written = await house.write(ACCOUNT)

    assert (written.confirmed, written.conflicts) == (0, 2)
    assert (zendesk.tickets[5]["assignee_id"], zendesk.tickets[6]["assignee_id"]) == (9, 1)
    assert (await house.ticket(5)).facts.assignee_id == 9


async def test_a_release_whose_answer_was_lost_is_carried_out_once(
    house: House, zendesk: LocalZendesk
) -> None:
    await given(house, 5)

    await house.release(ACCOUNT, 1, validate_only=False)
    zendesk.fault("PUT tickets/5", lost=True)
    first = await house.write(ACCOUNT)
    second = await house.write(ACCOUNT)

    assert (first.postponed, second.confirmed) == (1, 1)
    assert zendesk.writes == [(5, 1), (5, 0)]
    assert (await house.ticket(5)).routing == "waiting"


async def test_a_release_in_the_second_of_the_assignment_counts(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    await house.write(ACCOUNT)

    await house.release(ACCOUNT, 1, validate_only=False)
    await house.write(ACCOUNT)

    assert (await house.ticket(5)).routing == "waiting"
    assert (await house.ticket(5)).facts.assignee_id is None


async def test_of_an_unknown_agent_nothing_is_released(house: House) -> None:
    await house.open()

    with pytest.raises(NotFoundError):
        await house.release(ACCOUNT, 404, validate_only=False)


async def test_skips_lead_through_the_tickets_and_wrap_to_the_top(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    for number in (5, 6):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
        house.clock.advance(timedelta(seconds=10))
    await house.set_status("online", 1)
    played = []
    for _ in range(4):
        ticket, _ = await house.next(ACCOUNT, 1, "")
        assert ticket is not None
        played.append(ticket.facts.id)
        await house.skip(ACCOUNT, ticket.facts.id, 1, "not for me")
        await house.write(ACCOUNT)

    assert played == [5, 6, 5, 6]
    assert zendesk.skips == [(5, "not for me"), (6, "not for me")] * 2
    assert zendesk.tickets[6]["assignee_id"] is None


async def test_who_skipped_a_ticket_is_not_given_it_by_the_queue(house: House, zendesk: LocalZendesk) -> None:
    await given(house, 5)

    await house.skip(ACCOUNT, 5, 1, "")
    await house.write(ACCOUNT)
    await house.minute()
    assert (await house.ticket(5)).routing == "waiting"
    await house.set_status("online", 2)
    await house.minute()

    assert zendesk.tickets[5]["assignee_id"] == 2


async def test_what_an_agent_skips_of_an_offer_goes_on(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    await house.queue("asked", options=QueueOptions(offer_seconds=60))
    zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()
    async with house.store.transaction(ACCOUNT) as tx:
        offer = await tx.offers.live(5)
    assert offer is not None

    await house.skip(ACCOUNT, 5, offer.agent_id, "")

    async with house.store.transaction(ACCOUNT) as tx:
        following = await tx.offers.live(5)
    assert following is not None
    assert following.agent_id == 3 - offer.agent_id


async def test_only_what_waits_or_is_his_can_be_skipped(house: House, zendesk: LocalZendesk) -> None:
    await given(house, 5)

    for ticket, agent in ((5, 2), (404, 1)):
        with pytest.raises(NotFoundError):
            await house.skip(ACCOUNT, ticket, agent, "")
    assert zendesk.skips == []


async def test_zendesk_is_told_of_a_skip_when_it_is_back(house: House, zendesk: LocalZendesk) -> None:
    await given(house, 5)

    zendesk.down = True
    with pytest.raises(DependencyUnavailableError):
        await house.skip(ACCOUNT, 5, 1, "why")
    zendesk.down = False
    for _ in range(2):
        await house.skip(ACCOUNT, 5, 1, "why")

    assert zendesk.skips == [(5, "why")]
