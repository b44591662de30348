"""SimulateChange tells what a change of the rules would change for what waits now, and stores nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from libs.kernel.errors import EtagMismatchError, InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.app import simulate_change
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.dry_runs import open_helpdesk
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call, servicer
from services.assignment.tests.unit.test_dry_runs import kept
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

Change = messages.ProposedChange


async def simulated(rpc: AssignmentServicer, *changes: Change) -> messages.SimulateChangeResponse:
    answer = await call(rpc, "SimulateChange", parent=PARENT, changes=changes)
    assert isinstance(answer, messages.SimulateChangeResponse)
    return answer


def limits(agent: int, **values: Any) -> Change:
    return Change(
        update_agent_limits=messages.UpdateAgentLimitsRequest(name=f"{PARENT}/agents/{agent}", **values)
    )


def statuses(**given: str) -> Change:
    rows = [messages.AgentStatus(user_id=int(agent[1:]), status=status) for agent, status in given.items()]
    return Change(set_statuses=messages.SetStatusesRequest(parent=PARENT, statuses=rows))


@pytest.fixture
async def full(house: House, zendesk: LocalZendesk) -> AssignmentServicer:
    """Agents 1 and 2 have room for one ticket each, and three wait: the third waits on."""
    await house.open(1, 2)
    for agent in (1, 2):
        await house.set_limits(agent, inbox=1)
    await house.set_status("away", 1, 2)
    for number in (1, 2, 3):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
    await house.set_status("online", 1, 2)
    acts(9, "admin")
    return servicer(house)


async def test_room_for_one_more_takes_one_more(house: House, full: AssignmentServicer) -> None:
    before = kept(house)

    found = await simulated(full, limits(1, inbox_limit=2))

    assert kept(house) == before
    assert (found.before.considered, found.before.given, found.after.given) == (3, 2, 3)
    assert dict(found.before.waiting_by_outcome) == {"WAITING_ALL_FULL": 1}
    assert dict(found.after.waiting_by_outcome) == {}
    assert dict(found.after.per_agent) == {1: 2, 2: 1}
    (one,) = found.differences
    assert (one.ticket_id, one.agent_before, one.agent_id) == (3, 0, 1)
    assert one.outcome_before == resources.Decision.OUTCOME_WAITING_ALL_FULL
    assert one.outcome == resources.Decision.OUTCOME_ASSIGNED
    assert found.examples == ["ticket `3`: WAITING_ALL_FULL now, ASSIGNED to agent `1` then"]
    assert found.difference_count == 1
    assert not found.left_out


async def test_what_is_simulated_is_what_the_change_and_the_next_run_then_do(
    house: House, full: AssignmentServicer
) -> None:
    found = await simulated(full, limits(1, inbox_limit=2))

    await call(full, "UpdateAgentLimits", name=f"{PARENT}/agents/1", inbox_limit=2)
    done = await house.job(ACCOUNT, catch_up=False, wait_for_writes=False)

    given: dict[int, int] = {}
    for _, agent, _ in done.assignments:
        given[agent] = given.get(agent, 0) + 1
    assert dict(found.after.per_agent) == given


async def test_changes_are_made_one_after_the_other_and_all_kinds_are_known(house: House) -> None:
    await open_helpdesk(house)
    rpc, before = servicer(house), kept(house)
    acts(9, "admin")
    queue = resources.Queue(display_name="New", kind=resources.Queue.KIND_TRIGGER, source_id=SUPPORT)
    asked = f"{PARENT}/queues/asked"
    changes = [
        Change(create_queue=messages.CreateQueueRequest(parent=PARENT, queue=queue)),
        Change(
            update_queue=messages.UpdateQueueRequest(
                queue=resources.Queue(name=asked, daily_limit=3, etag="1"),
                update_mask=FieldMask(paths=["daily_limit"]),
            )
        ),
        Change(pause_queue=messages.PauseQueueRequest(name=asked)),
        Change(resume_queue=messages.ResumeQueueRequest(name=asked)),
        Change(delete_queue=messages.DeleteQueueRequest(name=asked)),
        Change(
            update_account_settings=messages.UpdateAccountSettingsRequest(
                parent=PARENT, settings=resources.AccountSettings(inbox_limit=1)
            )
        ),
        limits(1, inbox_limit=9),
        Change(
            update_agent_skills=messages.UpdateAgentSkillsRequest(
                name=f"{PARENT}/agents/3", skills=[resources.AgentSkill(skill_id="de", level=2)]
            )
        ),
        Change(
            update_skill=messages.UpdateSkillRequest(
                skill=resources.Skill(name=f"{PARENT}/skills/fr", level=2)
            )
        ),
        statuses(a2="away", a9="away"),
    ]
    assert {c.WhichOneof("change") for c in changes} == {f.name for f in Change.DESCRIPTOR.fields}

    found = await simulated(rpc, *changes)

    assert kept(house) == before
    assert found.rule_version
    assert dict(found.after.per_agent) != dict(found.before.per_agent)


async def test_a_change_that_cannot_be_made_is_refused_as_ever_and_nothing_is_kept(
    house: House, full: AssignmentServicer
) -> None:
    before = kept(house)
    stale = messages.UpdateQueueRequest(queue=resources.Queue(name=f"{PARENT}/queues/que-1", etag="7"))
    circle = resources.Queue(display_name="Q", overflow_queue_id="none", overflow_seconds=1)
    bad = messages.CreateQueueRequest(parent=PARENT, queue=circle)

    with pytest.raises(NotFoundError):
        await simulated(full, limits(404, inbox_limit=2))
    with pytest.raises((NotFoundError, EtagMismatchError)):
        await simulated(full, limits(1, inbox_limit=2), Change(update_queue=stale))
    with pytest.raises(InvalidRequestError):
        await simulated(full, Change(create_queue=bad))
    assert kept(house) == before


async def test_only_admins_simulate_and_only_their_own_account(
    house: House, full: AssignmentServicer
) -> None:
    other = messages.PauseQueueRequest(name="accounts/acc-2/queues/q")
    with pytest.raises(InvalidRequestError) as refused:
        await simulated(full, limits(1, inbox_limit=2), Change(pause_queue=other))
    assert refused.value.violations[0].field == "changes[1]"
    nameless = messages.UpdateQueueRequest(queue=resources.Queue(name="nothing"))
    with pytest.raises(InvalidRequestError):
        await simulated(full, Change(update_queue=nameless))

    acts(1, "agent")
    with pytest.raises(PermissionDeniedError):
        await simulated(full, limits(1, inbox_limit=2))


async def test_the_validate_only_of_a_change_does_not_count(full: AssignmentServicer) -> None:
    async with asyncio.timeout(5):  # a rehearsal in a rehearsal would wait for ever
        found = await simulated(full, limits(1, inbox_limit=2, validate_only=True))

    assert found.difference_count == 1


async def test_a_paused_queue_s_tickets_are_nobody_s(house: House, full: AssignmentServicer) -> None:
    async with house.store.transaction(ACCOUNT) as tx:
        (queue,) = await tx.directory.queues()

    found = await simulated(
        full, Change(pause_queue=messages.PauseQueueRequest(name=f"{PARENT}/queues/{queue.id}"))
    )

    assert dict(found.after.waiting_by_outcome) == {"NO_QUEUE": 3}
    assert [(d.ticket_id, d.outcome) for d in found.differences] == [(1, 0), (2, 0), (3, 0)]
    assert found.examples[0].endswith("no active queue holds it then")


async def test_a_simulation_looks_at_so_many_tickets_and_says_what_it_left_out(
    house: House, full: AssignmentServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.queue("first", kind="trigger", source=SUPPORT)
    await house.queue("rest", kind="trigger", source=BILLING, position=3)
    monkeypatch.setattr(simulate_change, "MOST_TICKETS", 2)

    found = await simulated(full, limits(1, inbox_limit=2))

    assert found.before.considered == found.after.considered == 2
    assert found.left_out == [
        "queue `first`: only its 2 oldest tickets were looked at",
        "queue `All groups`: not looked at, for more than 2 tickets wait in those before it",
        "queue `rest`: not looked at, for more than 2 tickets wait in those before it",
    ]
    async with house.store.transaction(ACCOUNT) as tx:
        assert [q.scan_limit for q in await tx.directory.queues()] == [None, None, None]
    assert replace(kept(house)).queues["first"].scan_limit is None


async def test_a_queue_whose_view_was_not_read_yet_is_told(full: AssignmentServicer) -> None:
    queue = resources.Queue(display_name="New view", kind=resources.Queue.KIND_SCHEDULED, source_id=88)
    made = messages.CreateQueueRequest(parent=PARENT, queue=queue)

    found = await simulated(full, Change(create_queue=made))

    (said,) = found.left_out
    assert said.startswith("queue `New view`: its view was not read yet")
