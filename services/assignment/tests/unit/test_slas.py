"""Queues in SLA order: where the times come from, when they are read, and who goes first."""

from __future__ import annotations

from datetime import timedelta

from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def one_at_a_time(house: House) -> None:
    """A queue in SLA order, and an agent who takes one ticket a minute."""
    await house.open(1)
    await house.queue("sla", use_sla=True, batch_size=1)


async def order(house: House, zendesk: LocalZendesk, minutes: int) -> list[int]:
    for _ in range(minutes):
        await house.minute(minutes=1)
    return [ticket for ticket, _ in zendesk.writes]


def breach(house: House, zendesk: LocalZendesk, **minutes: int) -> None:
    """Let tickets be breached in so many minutes from now."""
    zendesk.breaches |= {int(t[1:]): house.clock.now() + timedelta(minutes=m) for t, m in minutes.items()}


async def test_the_next_breach_goes_first_breached_ones_before_and_those_without_sla_last_by_age(
    house: House, zendesk: LocalZendesk
) -> None:
    await one_at_a_time(house)
    for number in (1, 2, 3, 4, 5):
        zendesk.ticket(number, group_id=SUPPORT, priority="urgent" if number == 2 else "low")
        house.clock.advance(timedelta(seconds=1))
    breach(house, zendesk, t3=60, t4=-60, t5=30)

    assert await order(house, zendesk, 7) == [4, 5, 3, 1, 2]


async def test_without_use_sla_no_time_is_read(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.ticket(1, group_id=SUPPORT)
    breach(house, zendesk, t1=5)
    await house.minute()

    assert zendesk.writes == [(1, 1)]
    assert sum(call == "GET tickets/show_many" for call in zendesk.calls) == 1  # the writer's own


async def test_a_time_is_read_until_it_settled_and_then_only_when_the_ticket_changes(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    await house.queue("sla", use_sla=True)
    zendesk.ticket(1, group_id=SUPPORT)
    reads = []
    for _ in range(4):
        await house.minute(minutes=2)
        reads.append(sum(call == "GET tickets/show_many" for call in zendesk.calls))
    zendesk.change(1, priority="high")
    await house.minute(minutes=2)

    assert reads == [1, 1, 1, 1]
    assert sum(call == "GET tickets/show_many" for call in zendesk.calls) == 2


async def test_sla_times_that_a_list_leaves_out_are_asked_for_one_by_one(
    house: House, zendesk: LocalZendesk
) -> None:
    await one_at_a_time(house)
    zendesk.lists_slas = False
    for number in (1, 2):
        zendesk.ticket(number, group_id=SUPPORT)
    breach(house, zendesk, t2=30)

    assert await order(house, zendesk, 4) == [2, 1]


async def test_while_zendesk_does_not_answer_the_queue_goes_by_what_is_known(
    house: House, zendesk: LocalZendesk
) -> None:
    await one_at_a_time(house)
    for number in (1, 2):
        zendesk.ticket(number, group_id=SUPPORT)
        house.clock.advance(timedelta(seconds=1))
    breach(house, zendesk, t2=30)
    await house.set_status("away", 1)
    await house.minute(minutes=2)
    await house.set_status("online", 1)
    zendesk.ticket(3, group_id=SUPPORT, created_at="2000-01-01T00:00:00Z")
    zendesk.fault("GET tickets/show_many", times=1, status=404)

    assert (await order(house, zendesk, 2))[0] == 2


async def test_why_a_ticket_waits_says_its_place_and_its_breach_and_the_decision_recomputes(
    house: House, zendesk: LocalZendesk
) -> None:
    await one_at_a_time(house)
    await house.set_status("away", 1)
    for number in (1, 2):
        zendesk.ticket(number, group_id=SUPPORT)
    breach(house, zendesk, t2=30)
    await house.minute()
    first = await house.explain.why_waiting(ACCOUNT, 2)
    second = await house.explain.why_waiting(ACCOUNT, 1)

    assert (first.decision.rank, second.decision.rank) == (1, 2)
    at = zendesk.breaches[2].isoformat()
    assert first.sentences[-1] == (
        f"it is number 1 of its queue, which goes by SLA: its next breach is at {at}"
    )
    assert "none is known to run on it" in second.sentences[-1]
    for decision in await house.decisions():
        assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes
