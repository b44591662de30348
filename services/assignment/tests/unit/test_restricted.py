"""Privacy's restrictions bind before a round; when nobody knows them, the helpdesk goes on."""

from __future__ import annotations

from datetime import timedelta

from services.assignment.app.restricted import FRESH
from services.assignment.domain.model import Code
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def test_a_restricted_agent_gets_nothing_and_the_decision_says_by_which_revision(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    house.privacy.basic, house.privacy.revision = {1}, 7
    zendesk.ticket(5, group_id=SUPPORT)

    _, decision = await house.webhook(5)

    row = (await house.decisions(5))[0]
    assert (row.agent_id, await house.rejected(row, Code.PROCESSING_RESTRICTED)) == (2, [1])
    assert (await house.explain.decision(ACCOUNT, decision)).recomputes is True
    async with house.store.transaction(ACCOUNT) as tx:
        inputs = await tx.decisions.inputs(row.inputs)
    assert inputs is not None
    assert inputs.privacy_revision == 7


async def test_a_restriction_binds_pulls_and_is_told_to_who_asks_why(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    house.privacy.basic = {1}
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    await house.set_status("online", 1)

    assert await house.next(ACCOUNT, 1, "") == (None, None)
    why = await house.explain.why_waiting(ACCOUNT, 5)
    assert why.decision.codes[1] is Code.PROCESSING_RESTRICTED


async def test_restrictions_are_asked_anew_after_some_seconds(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    for number in (5, 6, 7):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.webhook(5)
    house.privacy.basic = {1}
    await house.webhook(6)
    house.clock.advance(FRESH)
    await house.webhook(7)

    assert [(await house.ticket(n)).routing for n in (5, 6, 7)] == ["assigned", "assigned", "waiting"]


async def test_while_privacy_is_down_tickets_are_routed_and_affinity_is_off(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    house.privacy.basic, house.privacy.down = {1}, True
    zendesk.ticket(5, group_id=SUPPORT)

    await house.webhook(5)

    assert (await house.ticket(5)).routing == "assigned"
    assert not await house.restricted.affinity(ACCOUNT, 905)
    house.privacy.down = False
    house.privacy.no_affinity = {906}
    assert await house.restricted.affinity(ACCOUNT, 905)
    assert not await house.restricted.affinity(ACCOUNT, 906)


async def test_inputs_are_forgotten_and_their_decisions_stay(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    _, old = await house.webhook(5)
    house.clock.advance(timedelta(days=60))
    zendesk.ticket(6, group_id=SUPPORT)
    _, young = await house.webhook(6)

    house.clock.advance(timedelta(days=30, minutes=1))
    await house.minute()

    assert (await house.explain.decision(ACCOUNT, old)).recomputes is None
    assert (await house.explain.decision(ACCOUNT, young)).recomputes is True
    assert (await house.explain.verify_chain(ACCOUNT))[0]
