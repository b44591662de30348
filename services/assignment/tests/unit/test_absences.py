"""Out of office with tags and releases, and idle rules (facts: §2.7, §2.8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.assignment.app.options import AccountOptions
from services.assignment.domain.model import Code
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

MINE = {5: "open", 6: "new", 7: "pending", 8: "hold", 9: "solved", 10: "closed"}


async def opened(house: House, **values: Any) -> None:
    """Let agent 1 be online with a ticket in every status, in an account with options."""
    await house.open(1)
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=AccountOptions(**values)), validate_only=False
    )
    for number, status in MINE.items():
        house.zendesk.ticket(number, group_id=SUPPORT, assignee_id=1, status=status)
        await house.webhook(number)


async def become(house: House, status: str, agent: int = 1, acting: int | None = 9) -> None:
    house.clock.advance(timedelta(seconds=5))
    await house.absences.set_statuses(ACCOUNT, {agent: status}, acting)
    await house.write(ACCOUNT)


def tagged(zendesk: LocalZendesk) -> list[int]:
    return [n for n, ticket in sorted(zendesk.tickets.items()) if "agent_ooo" in ticket.get("tags", ())]


async def test_the_open_tickets_of_who_goes_are_tagged_once(house: House, zendesk: LocalZendesk) -> None:
    await opened(house, ooo_statuses=("out_of_office", "away"))

    await become(house, "away")
    assert tagged(zendesk) == [5, 6]
    zendesk.calls.clear()
    await become(house, "out_of_office")
    await become(house, "online")

    assert tagged(zendesk) == [5, 6]
    assert not [c for c in zendesk.calls if c.endswith("/tags")]


async def test_with_advanced_tagging_all_that_are_not_closed_are_tagged_and_untagged(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",), ooo_advanced=True)

    await become(house, "away")
    assert tagged(zendesk) == [5, 6, 7, 8, 9]
    zendesk.change(5, assignee_id=9)
    await house.webhook(5)
    await become(house, "online")
    assert tagged(zendesk) == []
    await become(house, "away")

    assert tagged(zendesk) == [6, 7, 8, 9]


async def test_tags_that_are_still_on_their_way_are_given_up(house: House, zendesk: LocalZendesk) -> None:
    await opened(house, ooo_statuses=("away",), ooo_advanced=True)

    zendesk.down = True
    await become(house, "away")
    await become(house, "online")
    zendesk.down = False
    await house.write(ACCOUNT)

    assert tagged(zendesk) == []
    assert await house.pending() == 0


async def test_open_tickets_go_back_with_their_tag_and_to_others(house: House, zendesk: LocalZendesk) -> None:
    await opened(house, ooo_statuses=("away",), ooo_release=True, ooo_advanced=True)

    await become(house, "away")
    await house.set_status("online", 2)
    await house.minute()

    assert [zendesk.tickets[n]["assignee_id"] for n in sorted(MINE)] == [2, 2, 1, 1, 1, 1]
    assert tagged(zendesk) == [5, 6, 7, 8, 9]


async def test_other_statuses_and_accounts_without_the_rule_write_nothing(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("out_of_office",))
    await become(house, "away")
    assert await house.absences.set_statuses(ACCOUNT, {1: "away"}, 9) == 0

    assert tagged(zendesk) == []
    assert await house.pending() == 0


async def test_a_ticket_that_changes_hands_on_its_way_is_not_tagged(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",))

    zendesk.change(5, assignee_id=9)
    await become(house, "away")

    assert tagged(zendesk) == [6]
    assert (await house.ticket(5)).facts.assignee_id == 9


async def test_news_of_a_ticket_count_while_its_tag_is_on_its_way(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",))

    zendesk.down = True
    await become(house, "away")
    zendesk.change(5, assignee_id=9)
    await house.webhook(5)

    assert (await house.ticket(5)).facts.assignee_id == 9


async def test_a_tag_that_zendesk_refuses_does_not_stop_the_others(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",))

    zendesk.fault("PUT tickets/5/tags", status=422)
    zendesk.fault("PUT tickets/6/tags", status=503, times=9)
    await become(house, "away")
    zendesk.faults.clear()
    await house.write(ACCOUNT)

    assert tagged(zendesk) == [6]
    assert await house.pending() == 0


async def test_who_is_out_gets_nothing_and_the_reason_says_so(house: House, zendesk: LocalZendesk) -> None:
    await opened(house, ooo_statuses=("away",))
    await become(house, "away")
    zendesk.ticket(20, group_id=SUPPORT)

    await house.minute()

    assert await house.rejected((await house.decisions(20))[-1], Code.OUT_OF_OFFICE) == [1]


@pytest.mark.parametrize(("minutes", "status"), [(29, "online"), (30, "invisible")])
async def test_who_does_nothing_is_set_aside_at_the_very_minute(
    house: House, zendesk: LocalZendesk, minutes: int, status: str
) -> None:
    await opened(house, idle_minutes=30, idle_status="invisible")
    await become(house, "away")
    await become(house, "online")

    house.clock.advance(timedelta(minutes=minutes))
    await house.absences.sweep(ACCOUNT)

    async with house.store.transaction(ACCOUNT) as tx:
        row = await tx.directory.agent(1)
    assert row is not None
    assert (row.status, row.absence) == (status, "idle" if minutes == 30 else "")


async def test_an_activity_keeps_him_and_the_job_sets_the_others_aside(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, idle_minutes=30, ooo_statuses=("out_of_office",), ooo_on_idle=True)
    await house.set_status("online", 2)
    house.clock.advance(timedelta(minutes=20))
    assert await house.absences.active(ACCOUNT, 2)
    assert not await house.absences.active(ACCOUNT, 404)

    zendesk.ticket(20, group_id=SUPPORT)
    await house.minute(minutes=10)
    await house.write(ACCOUNT)

    decision = (await house.decisions(20))[-1]
    assert (decision.agent_id, await house.rejected(decision, Code.IDLE)) == (2, [1])
    assert tagged(zendesk) == [5, 6]


async def test_his_own_change_of_status_is_an_activity_and_another_s_is_not(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house)
    seen = []
    for acting in (9, 1):
        await become(house, "away", acting=acting)
        async with house.store.transaction(ACCOUNT) as tx:
            row = await tx.directory.agent(1)
        assert row is not None
        seen.append(row.active_at)

    assert seen == [None, house.clock.now()]


def noted(zendesk: LocalZendesk) -> dict[int, list[str]]:
    assert not [c for found in zendesk.comments.values() for c in found if c["public"]]
    return {n: [c["body"] for c in found] for n, found in sorted(zendesk.comments.items())}


@pytest.mark.parametrize("lost", [False, True])
async def test_a_note_goes_with_the_tag_once_on_what_is_open_even_if_the_answer_is_lost(
    house: House, zendesk: LocalZendesk, lost: bool
) -> None:
    await opened(house, ooo_statuses=("away",), ooo_advanced=True, ooo_note="Back soon.")

    if lost:
        zendesk.fault("PUT tickets/5", lost=True)
    await become(house, "away")
    await house.write(ACCOUNT)

    assert noted(zendesk) == {5: ["Back soon."], 6: ["Back soon."]}
    assert tagged(zendesk) == [5, 6, 7, 8, 9]
    assert [zendesk.tickets[n]["assignee_id"] for n in (5, 6)] == [1, 1]
    assert await house.pending() == 0
    await become(house, "online")
    await become(house, "away")
    assert noted(zendesk) == {5: ["Back soon."] * 2, 6: ["Back soon."] * 2}


async def test_a_ticket_that_has_the_tag_already_gets_no_second_note(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",), ooo_note="Back soon.")

    await become(house, "away")
    await become(house, "online")
    await become(house, "away")

    assert noted(zendesk) == {5: ["Back soon."], 6: ["Back soon."]}


async def test_a_ticket_that_somebody_changes_meanwhile_is_read_again_and_noted_once(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",), ooo_note="Back soon.")

    def taken() -> None:
        house.clock.advance(timedelta(seconds=1))
        zendesk.change(5, assignee_id=9)
        zendesk.change(6, priority="high")

    zendesk.fault("PUT tickets/5", first=taken)
    await become(house, "away")
    await house.write(ACCOUNT)

    assert noted(zendesk) == {6: ["Back soon."]}
    assert tagged(zendesk) == [6]


async def test_a_note_that_zendesk_refuses_costs_nobody_the_tag(house: House, zendesk: LocalZendesk) -> None:
    await opened(house, ooo_statuses=("away",), ooo_note="Back soon.")

    zendesk.fault("PUT tickets/5", status=422)
    await become(house, "away")

    assert (noted(zendesk), tagged(zendesk)) == ({6: ["Back soon."]}, [5, 6])
    assert await house.pending() == 0
    assert (await house.ticket(5)).routing != "waiting"


async def test_many_notes_go_by_one_job_and_tickets_that_go_back_have_theirs(
    house: House, zendesk: LocalZendesk
) -> None:
    await opened(house, ooo_statuses=("away",), ooo_release=True, ooo_note="Back soon.")
    for number in range(30, 50):
        zendesk.ticket(number, group_id=SUPPORT, assignee_id=1, status="open")
        await house.webhook(number)

    await become(house, "away")
    await house.write(ACCOUNT)

    released = [5, 6, *range(30, 50)]
    assert noted(zendesk) == {n: ["Back soon."] for n in released}
    assert [zendesk.tickets[n]["assignee_id"] for n in released] == [None] * len(released)
    assert tagged(zendesk) == released
    assert zendesk.calls.count("PUT tickets/update_many") == 1
