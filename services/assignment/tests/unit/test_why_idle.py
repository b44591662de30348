"""WhyIdle: why an agent gets nothing, queue by queue, what would change it, and when it ends by itself (facts: §7.1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.kernel.errors import NotFoundError, PermissionDeniedError
from services.assignment.app.options import QueueOptions
from services.assignment.app.rows import SkillLink
from services.assignment.app.why_idle import Idle, Standing
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.model import Code
from services.assignment.domain.sentences import about_agent
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call, servicer
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_service_pb2 as messages

HOUR = timedelta(hours=1)


async def idle(house: House, agent: int) -> Idle:
    return await house.why_idle(ACCOUNT, agent, 0, 50)


async def standing(house: House, agent: int, queue: str = "") -> Standing:
    """Return an agent's standing in a queue; in the first one when none is named."""
    found = (await idle(house, agent)).standings
    return next(one for one in found if queue in ("", one.queue.id))


async def waits(house: House, *tickets: int, group: int | None = SUPPORT, **values: Any) -> None:
    """Let tickets wait that nobody is given by a round."""
    for number in tickets:
        house.zendesk.ticket(number, group_id=group, **values)
        await house.webhook(number)


async def test_an_agent_who_can_have_a_ticket_is_told_that_he_gets_one(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    await waits(house, 5)
    await house.set_status("online", 1)

    found = await idle(house, 1)

    (one,) = found.standings
    assert (one.code, one.waiting, dict(one.by_code)) == ("CHOSEN", 1, {"CHOSEN": 1})
    assert one.sentences == ["the agent gets the next ticket, within a minute"]
    assert found.sentences == []


async def test_a_queue_in_which_nothing_waits_says_so_and_whether_he_could(house: House) -> None:
    await house.open(1)

    able, other = await standing(house, 1), await standing(house, 2)

    assert (able.code, able.waiting, able.sentences[0]) == ("CHOSEN", 0, "no ticket waits in the queue")
    assert (other.code, other.waiting) == ("STATUS_NOT_ONLINE", 0)
    assert other.sentences == [about_agent(Code.STATUS_NOT_ONLINE), "no ticket waits in the queue"]
    assert dict(other.detail) == {"status": "away"}


async def test_what_bars_him_everywhere_is_told_once(house: House) -> None:
    await house.open()
    await house.queue("a")
    await house.queue("b")

    found = await idle(house, 1)

    assert [s.code for s in found.standings] == ["STATUS_NOT_ONLINE"] * 3
    assert found.sentences == ["the agent is not online: free when they set their status to online"]


async def test_the_code_is_the_one_that_comes_closest_to_a_ticket(house: House) -> None:
    await house.open()
    await house.set_limits(1, inbox=1)
    await waits(house, 5, 6, 7)
    await waits(house, 8, group=BILLING)
    await house.set_status("online", 1)
    await house.job(ACCOUNT, catch_up=False, wait_for_writes=True)  # one of them is his: he is full

    one = await standing(house, 1)

    assert one.code == "INBOX_LIMIT"
    assert dict(one.by_code) == {"INBOX_LIMIT": 2, "NOT_IN_GROUP": 1}
    assert dict(one.detail) == {"count": "1", "limit": "1"}
    assert one.free_at is None  # nobody knows when he is done
    assert (await idle(house, 1)).sentences == [about_agent(Code.INBOX_LIMIT)]


async def test_who_loses_to_others_is_told_by_what(house: House) -> None:
    await house.open()
    await house.queue("load", kind="trigger", model="least_active")
    await waits(house, 5)
    await house.set_status("online", 1, 2)

    one, other = await standing(house, 1, "load"), await standing(house, 2, "load")

    assert {one.code, other.code} == {"CHOSEN", "LOST_LOAD"}
    loser = one if one.code == "LOST_LOAD" else other
    assert loser.sentences == [about_agent(Code.LOST_LOAD)]


async def test_the_daily_limit_says_when_the_oldest_ticket_is_twelve_hours_old(house: House) -> None:
    await house.open()
    await house.queue("all")
    await house.set_limits(1, daily=2)
    house.zendesk.ticket(5, group_id=SUPPORT)
    await house.set_status("online", 1)
    await house.minute()
    first = house.clock.now()
    house.clock.advance(HOUR)
    for number in (6, 7):
        house.zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()

    one = await standing(house, 1, "all")

    assert (one.code, dict(one.detail)) == ("DAILY_LIMIT", {"count": "2", "limit": "2"})
    assert one.free_at == first + 12 * HOUR
    assert (
        one.sentences[1] == f"free from {first + 12 * HOUR:%Y-%m-%d %H:%M:%S} UTC on, if nothing else happens"
    )
    why = (await house.explain.why_waiting(ACCOUNT, 7)).sentences
    said = f"{first + 12 * HOUR:%Y-%m-%d %H:%M:%S} UTC"
    assert f"agent `1` is the first below the limit of tickets in 12 hours, at {said}" in why
    # And so it is: a second before he is not asked, at the instant he is.
    house.clock.set(first + 12 * HOUR - timedelta(seconds=1))
    assert (await standing(house, 1, "all")).code == "DAILY_LIMIT"
    house.clock.set(first + 12 * HOUR)
    assert (await standing(house, 1, "all")).code == "CHOSEN"


async def test_the_queue_s_own_daily_limit_counts_its_own_tickets(house: House) -> None:
    await house.open()
    await house.queue("all", daily_limit=1)
    house.zendesk.ticket(5, group_id=SUPPORT)
    house.zendesk.ticket(6, group_id=SUPPORT)
    await house.set_status("online", 1)
    await house.minute()
    given = house.clock.now()

    one = await standing(house, 1, "all")

    assert (one.code, one.free_at) == ("QUEUE_DAILY_LIMIT", given + 12 * HOUR)
    why = (await house.explain.why_waiting(ACCOUNT, 6)).sentences
    assert any(
        "agent `1` is the first below the queue's limit of tickets in 12 hours" in said for said in why
    )


async def test_a_batch_goes_on_in_the_next_run(house: House) -> None:
    await house.open()
    await house.queue("all", batch_size=1)
    for number in (5, 6):
        house.zendesk.ticket(number, group_id=SUPPORT)
    await house.set_status("online", 1)
    await house.minute()

    one = await standing(house, 1, "all")

    assert one.code == "BATCH_SIZE"
    assert one.free_at == house.clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)


