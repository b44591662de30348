"""Whom tickets prefer, over the API: criteria of the same agent, sticky queues, reopened tickets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, House
from services.assignment.tests.unit.calls import PARENT, QUEUE, acts, call
from setlist.assignment.v1 import assignment_resources_pb2 as resources

SAME = resources.SameAgent(
    window_hours=72,
    anchor=resources.SameAgent.ANCHOR_NEWEST,
    tag="again",
    match=[resources.SameAgent.MATCH_BRAND, resources.SameAgent.MATCH_FORM],
    match_field_ids=[77],
    priorities=["high"],
    channels=["email"],
    tags=["vip"],
    excluded_tags=["bulk"],
)


async def update(rpc: AssignmentServicer, settings: resources.AccountSettings) -> resources.AccountSettings:
    answer = await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=settings)
    found: resources.AccountSettings = answer.settings
    return found


async def test_criteria_of_the_same_agent_are_set_and_shown(house: House, rpc: AssignmentServicer) -> None:
    await house.open()
    acts(9, "admin")

    answer = await update(rpc, resources.AccountSettings(same_agent=SAME))

    assert answer.same_agent == SAME
    plain = resources.SameAgent(window_hours=1, anchor=resources.SameAgent.ANCHOR_OLDEST)
    assert (await update(rpc, resources.AccountSettings(same_agent=plain))).same_agent == plain


async def test_criteria_that_nothing_meets_are_refused_with_what_to_change(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    both = resources.SameAgent(window_hours=1, tags=["vip"], excluded_tags=["bulk", "vip"])
    async with house.store.transaction(ACCOUNT) as tx:
        account = await tx.directory.account()
        assert account is not None
        await tx.directory.put_account(replace(account, fields={"decision": 501}))
    ours = resources.SameAgent(window_hours=1, match_field_ids=[77, 501])

    with pytest.raises(InvalidRequestError) as refused:
        await update(rpc, resources.AccountSettings(same_agent=both))
    assert [(v.field, v.description) for v in refused.value.violations] == [
        (
            "settings.same_agent.excluded_tags[1]",
            "`vip` is asked for and excluded at once: take it out of one of the two",
        )
    ]
    with pytest.raises(InvalidRequestError) as refused:
        await update(rpc, resources.AccountSettings(same_agent=ours))
    assert [v.field for v in refused.value.violations] == ["settings.same_agent.match_field_ids[1]"]


async def test_reopened_tickets_and_sticky_queues_are_set_and_shown(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    shown = (await call(rpc, "GetAccountSettings", parent=PARENT)).settings
    assert shown.returned_tickets == resources.RETURNED_TICKETS_DEPARTED

    for wanted in (resources.RETURNED_TICKETS_OFFLINE, resources.RETURNED_TICKETS_KEEP):
        answer = await update(rpc, resources.AccountSettings(returned_tickets=wanted))
        assert answer.returned_tickets == wanted

    queue = (await call(rpc, "CreateQueue", parent=PARENT, queue={**QUEUE, "sticky_seconds": 600})).queue
    assert queue.sticky_seconds == 600
    mask = {"paths": ["sticky_seconds"]}
    changed = await call(rpc, "UpdateQueue", queue=resources.Queue(name=queue.name), update_mask=mask)
    assert not changed.queue.HasField("sticky_seconds")
