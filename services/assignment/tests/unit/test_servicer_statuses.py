"""The RPCs: histories of statuses, statuses of roles, and limits of several agents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.rpc.mapping import timestamp
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import House
from services.assignment.tests.unit.calls import PARENT, acts, call
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

OTHER = "accounts/acc-2"


async def become(house: House, rpc: AssignmentServicer, status: str, *users: int) -> None:
    house.clock.advance(timedelta(seconds=10))
    statuses = [messages.AgentStatus(user_id=user, status=status) for user in users]
    await call(rpc, "SetStatuses", parent=PARENT, statuses=statuses)


async def test_a_history_is_walked_without_gaps_and_goes_on_where_it_stopped(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    await become(house, rpc, "online", 1, 2)  # both end at one instant, on the edge of a page
    await become(house, rpc, "away", 1, 2)

    pages: list[Any] = [await call(rpc, "ListStatusRecords", parent=PARENT, page_size=1)]
    while not pages[-1].end_of_stream:
        assert pages[-1].next_page_token == pages[-1].cursor
        token = pages[-1].next_page_token
        pages.append(await call(rpc, "ListStatusRecords", parent=PARENT, page_size=1, page_token=token))
    end = pages[-1]
    again = await call(rpc, "ListStatusRecords", parent=PARENT, page_token=end.cursor)
    await become(house, rpc, "invisible", 2)
    more = await call(rpc, "ListStatusRecords", parent=PARENT, page_token=again.cursor)

    rows = [(r.record_id, r.user_id, r.status, r.duration_seconds) for p in pages for r in p.records]
    assert rows == [(1, 1, "away", 10), (2, 2, "away", 10), (3, 1, "online", 10), (4, 2, "online", 10)]
    assert [r.HasField("updater_id") for p in pages for r in p.records] == [False, False, True, True]
    assert end.records[0].updater_id == 9
    assert (end.next_page_token, end.end_time) == ("", end.records[0].end_time)
    assert (list(again.records), again.end_of_stream, again.HasField("end_time")) == ([], True, False)
    assert [(r.record_id, r.status) for r in more.records] == [(5, "away")]


async def test_a_history_begins_at_an_instant_and_a_cursor_is_of_its_account(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    await become(house, rpc, "online", 1, 2)
    await become(house, rpc, "away", 1)
    start = timestamp(house.clock.now())
    assert start is not None

    found = await call(rpc, "ListStatusRecords", parent=PARENT, start_time=start)
    late = await call(
        rpc, "ListStatusRecords", parent=PARENT, start_time=Timestamp(seconds=start.seconds + 1)
    )
    first = await call(rpc, "ListStatusRecords", parent=PARENT)

    assert [r.record_id for r in found.records] == [3]
    assert list(late.records) == []
    assert len(first.records) == 3
    for bad in (
        {"page_token": first.cursor, "start_time": start},
        {"page_token": "nonsense"},
        {"page_size": -1},
    ):
        with pytest.raises(InvalidRequestError):
            await call(rpc, "ListStatusRecords", parent=PARENT, **bad)
    with pytest.raises(InvalidRequestError):
        await call(rpc, "ListStatusRecords", parent=OTHER, page_token=first.cursor)
    acts(1, "agent")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "ListStatusRecords", parent=PARENT)


async def test_statuses_of_an_account_and_its_roles_are_set_over_the_api(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    limits = [
        resources.RoleStatuses(role="agent", statuses=["online", "lunch"]),
        resources.RoleStatuses(custom_role_id=77, statuses=["away"]),
    ]
    settings = resources.AccountSettings(statuses=["lunch"], role_statuses=limits)

    answer = await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=settings)
    await become(house, rpc, "lunch", 1)
    agent = (await call(rpc, "GetAgent", name=f"{PARENT}/agents/1")).agent
    acts(1, "agent")
    with pytest.raises(PermissionDeniedError):
        await become(house, rpc, "away", 1)
    await become(house, rpc, "online", 1, 1)
    two = [messages.AgentStatus(user_id=1, status=status) for status in ("online", "lunch")]
    with pytest.raises(InvalidRequestError) as twice:
        await call(rpc, "SetStatuses", parent=PARENT, statuses=two)

    assert list(answer.settings.statuses) == ["lunch"]
    assert list(answer.settings.role_statuses) == limits
    assert (agent.status, agent.status_updater_id) == ("lunch", 9)
    assert twice.value.violations[0].field == "statuses[1].user_id"


async def test_limits_of_several_agents_change_by_their_masks(house: House, rpc: AssignmentServicer) -> None:
    await house.open()
    acts(None)
    one, two = (f"{PARENT}/agents/{n}" for n in (1, 2))
    whole = messages.UpdateAgentLimitsRequest(
        name=one, inbox_limit=3, daily_limit=4, capacity_units=5,
        idle=resources.AgentIdle(enabled=True, timeout_minutes=45),
    )  # fmt: skip
    part = messages.UpdateAgentLimitsRequest(
        name=one, daily_limit=9, update_mask=FieldMask(paths=["inbox_limit", "idle.enabled"])
    )
    other = messages.UpdateAgentLimitsRequest(name=two, daily_limit=9)

    await call(rpc, "BatchUpdateAgentLimits", parent=PARENT, requests=[whole])
    answer = await call(rpc, "BatchUpdateAgentLimits", parent=PARENT, requests=[other, part])
    listed = await call(rpc, "ListAgents", parent=PARENT, user_ids=[1, 2, 404])
    alone = (await call(rpc, "UpdateAgentLimits", name=one, inbox_limit=1)).agent

    assert list(answer.agents) == list(reversed(listed.agents))
    assert [(a.user_id, a.HasField("inbox_limit"), a.daily_limit) for a in listed.agents] == [
        (1, False, 4), (2, False, 9),
    ]  # fmt: skip
    assert (listed.agents[0].capacity_units, listed.agents[0].idle) == (
        5,
        resources.AgentIdle(timeout_minutes=45),
    )
    assert (alone.inbox_limit, alone.HasField("daily_limit"), alone.idle.timeout_minutes) == (1, False, 45)
    strange = messages.UpdateAgentLimitsRequest(name=one, update_mask=FieldMask(paths=["name"]))
    with pytest.raises(InvalidRequestError) as refused:
        await call(rpc, "BatchUpdateAgentLimits", parent=PARENT, requests=[whole, strange])
    assert refused.value.violations[0].field == "requests[1].update_mask"
    dry = messages.UpdateAgentLimitsRequest(name=one, validate_only=True)
    with pytest.raises(InvalidRequestError) as mixed:
        await call(rpc, "BatchUpdateAgentLimits", parent=PARENT, requests=[whole, dry])
    assert mixed.value.violations[0].field == "requests[1].validate_only"
    with pytest.raises(NotFoundError):
        await call(rpc, "UpdateAgentLimits", name=f"{PARENT}/agents/404", inbox_limit=1)
    acts(1, "agent")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "BatchUpdateAgentLimits", parent=PARENT, requests=[whole])


async def test_changes_are_streamed_to_staff(house: House, rpc: AssignmentServicer) -> None:
    await house.open(1)
    acts(1, "agent")
    stream = rpc.WatchStatuses(messages.WatchStatusesRequest(parent=PARENT), None)
    first = await anext(stream)
    await become(house, rpc, "away", 1)
    told = await anext(stream)

    assert (first.HasField("agent"), first.record) == (False, 1)
    assert (told.agent.user_id, told.agent.status, told.agent.status_updater_id, told.record) == (
        1,
        "away",
        1,
        2,
    )
    acts(7, "end_user")
    with pytest.raises(PermissionDeniedError):
        await anext(rpc.WatchStatuses(messages.WatchStatusesRequest(parent=PARENT), None))
