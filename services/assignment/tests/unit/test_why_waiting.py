"""WhyWaiting where it is not a round that tells why: offers, scan limits, paused queues."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.assignment.app.options import QueueOptions
from services.assignment.domain.errors import QueueNotActiveError
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def test_a_ticket_that_somebody_thinks_about_says_who_and_until_when(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.queue("asked", options=QueueOptions(offer_seconds=300))
    zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()

    why = await house.explain.why_waiting(ACCOUNT, 5)

    until = house.clock.now() + timedelta(seconds=300)
    assert why.sentences == [
        f"it is offered to agent `1`, who may answer until {until:%Y-%m-%d %H:%M:%S} UTC: then the next is asked"
    ]
    assert (why.decision.outcome, why.decision.agent, why.queue) == ("OFFERED", 1, "asked")


async def test_a_ticket_behind_the_scan_limit_says_so(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    await house.queue("short", kind="trigger", scan_limit=2)
    for number in (5, 6, 7):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)

    (said,) = (await house.explain.why_waiting(ACCOUNT, 7)).sentences

    assert said.startswith("its queue looks at the 2 oldest of the 3 tickets that wait in it")
    assert len((await house.explain.why_waiting(ACCOUNT, 6)).sentences) > 1


async def test_a_ticket_that_no_active_queue_holds_says_what_to_do(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    async with house.store.transaction(ACCOUNT) as tx:
        (queue,) = await tx.directory.queues()
        await tx.directory.put_queue(replace(queue, state="paused"))
        await tx.directory.put_queue(
            replace(queue, id="other", state="paused", title="Other", source=BILLING)
        )
    with pytest.raises(QueueNotActiveError, match="resume `All groups`, or make"):
        await house.explain.why_waiting(ACCOUNT, 5)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.directory.delete_queue(queue.id)
    with pytest.raises(QueueNotActiveError, match="make one for its group"):
        await house.explain.why_waiting(ACCOUNT, 5)
