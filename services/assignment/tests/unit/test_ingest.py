"""A webhook is taken once, in whatever order it comes, and only when it is Zendesk's."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.domain.errors import WebhookSignatureError
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House, sign
from services.assignment.tests.zendesk import SECRET, LocalZendesk


async def test_a_ticket_is_decided_at_once_and_written_by_the_writer(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)

    duplicate, decision = await house.webhook(5)

    assert (duplicate, bool(decision), house.wake.is_set()) == (False, True, True)
    assert zendesk.writes == []
    assert (await house.write(ACCOUNT)).confirmed == 1
    ticket = zendesk.tickets[5]
    assert (ticket["assignee_id"], ticket["status"]) == (1, "open")
    fields = {f["title"]: f["id"] for f in zendesk.fields["ticket_fields"]}
    audit = {f["id"]: f["value"] for f in zendesk.tickets[5]["custom_fields"]}
    assert audit[fields["Setlist decision"]] == decision
    assert audit[fields["Setlist agent"]] == "1"


async def test_a_delivery_that_comes_again_changes_nothing(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    zendesk.ticket(5, group_id=SUPPORT)

    first = await house.webhook(5, invocation="one")
    again = await asyncio.gather(*(house.webhook(5, invocation="one") for _ in range(5)))

    assert first[0] is False
    assert again == [(True, "")] * 5
    assert len(await house.decisions()) == 1


async def test_the_same_delivery_at_once_is_decided_once(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    zendesk.ticket(5, group_id=SUPPORT)

    answers = await asyncio.gather(*(house.webhook(5, invocation="one") for _ in range(10)))

    assert sorted(duplicate for duplicate, _ in answers) == [False, *[True] * 9]
    assert len(await house.decisions()) == 1


async def test_an_older_state_that_comes_late_is_not_believed(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    late = house.body(5)
    house.clock.advance(timedelta(seconds=30))
    zendesk.change(5, status="solved")

    await house.webhook(5)
    duplicate, decision = await house.webhook(5, body=late)

    assert (duplicate, decision) == (False, "")
    row = await house.ticket(5)
    assert (row.facts.status, row.routing) == ("solved", "not_routable")


async def test_what_was_true_before_our_own_change_of_the_same_second_is_not_news(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    before = house.body(5)
    await house.webhook(5)
    await house.write(ACCOUNT)

    await house.webhook(5, body=before)
    assert (await house.ticket(5)).routing == "assigned"
    await house.webhook(5)

    assert (await house.ticket(5)).routing == "assigned"
    assert zendesk.writes == [(5, 1)]


async def test_a_ticket_taken_away_by_hand_is_not_routed_and_one_given_back_is(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    await house.write(ACCOUNT)
    house.clock.advance(timedelta(seconds=5))

    zendesk.change(5, assignee_id=2)
    await house.webhook(5)
    assert (await house.ticket(5)).routing == "not_routable"

    house.clock.advance(timedelta(seconds=5))
    zendesk.change(5, assignee_id=None)
    _, decision = await house.webhook(5)
    await house.write(ACCOUNT)

    assert decision
    assert zendesk.writes == [(5, 1), (5, 1)]


@pytest.mark.parametrize("tampered", [False, True])
async def test_an_unsigned_or_tampered_delivery_leaves_no_trace(
    house: House, zendesk: LocalZendesk, *, tampered: bool
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    body, stamp = house.body(5), zendesk.stamp()
    signature = sign(SECRET, stamp, body) if tampered else "bm8="
    given = body.replace(b'"5"', b'"6"') if tampered else body

    with pytest.raises(WebhookSignatureError):
        await house.ingest(ACCOUNT, given, signature, stamp, "one")

    assert await house.decisions() == []
    assert (await house.webhook(5, invocation="one"))[0] is False


async def test_a_delivery_signed_for_another_account_or_long_ago_is_refused(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)

    with pytest.raises(WebhookSignatureError):
        await house.webhook(5, secret="another account's")
    stamp, body = zendesk.stamp(), house.body(5)
    house.clock.advance(timedelta(minutes=6))
    with pytest.raises(WebhookSignatureError):
        await house.ingest(ACCOUNT, body, sign(SECRET, stamp, body), stamp, "old")
    with pytest.raises(InvalidRequestError):
        await house.webhook(5, body=b'{"ticket_id": "5"}')

    assert await house.decisions() == []


async def test_a_queue_of_one_group_leaves_the_others_to_the_next(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 3)
    await house.queue("support", kind="trigger", source=SUPPORT, agents=(1,))
    zendesk.ticket(5, group_id=SUPPORT)
    zendesk.ticket(6, group_id=BILLING)

    await house.webhook(5)
    await house.webhook(6)

    queues = {d.ticket: (d.queue == "support", d.agent_id) for d in await house.decisions()}
    assert queues == {5: (True, 1), 6: (False, 3)}


async def test_a_ticket_belongs_to_the_first_active_queue_that_holds_it(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    first = await house.queue("first", kind="trigger", source=SUPPORT, agents=(2,))
    await house.set_status("away", 2)
    zendesk.ticket(5, group_id=SUPPORT)

    _, decision = await house.webhook(5)
    assert [(d.outcome, d.queue) for d in await house.decisions()] == [("WAITING_NO_ELIGIBLE_AGENT", "first")]
    assert decision
    await house.minute()
    assert (await house.ticket(5)).routing == "waiting"

    async with house.store.transaction(ACCOUNT) as tx:
        await tx.directory.delete_queue(first.id)
    await house.minute()
    assert zendesk.tickets[5]["assignee_id"] == 1


async def test_invocations_are_forgotten_after_a_day(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5, invocation="one")
    await house.minute(minutes=24 * 60)
    assert (await house.webhook(5, invocation="one"))[0] is True

    await house.minute()

    assert (await house.webhook(5, invocation="one"))[0] is False
