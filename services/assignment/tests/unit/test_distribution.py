"""New tickets without a group go to groups by exact shares, and to an agent there at once (facts: §2.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.app.options import AccountOptions
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def shared(house: House, *shares: tuple[int, int]) -> None:
    await house.queues.change_settings(
        ACCOUNT,
        "",
        lambda row: replace(row, options=AccountOptions(group_shares=shares)),
        validate_only=False,
    )


async def come(house: House, *tickets: int) -> None:
    for number in tickets:
        house.zendesk.ticket(number)
        await house.webhook(number)
    for _ in range(2):
        await house.write(ACCOUNT)


def groups(zendesk: LocalZendesk, *tickets: int) -> list[int]:
    return [zendesk.tickets[n]["group_id"] for n in tickets]


async def test_tickets_are_spread_evenly_and_written_once(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await shared(house, (SUPPORT, 3), (BILLING, 1))

    await come(house, *range(1, 9))

    assert groups(zendesk, *range(1, 9)) == [SUPPORT, SUPPORT, BILLING, SUPPORT] * 2
    assert sorted(zendesk.writes) == [(n, 0) for n in range(1, 9)]
    assert await house.pending() == 0


async def test_group_and_agent_come_in_one_change(house: House, zendesk: LocalZendesk) -> None:
    await house.open(3)
    await shared(house, (BILLING, 1))

    await come(house, 1)

    assert zendesk.writes == [(1, 3)]
    assert groups(zendesk, 1) == [BILLING]
    assert await house.pending() == 0


async def test_what_has_a_group_keeps_it_and_costs_no_turn(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await shared(house, (SUPPORT, 1), (BILLING, 1))
    zendesk.ticket(1, group_id=BILLING)
    await house.webhook(1)
    await come(house, 2, 3)

    assert groups(zendesk, 1, 2, 3) == [BILLING, SUPPORT, BILLING]


async def test_a_person_who_was_faster_wins_and_the_turn_is_given_back(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    await shared(house, (SUPPORT, 1), (BILLING, 1))
    zendesk.ticket(1)
    await house.webhook(1)
    zendesk.change(1, group_id=BILLING)
    await come(house, 2)
    async with house.store.transaction(ACCOUNT) as tx:
        turns = await tx.directory.group_turns()

    assert groups(zendesk, 1, 2) == [BILLING, BILLING]
    assert turns == {SUPPORT: 0, BILLING: 1}


async def test_a_lost_answer_does_not_cost_a_second_change(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await shared(house, (SUPPORT, 1))
    zendesk.fault("PUT tickets/1", lost=True)

    await come(house, 1)

    assert zendesk.writes == [(1, 0)]
    assert await house.pending() == 0


async def test_new_shares_begin_anew(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await shared(house, (SUPPORT, 1), (BILLING, 1))
    await come(house, 1)
    await shared(house, (SUPPORT, 2), (BILLING, 1))
    await come(house, 2)

    assert groups(zendesk, 1, 2) == [SUPPORT, SUPPORT]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (((SUPPORT, 1), (404, 1)), "`404` has no agents"),
        (((SUPPORT, 1), (SUPPORT, 2)), f"`{SUPPORT}` has a share already"),
    ],
)
async def test_shares_that_cannot_work_are_refused(
    house: House, shares: tuple[tuple[int, int], ...], said: str
) -> None:
    await house.open()

    with pytest.raises(InvalidRequestError) as refused:
        await shared(house, *shares)
    assert refused.value.violations[0].field == "settings.group_shares[1]"
    assert said in refused.value.violations[0].description


async def tagged(house: House, number: int) -> None:
    options = AccountOptions(group_tags=number)
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=options), validate_only=False
    )


async def test_tags_go_round_and_the_ticket_is_routed_once_a_trigger_gave_it_its_group(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 3)
    await tagged(house, 3)
    await come(house, 1, 2, 3, 4)

    tags = [zendesk.tickets[n]["tags"] for n in (1, 2, 3, 4)]
    assert tags == [["playlist_group_1"], ["playlist_group_2"], ["playlist_group_3"], ["playlist_group_1"]]
    assert groups(zendesk, 1, 2, 3, 4) == [None] * 4
    zendesk.change(1, group_id=BILLING)  # as the account's trigger would, in the very second
    await house.webhook(1)
    await house.write(ACCOUNT)

    assert (zendesk.tickets[1]["assignee_id"], zendesk.tickets[1]["group_id"]) == (3, BILLING)
    assert await house.pending() == 0


async def test_a_tag_is_not_put_on_a_ticket_that_has_a_group_by_now_and_its_turn_is_given_back(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    await tagged(house, 2)
    zendesk.ticket(1)
    await house.webhook(1)
    zendesk.change(1, group_id=BILLING)
    await house.write(ACCOUNT)
    await come(house, 2)

    assert zendesk.tickets[1].get("tags", []) == []
    assert zendesk.tickets[2]["tags"] == ["playlist_group_1"]
    assert (await house.ticket(1)).facts.group_id == BILLING
    assert (await house.ticket(1)).routing == "waiting"


async def test_shares_and_tags_at_once_are_refused(house: House) -> None:
    await house.open()
    both = AccountOptions(group_shares=((SUPPORT, 1),), group_tags=4)

    with pytest.raises(InvalidRequestError) as refused:
        await house.queues.change_settings(
            ACCOUNT, "", lambda row: replace(row, options=both), validate_only=False
        )
    assert [v.field for v in refused.value.violations] == ["settings.group_tags"]
