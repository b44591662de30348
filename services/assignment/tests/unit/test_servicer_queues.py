"""The RPCs: queues' and the account's rules are set, shown and taken away."""

from __future__ import annotations

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, QUEUE, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources


async def test_rules_are_changed_by_mask_and_limits_cleared_by_absence(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    made = (await call(rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(batch_size=2, **QUEUE))).queue
    paused = (await call(rpc, "PauseQueue", name=made.name)).queue
    changed = (
        await call(
            rpc,
            "UpdateQueue",
            queue=resources.Queue(name=made.name, etag=paused.etag),
            update_mask={"paths": ["batch_size"]},
        )
    ).queue
    limited = (await call(rpc, "UpdateAgentLimits", name=f"{PARENT}/agents/1", inbox_limit=3)).agent
    cleared = (await call(rpc, "UpdateAgentLimits", name=f"{PARENT}/agents/1")).agent
    settings = (
        await call(
            rpc, "UpdateAccountSettings", parent=PARENT, settings=resources.AccountSettings(inbox_limit=7)
        )
    ).settings

    assert (paused.state, changed.state) == (resources.Queue.STATE_PAUSED,) * 2
    assert (made.batch_size, changed.HasField("batch_size"), changed.display_name) == (2, False, "Q")
    assert (limited.inbox_limit, cleared.HasField("inbox_limit")) == (3, False)
    assert (settings.inbox_limit, settings.HasField("daily_limit")) == (7, False)
    with pytest.raises(NotFoundError):
        await call(rpc, "UpdateAgentLimits", name=f"{PARENT}/agents/404")
    weights = [resources.AgentWeight(agent_id=2, weight=1), resources.AgentWeight(agent_id=1, weight=3)]
    queue = resources.Queue(model=resources.ROUTING_MODEL_WEIGHTED, weights=weights, **QUEUE)
    kept = (await call(rpc, "CreateQueue", parent=PARENT, queue=queue)).queue
    assert [(w.agent_id, w.weight) for w in kept.weights] == [(1, 3), (2, 1)]
    queue.weights.extend(weights)
    with pytest.raises(InvalidRequestError, match=r"`queue\.weights` names an agent twice"):
        await call(rpc, "CreateQueue", parent=PARENT, queue=queue)


async def test_schedules_of_queues_and_agents_are_set_shown_and_taken_away(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    zendesk.schedule(71, "Rome", (540, 1020))
    acts(9, "admin")
    await house.open(1)
    made = (
        await call(
            rpc,
            "CreateQueue",
            parent=PARENT,
            queue=resources.Queue(**QUEUE, schedule_id="71"),
            request_id="r",
        )
    ).queue
    agent = f"{PARENT}/agents/1"
    shown = (await call(rpc, "UpdateAgentLimits", name=agent, schedule_id="71", inbox_limit=3)).agent
    kept = (await call(rpc, "UpdateAgentLimits", name=agent)).agent  # absent = as it is

    assert (made.schedule_id, shown.schedule_id, kept.schedule_id) == ("71", "71", "71")
    assert (await call(rpc, "GetAgent", name=agent)).agent.schedule_id == "71"
    listed = (await call(rpc, "ListAgents", parent=PARENT)).agents
    assert [a.schedule_id for a in listed] == ["71", "", "", ""]
    assert (await call(rpc, "UpdateAgentLimits", name=agent, schedule_id="")).agent.schedule_id == ""
    changed = await call(
        rpc, "UpdateQueue", queue=resources.Queue(name=made.name), update_mask={"paths": ["schedule_id"]}
    )
    assert changed.queue.schedule_id == ""
    for wrong in ("99", "next week", "9" * 19):
        with pytest.raises(InvalidRequestError) as refused:
            await call(rpc, "UpdateAgentLimits", name=agent, schedule_id=wrong)
        assert [v.field for v in refused.value.violations] == ["schedule_id"]


async def test_overflow_is_set_shown_and_taken_away(rpc: AssignmentServicer, house: House) -> None:
    acts(9, "admin")
    await house.open(1)
    night = (
        await call(rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(**QUEUE), request_id="n")
    ).queue
    target = night.name.rpartition("/")[2]
    given = resources.Queue(**QUEUE, overflow_queue_id=target, overflow_seconds=60)
    day = (await call(rpc, "CreateQueue", parent=PARENT, queue=given, request_id="d")).queue
    groups = resources.Queue(name=day.name, overflow_group_ids=[BILLING])
    mask = {"paths": ["overflow_group_ids", "overflow_queue_id"]}
    helped = (await call(rpc, "UpdateQueue", queue=groups, update_mask=mask)).queue

    assert (day.overflow_queue_id, day.overflow_seconds, list(day.overflow_group_ids)) == (target, 60, [])
    assert (helped.overflow_queue_id, helped.overflow_seconds) == ("", 60)
    assert list(helped.overflow_group_ids) == [BILLING]


async def test_capacity_is_set_shown_and_taken_away(rpc: AssignmentServicer, house: House) -> None:
    acts(9, "admin")
    await house.open(1)
    given = resources.Queue(**QUEUE, work_units=5, open_limit=3)
    queue = (await call(rpc, "CreateQueue", parent=PARENT, queue=given, request_id="c")).queue
    mask = {"paths": ["work_units", "open_limit"]}
    plain = (await call(rpc, "UpdateQueue", queue=resources.Queue(name=queue.name), update_mask=mask)).queue
    settings = (
        await call(
            rpc, "UpdateAccountSettings", parent=PARENT, settings=resources.AccountSettings(capacity_units=9)
        )
    ).settings
    agent = f"{PARENT}/agents/1"
    own = (await call(rpc, "UpdateAgentLimits", name=agent, capacity_units=4)).agent

    assert (queue.work_units, queue.open_limit) == (5, 3)
    assert (plain.work_units, plain.HasField("open_limit")) == (1, False)
    assert (settings.capacity_units, own.capacity_units) == (9, 4)
    assert (await call(rpc, "GetAgent", name=agent)).agent.capacity_units == 4
    listed = (await call(rpc, "ListAgents", parent=PARENT)).agents
    assert [a.HasField("capacity_units") for a in listed] == [True, False, False, False]
    taken = (await call(rpc, "UpdateAgentLimits", name=agent)).agent
    assert not taken.HasField("capacity_units")


async def test_missed_offers_are_set_and_shown(rpc: AssignmentServicer, house: House) -> None:
    acts(9, "admin")
    await house.open()
    given = resources.Queue(**QUEUE, offer_seconds=30, missed_offers=3)

    made = (await call(rpc, "CreateQueue", parent=PARENT, queue=given, request_id="m")).queue

    assert (made.offer_seconds, made.missed_offers, made.missed_status) == (30, 3, "away")
    online = resources.Queue(name=made.name, missed_status="online")
    with pytest.raises(InvalidRequestError):
        await call(rpc, "UpdateQueue", queue=online, update_mask={"paths": ["missed_status"]})


async def test_shares_of_groups_are_set_and_taken_away_over_the_api(
    rpc: AssignmentServicer, house: House
) -> None:
    await house.open()
    acts(9, "admin")
    shares = [
        resources.GroupShare(group_id=SUPPORT, weight=3),
        resources.GroupShare(group_id=BILLING, weight=1),
    ]
    given = resources.AccountSettings(group_shares=shares)

    answer = await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=given)
    off = await call(
        rpc,
        "UpdateAccountSettings",
        parent=PARENT,
        settings=resources.AccountSettings(),
        update_mask={"paths": ["group_shares"]},
    )

    assert list(answer.settings.group_shares) == shares
    assert not off.settings.group_shares
    tags = resources.AccountSettings(group_tags=4)
    assert (await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=tags)).settings.group_tags == 4


async def test_work_that_may_be_interrupted_is_a_rule_of_its_queue(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    queue = resources.Queue(interruptible=True, work_units=3, **QUEUE)
    made = (await call(rpc, "CreateQueue", parent=PARENT, queue=queue)).queue
    changed = (
        await call(
            rpc,
            "UpdateQueue",
            queue=resources.Queue(name=made.name),
            update_mask={"paths": ["interruptible"]},
        )
    ).queue

    assert (made.interruptible, made.work_units) == (True, 3)
    assert (changed.interruptible, changed.work_units) == (False, 3)
