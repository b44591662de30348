"""A ticket that is merged into another one is not routed (facts: §2.11).

Zendesk closes it at once and tags it `closed_by_merge`. The status tells it, for good; the tag does not: a follow-up
of a merged ticket inherits its tags, and is a new ticket like any other.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.app.prefer import LEASE_SECONDS
from services.assignment.domain.webhook import read_body
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

MERGED = {"status": "closed", "tags": ["closed_by_merge"]}


async def test_merged_in_the_second_of_its_creation_it_is_not_routed_in_whatever_order_that_is_told(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    created = house.body(5)
    zendesk.change(5, **MERGED)

    await house.webhook(5)
    assert await house.webhook(5, body=created) == (False, "")
    await house.minute()

    assert await house.decisions(5) == []
    assert zendesk.writes == []


async def test_merged_while_it_is_on_its_way_to_an_agent_it_is_given_up(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    _, decision = await house.webhook(5)
    zendesk.change(5, **MERGED)

    await house.write(ACCOUNT)

    assert zendesk.writes == []
    (row,) = await house.decisions(5)
    assert (row.id, row.write) == (decision, "conflict")
    assert (await house.ticket(5)).routing == "not_routable"


async def test_merged_while_an_agent_thinks_about_it_the_offer_is_withdrawn(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.queue("offers", kind="trigger", options=QueueOptions(offer_seconds=60))
    zendesk.ticket(5, group_id=SUPPORT)
    _, offer = await house.webhook(5)
    zendesk.change(5, **MERGED)
    await house.webhook(5)

    async with house.store.transaction(ACCOUNT) as tx:
        found = await tx.offers.one(offer)
    assert found is not None
    assert found.state == "withdrawn"
    assert (await house.ticket(5)).routing == "not_routable"


@pytest.mark.parametrize(
    "options",
    [AccountOptions(group_tags=2), AccountOptions(group_shares=((SUPPORT, 1),), same_agent_hours=9)],
)
async def test_merged_while_its_preference_is_to_be_found_it_takes_no_turn(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float], options: AccountOptions
) -> None:
    await house.open(1)
    async with house.store.transaction(ACCOUNT) as tx:
        account = await tx.directory.account()
        assert account is not None
        await tx.directory.put_account(replace(account, options=options))
    zendesk.ticket(5)
    async with house.store.transaction(ACCOUNT) as tx:  # whoever took the webhook died here
        await tx.decisions.lock()
        assert await house.prefer.store(tx, [read_body(house.body(5))], lease_seconds=LEASE_SECONDS) == [5]
    zendesk.change(5, **MERGED)
    await house.webhook(5)
    lease_seconds[0] += LEASE_SECONDS

    await house.minute()

    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.preferences.since(5) is None
        assert await tx.directory.group_turns() == {}
    assert await house.pending() == 0


async def test_a_follow_up_of_a_merged_ticket_is_routed(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT, tags=["closed_by_merge"])

    await house.minute()

    assert zendesk.tickets[5]["assignee_id"] == 1
