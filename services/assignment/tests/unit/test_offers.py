"""Offers: a ticket waits for one agent's answer, and keeps its age when it goes on to the next (facts: §5.7)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libs.kernel.errors import NotFoundError, PermissionDeniedError
from services.assignment.app.background import OfferSweeper
from services.assignment.app.options import QueueOptions
from services.assignment.app.route import COOL_DOWN
from services.assignment.domain.errors import OfferEndedError
from services.assignment.domain.rotation import TURN
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

MINUTE = timedelta(minutes=1)


async def offered(
    house: House, *tickets: int, agents: tuple[int, ...] = (1, 2)
) -> dict[int, tuple[str, int]]:
    """Let tickets be offered for a minute; return offer and agent by ticket."""
    await house.open(*agents)
    await house.queue("asked", options=QueueOptions(offer_seconds=60))
    for number in tickets:
        house.zendesk.ticket(number, group_id=SUPPORT)
        house.clock.advance(timedelta(seconds=10))
    await house.minute()
    return await live(house, *tickets)


async def live(house: House, *tickets: int) -> dict[int, tuple[str, int]]:
    """Return who thinks about which ticket."""
    found = {}
    async with house.store.transaction(ACCOUNT) as tx:
        for ticket in tickets:
            if (offer := await tx.offers.live(ticket)) is not None:
                found[ticket] = (offer.id, offer.agent_id)
    return found


async def owed(house: House) -> dict[int, int]:
    """Return the turns owed by agent."""
    async with house.store.transaction(ACCOUNT) as tx:
        account, queue = await tx.directory.account(), await tx.directory.queue("asked")
        assert account is not None
        assert queue is not None
        snapshot = await tx.decisions.snapshot(account, queue, house.clock.now(), None)
    return {a.id: a.credit for a in snapshot.agents}


async def test_an_offer_holds_ticket_and_slot_and_writes_nothing(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await house.set_limits(1, inbox=1)

    found = await offered(house, 5, 6, agents=(1,))
    await house.minute(minutes=0)

    assert {t: agent for t, (_, agent) in found.items()} == {5: 1}
    assert (await house.ticket(5)).routing == "offered"
    assert (await house.ticket(6)).routing == "waiting"
    assert zendesk.writes == []
    decision = (await house.decisions(5))[-1]
    assert (decision.outcome, decision.write, decision.id) == ("OFFERED", "none", found[5][0])
    assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes is True
    assert (await house.explain.verify_chain(ACCOUNT))[0]


async def test_who_accepts_gets_the_ticket_once(house: House, zendesk: LocalZendesk) -> None:
    offer, agent = (await offered(house, 5))[5]

    first = await house.answer(ACCOUNT, offer, agent, accept=True)
    again = await house.answer(ACCOUNT, offer, agent, accept=True)
    await house.write(ACCOUNT)

    assert (first, first.routing, first.facts.assignee_id) == (again, "assigned", agent)
    assert zendesk.writes == [(5, agent)]
    assert (await house.decisions(5))[-1].write == "confirmed"
    with pytest.raises(OfferEndedError) as refused:
        await house.answer(ACCOUNT, offer, agent, accept=False)
    assert refused.value.metadata == {"state": "accepted", "agent": str(agent)}


async def test_a_declined_ticket_goes_on_at_once_with_its_age_and_not_to_who_declined(
    house: House, zendesk: LocalZendesk
) -> None:
    created = (await offered(house, 5))[5]
    offer, agent = created
    before = (await house.ticket(5)).facts.created_at

    await house.answer(ACCOUNT, offer, agent, accept=False)

    following, other = (await live(house, 5))[5]
    assert {agent, other} == {1, 2}
    assert (await house.ticket(5)).facts.created_at == before
    with pytest.raises(OfferEndedError) as refused:
        await house.answer(ACCOUNT, offer, agent, accept=True)
    assert refused.value.metadata == {"state": "declined", "agent": str(other)}
    again = await house.answer(ACCOUNT, offer, agent, accept=False)
    assert again.routing == "offered"
    assert (await live(house, 5))[5] == (following, other)


async def test_nobody_answers_for_another(house: House, zendesk: LocalZendesk) -> None:
    offer, agent = (await offered(house, 5))[5]

    with pytest.raises(PermissionDeniedError):
        await house.answer(ACCOUNT, offer, 3 - agent, accept=True)
    with pytest.raises(PermissionDeniedError):
        await house.answer(ACCOUNT, "unknown", agent, accept=True)
    with pytest.raises(NotFoundError):
        await house.answer(ACCOUNT, "unknown", None, accept=True)
    assert (await live(house, 5))[5] == (offer, agent)


async def test_at_the_very_second_an_offer_is_over(house: House, zendesk: LocalZendesk) -> None:
    offer, agent = (await offered(house, 5))[5]

    house.clock.advance(timedelta(seconds=59))
    assert await house.expire(ACCOUNT) == 0
    house.clock.advance(timedelta(seconds=1))
    with pytest.raises(OfferEndedError) as refused:
        await house.answer(ACCOUNT, offer, agent, accept=True)
    assert refused.value.metadata["state"] == "expired"
    sweeper = OfferSweeper(house.store, house.expire, house.clock)
    await sweeper.sweep()

    assert (await live(house, 5))[5][1] == 3 - agent
    assert await house.expire(ACCOUNT) == 0


async def test_an_offer_that_became_no_work_costs_no_turn(house: House, zendesk: LocalZendesk) -> None:
    offer, agent = (await offered(house, 5, agents=(1,)))[5]

    await house.answer(ACCOUNT, offer, agent, accept=False)

    assert agent == 1
    assert (await owed(house))[1] == TURN


async def test_who_took_it_in_zendesk_has_it_and_the_offer_is_withdrawn(
    house: House, zendesk: LocalZendesk
) -> None:
    offer, agent = (await offered(house, 5))[5]

    house.clock.advance(timedelta(seconds=5))
    zendesk.change(5, assignee_id=9, status="open")
    await house.webhook(5)

    assert await live(house, 5) == {}
    assert (await house.ticket(5)).routing == "not_routable"
    with pytest.raises(OfferEndedError) as refused:
        await house.answer(ACCOUNT, offer, agent, accept=True)
    assert refused.value.metadata == {"state": "withdrawn", "agent": "9"}


async def test_news_that_change_nothing_leave_the_offer(house: House, zendesk: LocalZendesk) -> None:
    found = await offered(house, 5)

    house.clock.advance(timedelta(seconds=5))
    zendesk.change(5, priority="urgent")
    await house.webhook(5)

    assert await live(house, 5) == found
    assert (await house.ticket(5)).facts.priority == "urgent"


async def test_when_everybody_declined_all_are_asked_again_after_a_while(
    house: House, zendesk: LocalZendesk
) -> None:
    await offered(house, 5)
    for _ in range(2):
        offer, agent = (await live(house, 5))[5]
        await house.answer(ACCOUNT, offer, agent, accept=False)
    declined_at = house.clock.now()

    why = await house.explain.why_waiting(ACCOUNT, 5)
    assert any(s.startswith("2 agents declined or skipped it") for s in why.sentences)
    house.clock.advance(COOL_DOWN - MINUTE)
    await house.minute(minutes=0)
    assert await live(house, 5) == {}
    await house.minute(minutes=1)

    assert house.clock.now() - declined_at == COOL_DOWN
    assert (await live(house, 5))[5][1] in (1, 2)


async def test_who_pulls_is_not_asked(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await house.queue("asked", options=QueueOptions(offer_seconds=60))
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    await house.set_status("online", 1)

    ticket, decision = await house.next(ACCOUNT, 1, "")

    assert ticket is not None
    assert decision is not None
    assert (ticket.facts.id, decision.outcome, zendesk.writes) == (5, "ASSIGNED", [(5, 1)])


async def test_who_lets_offers_expire_in_a_row_is_set_aside(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await house.queue(
        "asked", options=QueueOptions(offer_seconds=60, missed_offers=2, missed_status="missed")
    )
    for number in (5, 6, 7):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.minute()
        (offer, _) = (await live(house, number))[number]
        if number == 5:
            await house.answer(ACCOUNT, offer, 1, accept=True)
        house.clock.advance(MINUTE)
        await house.expire(ACCOUNT)
        async with house.store.transaction(ACCOUNT) as tx:
            row = await tx.directory.agent(1)
        assert row is not None
        assert row.status == ("missed" if number == 7 else "online")

    for number in (6, 7):
        zendesk.change(number, status="solved")
        await house.webhook(number)
    await house.set_status("online", 1)
    house.clock.advance(MINUTE)
    zendesk.ticket(8, group_id=SUPPORT)
    await house.minute()
    house.clock.advance(MINUTE)
    await house.expire(ACCOUNT)
    async with house.store.transaction(ACCOUNT) as tx:
        row = await tx.directory.agent(1)
    assert row is not None
    assert row.status == "online"  # it is counted anew
