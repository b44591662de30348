"""Queues and agents that go by Zendesk's schedules: closed, off shift, refused, fresh."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.app.options import QueueOptions
from services.assignment.app.schedules import READ_EVERY
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

OFFICE = [(day * 1440 + 540, day * 1440 + 1020) for day in range(7)]
ROME, TOKYO, ATLANTIS = 71, 72, 73


@pytest.fixture
def zendesk(zendesk: LocalZendesk) -> LocalZendesk:
    """With offices in Rome, Tokyo and Atlantis, 9 to 17 each day."""
    zendesk.schedule(ROME, "Rome", *OFFICE, holidays=[("2026-10-26", "2026-10-26")])
    zendesk.schedule(TOKYO, "Asia/Tokyo", *OFFICE)
    zendesk.schedule(ATLANTIS, "Atlantis", *OFFICE)
    return zendesk


def set_clock(house: House, text: str) -> None:
    """Move the clock to an instant of UTC."""
    house.clock.advance(datetime.fromisoformat(text).replace(tzinfo=UTC) - house.clock.now())


async def shift(house: House, agent: int, schedule: int | None) -> None:
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.schedules.put_agent(agent, schedule)


async def reads(house: House, zendesk: LocalZendesk) -> int:
    await house.minute(minutes=1)
    return zendesk.calls.count("GET business_hours/schedules")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-10-23T06:58", "2026-10-23T07:00"),  # summer: 9:00 is 7:00 UTC
        ("2026-10-25T07:58", "2026-10-25T08:00"),  # the day the clocks went back
        ("2027-03-28T06:58", "2027-03-28T07:00"),  # the day they went forward
        ("2026-10-26T16:00", "2026-10-27T08:00"),  # a holiday
    ],
)
async def test_a_queue_rests_until_its_schedule_begins(
    house: House, zendesk: LocalZendesk, before: str, after: str
) -> None:
    set_clock(house, before)
    await house.open(1)
    await house.queue("office", options=QueueOptions(schedule=ROME))
    zendesk.ticket(1, group_id=SUPPORT)
    await house.webhook(1)

    await house.minute(minutes=1)
    assert zendesk.writes == []
    assert [d.outcome for d in await house.decisions(1)] == ["QUEUE_CLOSED"]
    why = await house.explain.why_waiting(ACCOUNT, 1)
    assert why.sentences[:2] == [
        "the queue's schedule rests now: its tickets are given when it opens",
        f"the queue opens at {after.replace('T', ' ')} UTC",
    ]
    set_clock(house, after)
    await house.minute(minutes=0)

    assert zendesk.writes == [(1, 1)]
    for decision in await house.decisions():
        assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes


async def test_a_closed_queue_gives_nothing_to_who_pulls_either(house: House, zendesk: LocalZendesk) -> None:
    set_clock(house, "2026-07-06T03:00")
    await house.open(1)
    await house.queue("office", options=QueueOptions(schedule=ROME))
    zendesk.ticket(1, group_id=SUPPORT)
    await house.minute()

    assert await house.next(ACCOUNT, 1, "") == (None, None)


async def test_an_agent_off_shift_gets_no_new_ticket_and_keeps_what_he_has(
    house: House, zendesk: LocalZendesk
) -> None:
    set_clock(house, "2026-07-06T14:58")
    await house.open(1)
    await shift(house, 1, ROME)
    zendesk.ticket(1, group_id=SUPPORT)
    await house.webhook(1)
    await house.minute(minutes=1)
    zendesk.ticket(2, group_id=SUPPORT)
    house.clock.advance(timedelta(minutes=1))  # 15:00, and half-open
    await house.webhook(2)
    why = await house.explain.why_waiting(ACCOUNT, 2)

    assert [t["assignee_id"] for t in zendesk.tickets.values()] == [1, None]
    assert "1 agent is off shift or on leave: free when their shift begins" in why.sentences
    assert "the next shift begins at 2026-07-07 07:00 UTC" in why.sentences
    await shift(house, 2, TOKYO)
    await house.set_status("online", 2)
    set_clock(house, "2026-07-07T00:00")
    await house.minute(minutes=0)

    assert zendesk.tickets[2]["assignee_id"] == 2


async def test_a_schedule_that_is_gone_lets_nothing_through_and_says_what_to_change(
    house: House, zendesk: LocalZendesk
) -> None:
    set_clock(house, "2026-07-06T10:00")
    await house.open(1)
    await house.queue("office", options=QueueOptions(schedule=ROME))
    del zendesk.schedules[ROME]
    zendesk.ticket(1, group_id=SUPPORT)
    house.clock.advance(READ_EVERY)
    await house.minute()
    why = await house.explain.why_waiting(ACCOUNT, 1)

    assert zendesk.writes == []
    assert (
        "no schedule `71` is known: make it in Zendesk under business hours, then sync the account"
        in why.sentences
    )


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [(ATLANTIS, "has no time zone that we know (`Atlantis`)"), (99, "no schedule `99`")],
)
async def test_a_queue_with_a_schedule_that_nobody_can_go_by_is_refused(
    house: House, schedule: int, sentence: str
) -> None:
    await house.open(1)
    row = await house.queue("office")
    wrong = replace(row, id="other", options=QueueOptions(schedule=schedule))

    with pytest.raises(InvalidRequestError) as made:
        await house.queues.create(ACCOUNT, wrong, "", b"", validate_only=False)
    with pytest.raises(InvalidRequestError) as changed:
        await house.queues.change(
            ACCOUNT, "office", "", lambda q: replace(q, options=wrong.options), validate_only=False
        )
    for refused in (made.value, changed.value):
        assert [v.field for v in refused.violations] == ["schedule_id"]
        assert sentence in refused.violations[0].description


async def test_schedules_are_copied_at_a_sync_and_once_an_hour_where_somebody_goes_by_one(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    house.clock.advance(READ_EVERY)
    assert [await reads(house, zendesk) for _ in range(2)] == [1, 1]  # the sync's own
    await shift(house, 1, ROME)
    assert [await reads(house, zendesk) for _ in range(3)] == [2, 2, 2]
    house.clock.advance(READ_EVERY - timedelta(minutes=2))
    assert await reads(house, zendesk) == 3


async def test_while_zendesk_does_not_answer_the_known_hours_hold(
    house: House, zendesk: LocalZendesk
) -> None:
    set_clock(house, "2026-07-06T08:00")
    await house.open(1)
    await shift(house, 1, ROME)
    house.clock.advance(READ_EVERY)
    zendesk.fault("GET business_hours/schedules", times=1, status=422)
    zendesk.ticket(1, group_id=SUPPORT)
    await house.minute()

    assert zendesk.writes == [(1, 1)]


async def test_a_plan_without_schedules_has_none(house: House, zendesk: LocalZendesk) -> None:
    zendesk.fault("GET business_hours/schedules", times=1, status=403)
    await house.open(1)

    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.schedules.all() == {}