async def test_an_offer_that_is_thought_about_takes_room_until_it_ends(house: House) -> None:
    await house.open()
    await house.queue("asked", options=QueueOptions(offer_seconds=300))
    await house.set_limits(1, inbox=1)
    for number in (5, 6):
        house.zendesk.ticket(number, group_id=SUPPORT)
    await house.set_status("online", 1)
    await house.minute()
    ends = house.clock.now() + timedelta(seconds=300)

    one = await standing(house, 1, "asked")

    assert (one.code, one.free_at) == ("INBOX_LIMIT", ends)
    why = (await house.explain.why_waiting(ACCOUNT, 6)).sentences
    assert (
        f"agent `1` has an offer to answer, and is below the inbox limit if it ends, at {ends:%Y-%m-%d %H:%M:%S} UTC"
        in why
    )


async def test_off_shift_says_when_the_shift_begins(house: House, zendesk: LocalZendesk) -> None:
    zendesk.schedule(71, "UTC", (24 * 60 + 10 * 60, 24 * 60 + 18 * 60))  # Mondays from 10
    await house.open(1)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.schedules.put_agent(1, 71)

    one = await standing(house, 1)

    assert (one.code, one.free_at) == ("OFF_SHIFT", datetime(2026, 1, 5, 10, tzinfo=UTC))


async def test_a_queue_that_rests_says_when_it_opens(house: House, zendesk: LocalZendesk) -> None:
    zendesk.schedule(71, "UTC", (24 * 60 + 10 * 60, 24 * 60 + 18 * 60))
    await house.open(1)
    await house.queue("nightly", kind="trigger", options=QueueOptions(schedule=71))
    await waits(house, 5)

    one = await standing(house, 1, "nightly")

    assert (one.code, one.free_at, one.waiting) == ("QUEUE_CLOSED", datetime(2026, 1, 5, 10, tzinfo=UTC), 1)
    assert one.sentences[1] == "it opens at 2026-01-05 10:00:00 UTC"
    why = (await house.explain.why_waiting(ACCOUNT, 5)).sentences
    assert "the queue opens at 2026-01-05 10:00 UTC" in why


async def test_a_skill_that_is_dropped_says_when(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.skills.put_known({"fr": "Language: Fr"})
        await tx.skills.put_rule("fr", 2, 3600)
        await tx.skills.replace_agents({2: ["fr"]})
    await house.queue("skilled", kind="trigger", model="skills")
    zendesk.ticket(5, group_id=SUPPORT)
    began = house.clock.now()
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.skills.apply([SkillLink(False, 5, "fr", True)])
    await house.webhook(5)
    await house.set_status("online", 2)

    none, low = await standing(house, 1, "skilled"), await standing(house, 2, "skilled")

    assert (none.code, none.free_at) == ("MISSING_SKILL", began + HOUR)
    assert dict(none.detail) == {"skill": "fr", "level": "2", "held": "0"}
    assert (low.code, dict(low.detail)) == ("SKILL_LEVEL", {"skill": "fr", "level": "2", "held": "1"})


async def test_who_declined_is_asked_again_and_the_ticket_says_when(house: House) -> None:
    await house.open()
    await house.set_status("online", 1)
    await house.set_limits(1, inbox=1)
    await waits(house, 5, 6)
    await house.skip(ACCOUNT, 6, 1, "")
    await house.set_limits(1, inbox=9)
    skipped = house.clock.now()
    house.clock.advance(timedelta(minutes=1))

    one = await standing(house, 1)

    assert one.code == "DECLINED"
    why = (await house.explain.why_waiting(ACCOUNT, 6)).sentences
    assert f"everybody is asked again from {skipped + timedelta(minutes=5):%Y-%m-%d %H:%M:%S} UTC on" in why


async def test_a_ticket_that_is_kept_for_somebody_says_what_keeps_him(house: House) -> None:
    await house.open(1)
    await waits(house, 5, group=BILLING)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.tickets.dedicate(5, 3)

    why = (await house.explain.why_waiting(ACCOUNT, 5)).sentences

    assert f"it is kept for agent `3`: {about_agent(Code.STATUS_NOT_ONLINE)}" in why


async def test_agents_ask_about_themselves_and_admins_about_everybody(house: House) -> None:
    await house.open(1, 2)
    rpc = servicer(house)
    acts(1, "agent")

    own = await call(rpc, "WhyIdle", name=f"{PARENT}/agents/1")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "WhyIdle", name=f"{PARENT}/agents/2")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "WhyIdle", name=f"{PARENT}/agents/404")  # before it is looked up
    acts(9, "admin")
    other = await call(rpc, "WhyIdle", name=f"{PARENT}/agents/2")
    with pytest.raises(NotFoundError):
        await call(rpc, "WhyIdle", name=f"{PARENT}/agents/404")

    assert own.standings[0].code == other.standings[0].code == "CHOSEN"
    assert own.as_of.ToDatetime(UTC) == house.clock.now()


