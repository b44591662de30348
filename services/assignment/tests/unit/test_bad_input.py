"""Bad input: refused, or handled as the facts say, with the sentence that tells an admin what to change.

Beside these: circles of overflow (`test_overflow.py`), schedules without a zone (`test_schedules.py`), limits in words
(`test_limits.py`), repeated and late webhooks (`test_ingest.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import protovalidate
import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError
from services.assignment.app.options import AccountOptions
from services.assignment.domain.errors import QueueNotActiveError, WebhookSignatureError
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, SUPPORT, House, sign
from services.assignment.tests.unit.calls import PARENT, QUEUE, acts, call
from services.assignment.tests.zendesk import SECRET, LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


@pytest.fixture(autouse=True)
async def admin(house: House) -> None:
    await house.open()
    acts(9, "admin")


async def only_a_view(house: House) -> None:
    """Let a view of everything feed the only queue."""
    house.zendesk.views[70] = lambda _: True
    async with house.store.transaction(ACCOUNT) as tx:
        for queue in await tx.directory.queues():
            await tx.directory.delete_queue(queue.id)
    await house.queue("viewed", title="Viewed", source=70)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"agent_ids": [1, 404]}, "queue.agent_ids[1]"),
        (
            {
                "model": resources.ROUTING_MODEL_WEIGHTED,
                "weights": [resources.AgentWeight(agent_id=404, weight=2)],
            },
            "queue.weights[0]",
        ),
    ],
)
async def test_a_queue_of_unknown_agents_is_refused(
    rpc: AssignmentServicer, values: dict[str, Any], field: str
) -> None:
    said = "`404` is no active agent of this account: sync the account, or choose another agent"
    queue = (await call(rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(**QUEUE))).queue

    with pytest.raises(InvalidRequestError) as made:
        await call(rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(**QUEUE | values))
    with pytest.raises(InvalidRequestError) as changed:
        await call(rpc, "UpdateQueue", queue=resources.Queue(name=queue.name, **values))

    for refused in (made.value, changed.value):
        assert [(v.field, v.description) for v in refused.violations] == [(field, said)]


async def test_a_queue_whose_agent_left_since_can_still_be_changed(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    made = resources.Queue(**QUEUE, agent_ids=[1, 2])
    queue = (await call(rpc, "CreateQueue", parent=PARENT, queue=made)).queue
    del zendesk.users[1]
    await house.sync(ACCOUNT, "")

    changed = resources.Queue(name=queue.name, agent_ids=[1, 2, 3], batch_size=2)
    assert list((await call(rpc, "UpdateQueue", queue=changed)).queue.agent_ids) == [1, 2, 3]


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("UpdateAgentLimits", {"name": f"{PARENT}/agents/404", "inbox_limit": 3}),
        ("GetAgent", {"name": f"{PARENT}/agents/404"}),
        ("ReleaseAgentTickets", {"name": f"{PARENT}/agents/404"}),
        ("SetStatuses", {"parent": PARENT, "statuses": [messages.AgentStatus(user_id=404, status="away")]}),
    ],
)
async def test_unknown_agents_are_not_found_and_named(
    rpc: AssignmentServicer, method: str, values: dict[str, Any]
) -> None:
    with pytest.raises(NotFoundError) as refused:
        await call(rpc, method, **values)

    assert "404" in str(refused.value) + str(refused.value.metadata)


@pytest.mark.parametrize("value", [0, -1, 10_001, 2**31 - 1])
@pytest.mark.parametrize("field", ["inbox_limit", "daily_limit", "queue.batch_size", "queue.daily_limit"])
def test_limits_that_nobody_can_want_say_what_they_may_be(field: str, value: int) -> None:
    of_queue, _, name = field.rpartition(".")
    values: dict[str, Any] = {name: value}
    request = (
        messages.CreateQueueRequest(parent=PARENT, queue=resources.Queue(display_name="Q", **values))
        if of_queue
        else messages.UpdateAgentLimitsRequest(name=f"{PARENT}/agents/1", **values)
    )

    (fault,) = protovalidate.collect_violations(request)

    path = fault.proto.field
    assert path is not None
    assert ".".join(e.field_name for e in path.elements) == field
    assert fault.proto.message == "must be greater than or equal to 1 and less than or equal to 10000"


async def test_an_empty_queue_decides_nothing_and_a_pull_from_it_gives_nothing(house: House) -> None:
    await house.set_status("online", 1)
    await house.queue("empty")

    assert (await house.minute()).considered == 0
    assert await house.next(ACCOUNT, 1, "") == (None, None)
    assert await house.decisions() == []


async def test_a_view_that_vanished_is_named_to_who_asks_why_a_ticket_waits(
    house: House, zendesk: LocalZendesk
) -> None:
    await only_a_view(house)
    zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()
    assert (await house.decisions(5))[-1].outcome == "WAITING_NO_ELIGIBLE_AGENT"
    del zendesk.views[70]
    for _ in range(6):
        await house.minute(minutes=15)

    with pytest.raises(QueueNotActiveError) as refused:
        await house.explain.why_waiting(ACCOUNT, 5)

    assert str(refused.value) == (
        "no active queue holds the ticket: Zendesk shows no view `70` any more, which queue `Viewed` goes by: give the "
        "queue another view, or let the account see this one again"
    )


async def test_a_skill_that_nobody_has_is_named_with_what_to_do(house: House, zendesk: LocalZendesk) -> None:
    options = AccountOptions(skills=True)
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=options), validate_only=False
    )
    await house.queue("skilled", model="skills")
    zendesk.skill(5, "fr")
    zendesk.ticket(5, group_id=SUPPORT)
    await house.sync(ACCOUNT, "")
    await house.set_status("online", 1, 2)
    await house.minute()

    why = await house.explain.why_waiting(ACCOUNT, 5)

    assert (
        "nobody has the skill `fr` at level 1: give it to an agent in Zendesk, or make it optional"
        in why.sentences
    )


async def test_a_webhook_beside_a_wrong_clock_is_refused_with_what_to_set_and_its_ticket_is_not_lost(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.set_status("online", 1)
    zendesk.ticket(5, group_id=SUPPORT)
    body, stamp = house.body(5), zendesk.stamp()
    house.clock.advance(timedelta(minutes=5, seconds=1))

    with pytest.raises(WebhookSignatureError, match="set this server's clock right"):
        await house.ingest(ACCOUNT, body, sign(SECRET, stamp, body), stamp, "inv")
    await house.minute()

    assert zendesk.writes == [(5, 1)]


async def test_after_our_clock_was_set_back_restrictions_are_asked_for_as_ever(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.set_status("online", 1, 2)
    await house.minute()
    house.clock.advance(timedelta(hours=-2))
    house.privacy.basic = {1}
    zendesk.ticket(5, group_id=SUPPORT)

    await house.webhook(5)

    assert [d.agent_id for d in await house.decisions(5)] == [2]


async def test_after_our_clock_was_set_back_views_are_read_as_ever(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.set_status("online", 1)
    await only_a_view(house)
    house.clock.advance(timedelta(hours=2))
    await house.minute()
    house.clock.advance(timedelta(hours=-2))
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)

    await house.minute()

    assert [(d.queue, d.agent_id) for d in await house.decisions(5)] == [("viewed", 1)]
