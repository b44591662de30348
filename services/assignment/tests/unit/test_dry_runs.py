"""A dry run answers what the command would, and leaves nothing behind (facts: §7.2); on PostgreSQL: integration."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kernel.clock import ManualClock
from libs.kernel.errors import PermissionDeniedError, RequestIdReusedError
from libs.kernel.ids import CountingIds
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.adapters.memory.tables import Tables
from services.assignment.app import rehearsal
from services.assignment.app.watch import Bell
from services.assignment.rpc import plans
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.dry_runs import (
    COMMANDS,
    LATER,
    QUEUE_REQUEST,
    REQUEST,
    carry_out,
    open_helpdesk,
)
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call, servicer
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


def kept(house: House) -> Tables:
    """Return everything that is kept."""
    assert isinstance(house.store, MemoryStore)
    return copy.deepcopy(house.store._tables[ACCOUNT])


async def new_helpdesk() -> tuple[House, AssignmentServicer]:
    clock = ManualClock()
    house = House(MemoryStore(), LocalZendesk(clock), clock, CountingIds(), Bell())
    await open_helpdesk(house)
    return house, servicer(house)


async def dry_then_real(house: House, rpc: AssignmentServicer, command: str) -> tuple[object, object]:
    """Run a command dry, check that nothing came of it, and then run it."""
    house.clock.advance(
        timedelta(seconds=10)
    )  # what privacy said is too old: it is asked again, and forgotten
    before, calls, known = kept(house), list(house.zendesk.calls), dict(house.restricted._known)
    planned = await carry_out(rpc, house, command, dry=True)
    assert kept(house) == before
    assert house.zendesk.calls == calls
    assert house.restricted._known == known
    assert not house.wake.is_set()
    done = await carry_out(rpc, house, command, dry=False)
    await house.write(ACCOUNT)  # so that what the next command finds in Zendesk is what we know
    house.wake.clear()
    return planned, done


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_dry_run_tells_what_the_command_does_and_keeps_nothing(command: str) -> None:
    house, rpc = await new_helpdesk()

    planned, done = await dry_then_real(house, rpc, command)

    assert planned == done


@given(st.lists(st.sampled_from([*sorted(COMMANDS), "run", "later"]), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_whatever_happened_before_a_dry_run_tells_what_the_command_does(commands: list[str]) -> None:
    house, rpc = await new_helpdesk()

    for command in commands:
        if command == "later":
            house.clock.advance(LATER)
            continue
        planned, done = await dry_then_real(house, rpc, command)
        assert planned == done, command


async def as_(rpc: AssignmentServicer, user: int | None, method: str, **values: Any) -> Any:
    acts(user, None if user is None else "admin" if user == 9 else "agent")
    return await call(rpc, method, **values)


async def test_a_dry_minute_job_explains_what_it_would_decide_and_what_waits() -> None:
    house, rpc = await new_helpdesk()

    plan = await as_(rpc, None, "RunMinuteJob", parent=PARENT, validate_only=True)

    assert plan.decision_count == len(plan.decisions) == 8
    given = {d.ticket_id: d.agent_id for d in plan.decisions if d.agent_id}
    assert given == {one.ticket_id: one.agent_id for one in plan.assignments}
    assert dict(plan.waiting_by_outcome) == {"WAITING_NO_ELIGIBLE_AGENT": 1}
    (waits,) = (d for d in plan.decisions if not d.agent_id)
    assert (waits.ticket_id, waits.outcome) == (11, resources.Decision.OUTCOME_WAITING_NO_ELIGIBLE_AGENT)
    assert {r.code: r.count for r in waits.rejected}["MISSING_SKILL"] == 2
    for one in plan.decisions:
        assert (one.name, one.hash, one.sequence, one.write) == ("", "", 0, resources.Decision.WRITE_NONE)
        assert sum(r.count for r in one.rejected) + bool(one.agent_id) == one.candidates == 4
        assert all(len(r.agent_ids) == r.count for r in one.rejected)
    assert {r.code: list(r.agent_ids) for r in waits.rejected}["MISSING_SKILL"] == [3, 9]
    assert {d.rule_version for d in plan.decisions} == {(await house.queues.settings(ACCOUNT)).rule_version}


async def test_a_dry_minute_job_shows_what_it_can_and_counts_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, rpc = await new_helpdesk()
    monkeypatch.setattr(plans, "MOST_DECISIONS", 3)

    plan = await as_(rpc, None, "RunMinuteJob", parent=PARENT, validate_only=True)

    assert (len(plan.decisions), plan.decision_count, plan.assigned) == (3, 8, 7)
    assert all(r.agent_ids for d in plan.decisions for r in d.rejected)


async def test_a_large_plan_tells_numbers_and_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    _, rpc = await new_helpdesk()
    monkeypatch.setattr(plans, "MOST_NAMED", 31)  # 8 decisions about 4 agents would be 32

    plan = await as_(rpc, None, "RunMinuteJob", parent=PARENT, validate_only=True)

    assert not any(r.agent_ids for d in plan.decisions for r in d.rejected)
    assert all(r.count for d in plan.decisions for r in d.rejected)


async def test_a_dry_pull_uses_up_no_request_id_and_repeats_what_the_id_was_answered_with() -> None:
    house, rpc = await new_helpdesk()
    asked = {"parent": PARENT, "request_id": REQUEST}

    first = await as_(rpc, 9, "AssignNext", **asked, validate_only=True)
    assert (first.decision.name, first.ticket.ticket_id) == ("", 5)
    other = await as_(rpc, 3, "AssignNext", **asked)  # the id is free: a dry run is not remembered
    again = await as_(rpc, 3, "AssignNext", **asked, validate_only=True)

    assert other.decision.name.startswith(f"{PARENT}/decisions/")
    assert again == other  # the name of what was decided then, for it is kept
    with pytest.raises(RequestIdReusedError):
        await as_(rpc, 9, "AssignNext", **asked, validate_only=True)
    assert (await house.ticket(5)).routing == "waiting"


async def test_a_dry_create_with_a_request_id_leaves_the_id_to_another_body() -> None:
    _, rpc = await new_helpdesk()
    one = resources.Queue(display_name="One", kind=resources.Queue.KIND_TRIGGER, source_id=SUPPORT)
    other = resources.Queue(display_name="Other", kind=resources.Queue.KIND_TRIGGER, source_id=SUPPORT)
    asked = {"parent": PARENT, "request_id": QUEUE_REQUEST}

    await as_(rpc, 9, "CreateQueue", **asked, queue=one, validate_only=True)
    await as_(rpc, 9, "CreateQueue", **asked, queue=other)

    with pytest.raises(RequestIdReusedError):
        await as_(rpc, 9, "CreateQueue", **asked, queue=one, validate_only=True)


async def test_a_dry_decline_tells_who_is_asked_next() -> None:
    house, rpc = await new_helpdesk()
    async with house.store.transaction(ACCOUNT) as tx:
        offer = await tx.offers.live(1)
    assert offer is not None

    told = await as_(
        rpc,
        offer.agent_id,
        "AnswerOffer",
        name=f"{PARENT}/offers/{offer.id}",
        accept=False,
        validate_only=True,
    )

    (following,) = (d for d in told.decisions if d.ticket_id == 1)
    assert following.outcome == resources.Decision.OUTCOME_OFFERED
    assert following.agent_id not in (0, offer.agent_id)
    assert (following.name, following.hash) == ("", "")
    named = {r.code: list(r.agent_ids) for r in following.rejected}
    assert named["DECLINED"] == [offer.agent_id]
    assert all(len(r.agent_ids) == r.count for r in following.rejected)
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.offers.live(1) == offer


async def test_a_dry_change_of_status_counts_the_tickets_that_zendesk_would_be_told_of() -> None:
    house, rpc = await new_helpdesk()
    away = [messages.AgentStatus(user_id=2, status="vacation")]

    told = await as_(rpc, 9, "SetStatuses", parent=PARENT, statuses=away, validate_only=True)

    assert (told.changed, told.writes) == (1, 1)  # given back and tagged at once
    assert await house.pending() == 0


async def test_who_may_not_do_a_thing_may_not_do_it_dry_either() -> None:
    house, rpc = await new_helpdesk()
    dry: list[tuple[int, str, dict[str, Any]]] = [
        (1, "PauseQueue", {"name": f"{PARENT}/queues/asked"}),
        (1, "UpdateAgentLimits", {"name": f"{PARENT}/agents/1", "inbox_limit": 9}),
        (1, "UpdateSkill", {"skill": resources.Skill(name=f"{PARENT}/skills/fr")}),
        (1, "SetStatuses", {"parent": PARENT, "statuses": [messages.AgentStatus(user_id=2, status="away")]}),
        (3, "AnswerOffer", {"name": f"{PARENT}/offers/none", "accept": True}),
    ]
    before = kept(house)

    for user, method, values in dry:
        with pytest.raises(PermissionDeniedError):
            await as_(rpc, user, method, **values, validate_only=True)
    assert kept(house) == before


async def test_every_command_that_decides_or_changes_rules_can_be_run_dry() -> None:
    unlike = {
        "SyncAccount",
        "IngestWebhook",
        "RecordActivity",
    }  # Zendesk's own news, and an agent's sign of life
    commands = {
        method.name
        for method in messages.DESCRIPTOR.services_by_name["AssignmentService"].methods
        if method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS
    }

    can = {
        method.name
        for method in messages.DESCRIPTOR.services_by_name["AssignmentService"].methods
        if "validate_only" in method.input_type.fields_by_name
    }
    assert can == {method for method, _ in COMMANDS.values()}
    missing = {
        name
        for name in commands - unlike
        if "validate_only" not in getattr(messages, f"{name}Request").DESCRIPTOR.fields_by_name
    }

    assert missing == set()


async def test_a_long_round_is_not_written_down_and_still_tells_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house, rpc = await new_helpdesk()
    whole = await as_(rpc, None, "RunMinuteJob", parent=PARENT, validate_only=True)
    monkeypatch.setattr(rehearsal, "MOST_MADE", 2)

    brief = await as_(rpc, None, "RunMinuteJob", parent=PARENT, validate_only=True)
    async with house.rehearse(ACCOUNT) as on:
        await on.run(ACCOUNT)
        made = await on.tx.decisions.page(on.head, 100, None)

    assert brief == whole
    assert (len(made), brief.decision_count) == (7, 8)
    assert {row.outcome for row in made} == {"ASSIGNED"}