async def test_pages_of_queues_lead_through_all(house: House) -> None:
    await house.open(1)
    for number in range(4):
        await house.queue(f"q{number}", position=number + 2)
    rpc, seen, token = servicer(house), list[str](), ""
    acts(1, "agent")
    while True:
        page: messages.WhyIdleResponse = await call(
            rpc, "WhyIdle", name=f"{PARENT}/agents/1", page_size=2, page_token=token
        )
        assert len(page.standings) <= 2
        seen += [one.display_name for one in page.standings]
        if not (token := page.next_page_token):
            break

    assert seen == ["All groups", "q0", "q1", "q2", "q3"]


async def test_an_account_without_active_queues_or_unknown_says_so(house: House) -> None:
    with pytest.raises(NotSyncedError):
        await idle(house, 1)
    await house.open(1)
    async with house.store.transaction(ACCOUNT) as tx:
        for queue in await tx.directory.queues():
            await tx.directory.delete_queue(queue.id)

    assert (await idle(house, 1)).sentences == ["no queue is active: make one, or resume one"]


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_sentence_for_the_agent(code: Code) -> None:
    said = about_agent(code)

    assert said[0].islower()
    assert not said.endswith(".")
    assert "{" not in said


async def test_who_is_beyond_a_limit_waits_until_he_is_below_it(house: House) -> None:
    await house.open()
    await house.queue("all")
    await house.set_status("online", 1)
    times = []
    for number in (5, 6, 7):
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.minute()
        times.append(house.clock.now())
        house.clock.advance(HOUR)
    await house.set_limits(1, daily=2)
    house.zendesk.ticket(8, group_id=SUPPORT)
    await house.minute()

    one = await standing(house, 1, "all")

    assert dict(one.detail) == {"count": "3", "limit": "2"}
    assert one.free_at == times[1] + 12 * HOUR  # with the first alone gone he still has two


async def test_a_rate_limit_says_when_the_ticket_that_fills_it_is_old_enough(house: House) -> None:
    await house.open()
    await house.queue("all", options=QueueOptions(rate_limit="1 in 30m"))
    await house.set_status("online", 1)
    for number in (5, 6):
        house.zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    given = house.clock.now()

    one = await standing(house, 1, "all")

    assert (one.code, one.free_at) == ("RATE_LIMIT", given + timedelta(minutes=30))
    assert dict(one.detail) == {"count": "1", "limit": "1", "minutes": "30"}
    why = (await house.explain.why_waiting(ACCOUNT, 6)).sentences
    assert any(f"{given + timedelta(minutes=30):%Y-%m-%d %H:%M:%S} UTC" in said for said in why)


async def test_an_offer_holds_the_room_of_its_queue_and_units_of_capacity(house: House) -> None:
    await house.open()
    options = QueueOptions(offer_seconds=300, open_limit=1)
    await house.queue("asked", options=options)
    for number in (5, 6):
        house.zendesk.ticket(number, group_id=SUPPORT)
    await house.set_status("online", 1)
    await house.minute()
    ends = house.clock.now() + timedelta(seconds=300)
    assert (await standing(house, 1, "asked")).code == "CHANNEL_LIMIT"
    assert (await standing(house, 1, "asked")).free_at == ends

    async with house.store.transaction(ACCOUNT) as tx:
        asked = await tx.directory.queue("asked")
        assert asked is not None
        heavy = QueueOptions(offer_seconds=300, work_units=2)
        await tx.directory.put_queue(replace(asked, options=heavy))
        await tx.capacities.put_agent(1, 3)

    one = await standing(house, 1, "asked")
    assert (one.code, one.free_at) == ("CAPACITY", ends)
    assert dict(one.detail) == {"load": "2", "capacity": "3", "work": "2"}
