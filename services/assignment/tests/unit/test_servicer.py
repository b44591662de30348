"""The RPCs: who may call what, pages that lead through everything, and what is not built says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from libs.rpc.identity import Caller, set_caller
from libs.rpc.pages import PageTokens
from services.assignment.app.options import QueueOptions
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.rpc.use_cases import UseCases
from services.assignment.tests.house import ACCOUNT, BILLING, HOOK, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

PARENT = f"accounts/{ACCOUNT}"


def acts(user: int | None, role: str | None = None) -> None:
    """Let somebody call from here on."""
    subject = f"user:{user}" if user is not None else "service:edge"
    set_caller(Caller("edge", ACCOUNT, "55", subject, role))


@pytest.fixture
def rpc(house: House) -> AssignmentServicer:
    use = UseCases(
        sync=house.sync,
        ingest=house.ingest,
        minute_job=house.job,
        next=house.next,
        absences=house.absences,
        answer=house.answer,
        skip=house.skip,
        release=house.release,
        watch=house.watch,
        settings=house.settings,
        queues=house.queues,
        explain=house.explain,
        store=house.store,
        pages=PageTokens(),
        clock=house.clock,
        ids=house.ids,
    )
    return AssignmentServicer(use)


async def call(rpc: AssignmentServicer, method: str, **values: Any) -> Any:
    return await getattr(rpc, method)(getattr(messages, f"{method}Request")(**values), None)


QUEUE: dict[str, Any] = {"display_name": "Q", "kind": resources.Queue.KIND_SCHEDULED, "position": 0}
ADMINS: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    ("CreateQueue", lambda: {"parent": PARENT, "queue": resources.Queue(**QUEUE)}),
    ("UpdateQueue", lambda: {"queue": resources.Queue(name=f"{PARENT}/queues/q")}),
    ("DeleteQueue", lambda: {"name": f"{PARENT}/queues/q"}),
    ("PauseQueue", lambda: {"name": f"{PARENT}/queues/q"}),
    ("ResumeQueue", lambda: {"name": f"{PARENT}/queues/q"}),
    ("UpdateAccountSettings", lambda: {"parent": PARENT}),
    ("UpdateAgentLimits", lambda: {"name": f"{PARENT}/agents/1"}),
    (
        "SetStatuses",
        lambda: {"parent": PARENT, "statuses": [messages.AgentStatus(user_id=2, status="away")]},
    ),
]
STAFF: list[tuple[str, dict[str, Any]]] = [
    ("ListAgents", {"parent": PARENT}),
    ("GetAgent", {"name": f"{PARENT}/agents/1"}),
    ("ListTickets", {"parent": PARENT}),
    ("ListQueues", {"parent": PARENT}),
    ("GetQueue", {"name": f"{PARENT}/queues/q"}),
    ("GetAccountSettings", {"parent": PARENT}),
    ("ListDecisions", {"parent": PARENT}),
    ("GetDecision", {"name": f"{PARENT}/decisions/d"}),
    ("ExplainDecision", {"name": f"{PARENT}/decisions/d"}),
    ("WhyWaiting", {"name": f"{PARENT}/tickets/5"}),
    ("GetSummary", {"parent": PARENT}),
    ("VerifyDecisionChain", {"parent": PARENT}),
    ("AssignNext", {"parent": PARENT}),
]


@pytest.mark.parametrize(("method", "values"), ADMINS)
async def test_an_agent_changes_no_rules_and_nobody_else_s_status(
    house: House, rpc: AssignmentServicer, method: str, values: Callable[[], dict[str, Any]]
) -> None:
    await house.open(1, 2)
    acts(1, "agent")

    with pytest.raises(PermissionDeniedError):
        await call(rpc, method, **values())


@pytest.mark.parametrize(("method", "values"), STAFF)
async def test_an_end_user_sees_nothing_and_cannot_tell_what_exists(
    house: House, rpc: AssignmentServicer, method: str, values: dict[str, Any]
) -> None:
    await house.open(1)
    acts(901, "end_user")

    with pytest.raises(PermissionDeniedError):
        await call(rpc, method, **values)


async def test_an_agent_sets_his_own_status_and_an_admin_everybody_s(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(1, "agent")
    mine = await call(
        rpc, "SetStatuses", parent=PARENT, statuses=[messages.AgentStatus(user_id=1, status="online")]
    )
    acts(9, "admin")
    all_of = [messages.AgentStatus(user_id=n, status="online") for n in (1, 2, 3)]

    assert mine.changed == 1
    assert (await call(rpc, "SetStatuses", parent=PARENT, statuses=all_of)).changed == 2


async def test_a_service_may_not_pull_and_a_pull_answers_ticket_and_reason(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    await house.set_status("online", 1)
    acts(None)
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "AssignNext", parent=PARENT)
    acts(1, "agent")

    given = await call(rpc, "AssignNext", parent=PARENT, request_id="6f0a2f5e-6d0c-4c53-9a4c-5a1d6a3f2b10")
    again = await call(rpc, "AssignNext", parent=PARENT, request_id="6f0a2f5e-6d0c-4c53-9a4c-5a1d6a3f2b10")
    none = await call(rpc, "AssignNext", parent=PARENT)

    assert (given.ticket.ticket_id, given.decision.mechanism) == (5, "pull")
    assert given == again
    assert not none.HasField("ticket")
    assert not none.HasField("decision")


async def test_pages_lead_through_everything_once(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    for number in range(1, 8):
        zendesk.ticket(number, group_id=BILLING if number % 2 else SUPPORT)
        await house.webhook(number)
    acts(9, "admin")
    for number in range(4):
        await call(
            rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(**QUEUE | {"display_name": str(number)})
        )
    decision = (await house.decisions(2))[0]
    lists: list[tuple[str, str, int, dict[str, Any]]] = [
        ("ListAgents", "agents", 4, {"parent": PARENT}),
        ("ListTickets", "tickets", 7, {"parent": PARENT}),
        ("ListQueues", "queues", 5, {"parent": PARENT}),
        ("ListDecisions", "decisions", 7, {"parent": PARENT}),
        ("ExplainDecision", "candidates", 4, {"name": f"{PARENT}/decisions/{decision.id}"}),
    ]
    for method, field, count, values in lists:
        found: list[str] = []
        token, pages = "", 0
        while pages == 0 or token:
            page = await call(rpc, method, **values, page_size=2, page_token=token)
            found += [str(row) for row in getattr(page, field)]
            token, pages = page.next_page_token, pages + 1
        assert len(found) == len(set(found)) == count, method
        assert pages == (count + 1) // 2, method
    first = await call(rpc, "ListTickets", parent=PARENT, page_size=2)
    with pytest.raises(InvalidRequestError):
        await call(rpc, "ListAgents", parent=PARENT, page_size=2, page_token=first.next_page_token)


async def test_a_decision_is_explained_with_every_candidate(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    zendesk.ticket(5, group_id=SUPPORT)
    acts(None)
    taken = await house.webhook(5)
    acts(1, "agent")

    answer = await call(rpc, "ExplainDecision", name=f"{PARENT}/decisions/{taken[1]}")
    codes = {c.agent_id: c.code for c in answer.candidates}

    assert codes == {1: "CHOSEN", 2: "LOST_ROTATION", 3: "NOT_IN_GROUP", 9: "STATUS_NOT_ONLINE"}
    with pytest.raises(NotFoundError):
        await call(rpc, "GetDecision", name=f"{PARENT}/decisions/none")


async def test_the_account_is_synced_worked_and_summed_up_over_rpc(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    acts(None)
    done = await call(rpc, "SyncAccount", parent=PARENT, webhook_url=HOOK)
    await house.set_status("online", 1)
    zendesk.ticket(5, group_id=SUPPORT)
    zendesk.ticket(6, group_id=BILLING)
    await house.webhook(6)
    await house.webhook(5)
    ran = await call(rpc, "RunMinuteJob", parent=PARENT, wait_for_writes=True)
    summary = (await call(rpc, "GetSummary", parent=PARENT)).summary
    why = await call(rpc, "WhyWaiting", name=f"{PARENT}/tickets/6")
    chain = await call(rpc, "VerifyDecisionChain", parent=PARENT)

    assert (done.agents, done.webhook_created) == (4, True)
    assert (ran.assigned, ran.written, ran.waiting) == (0, 1, 1)
    assert (summary.tickets_in, summary.assigned, summary.waiting, summary.pending_writes) == (2, 1, 1, 0)
    assert not why.free_eligible_agent
    assert {g.code: list(g.agent_ids) for g in why.decision.rejected}["NOT_IN_GROUP"] == [1, 2]
    assert (chain.intact, chain.length) == (True, 2)


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


async def test_offers_skips_and_releases_are_the_agent_s_own_or_an_admin_s(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.queue("q", options=QueueOptions(offer_seconds=60))
    for number in (5, 6):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    offer, other = (f"{PARENT}/offers/{d.id}" for d in await house.decisions())

    acts(2, "agent")
    for method, values in (
        ("AnswerOffer", {"name": offer, "accept": True}),
        ("AnswerOffer", {"name": f"{PARENT}/offers/unknown"}),
        ("ReleaseAgentTickets", {"name": f"{PARENT}/agents/1"}),
    ):
        with pytest.raises(PermissionDeniedError):
            await call(rpc, method, **values)
    acts(1, "agent")
    taken = (await call(rpc, "AnswerOffer", name=offer, accept=True)).ticket
    assert (taken.routing, taken.assignee_id) == (resources.Ticket.ROUTING_ASSIGNED, 1)
    await house.write(ACCOUNT)
    assert (await call(rpc, "ReleaseAgentTickets", name=f"{PARENT}/agents/1")).released == 1
    acts(9, "admin")
    assert (
        await call(rpc, "ReleaseAgentTickets", name=f"{PARENT}/agents/1", validate_only=True)
    ).released == 1
    acts(None)
    assert (await call(rpc, "AnswerOffer", name=other)).ticket.routing == resources.Ticket.ROUTING_WAITING
    with pytest.raises(NotFoundError):
        await call(rpc, "AnswerOffer", name=f"{PARENT}/offers/unknown")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "SkipTicket", name=f"{PARENT}/tickets/6")


async def test_a_watcher_is_told_assignments_and_where_to_go_on(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    acts(1, "agent")
    watched = rpc.WatchAssignments(messages.WatchAssignmentsRequest(parent=PARENT), None)

    first = await anext(watched)
    await house.minute()
    second = await anext(watched)

    assert (first.HasField("decision"), first.sequence) == (False, 0)
    assert (second.decision.ticket_id, second.decision.agent_id, second.sequence) == (5, 1, 1)
    await watched.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_waiting_ticket_says_in_sentences_what_would_free_it(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()
    acts(1, "agent")

    answer = await call(rpc, "WhyWaiting", name=f"{PARENT}/tickets/5")

    assert answer.sentences[0] == "nobody may take it now"
    assert "3 agents are not online: free when they set their status to online" in answer.sentences


async def test_skills_are_listed_and_changed_over_the_api(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.skill(1, "de", kind="agent")
    acts(9, "admin")
    await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=resources.AccountSettings(skills=True))
    await house.sync(ACCOUNT, HOOK)

    first = await call(rpc, "ListSkills", parent=PARENT, page_size=1)
    second = await call(rpc, "ListSkills", parent=PARENT, page_size=1, page_token=first.next_page_token)
    changed = await call(
        rpc, "UpdateSkill", skill=resources.Skill(name=first.skills[0].name, level=2, drop_after_seconds=60)
    )
    kept = await call(
        rpc, "UpdateSkill", skill=resources.Skill(name=first.skills[0].name), update_mask={"paths": ["level"]}
    )
    levelled = await call(
        rpc,
        "UpdateAgentSkills",
        name=f"{PARENT}/agents/1",
        skills=[resources.AgentSkill(skill_id="de", level=4)],
    )

    assert [s.display_name for s in (*first.skills, *second.skills)] == ["Language: De", "Language: Fr"]
    assert (changed.skill.level, changed.skill.drop_after_seconds) == (2, 60)
    assert (kept.skill.level, kept.skill.drop_after_seconds) == (1, 60)
    shown = (await call(rpc, "GetAgent", name=f"{PARENT}/agents/1")).agent
    assert list(shown.skills) == list(levelled.agent.skills) == [resources.AgentSkill(skill_id="de", level=4)]
    with pytest.raises(InvalidRequestError):
        await call(
            rpc,
            "UpdateAgentSkills",
            name=f"{PARENT}/agents/1",
            skills=[resources.AgentSkill(skill_id="fr", level=4)],
        )
    with pytest.raises(NotFoundError):
        await call(rpc, "UpdateSkill", skill=resources.Skill(name=f"{PARENT}/skills/unknown"))


async def test_dedicated_rules_and_the_same_agent_are_set_over_the_api(
    rpc: AssignmentServicer, house: House
) -> None:
    await house.open()
    acts(9, "admin")
    rules = [
        resources.DedicatedRule(
            requester_id=900, agent_ids=[1, 2], fallback=resources.DedicatedRule.FALLBACK_WAIT
        ),
        resources.DedicatedRule(tag="vip", agent_ids=[2], fallback=resources.DedicatedRule.FALLBACK_QUEUE),
        resources.DedicatedRule(
            organization_id=7, agent_ids=[2], fallback=resources.DedicatedRule.FALLBACK_QUEUE
        ),
    ]
    same = resources.SameAgent(window_hours=72, anchor=resources.SameAgent.ANCHOR_NEWEST, tag="t")

    assert (await call(rpc, "ReplaceDedicatedRules", parent=PARENT, rules=rules)).rules == 3
    settings = resources.AccountSettings(same_agent=same)
    answer = await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=settings)

    first = await call(rpc, "ListDedicatedRules", parent=PARENT, page_size=2)
    rest = await call(rpc, "ListDedicatedRules", parent=PARENT, page_size=2, page_token=first.next_page_token)
    assert [*first.rules, *rest.rules] == rules
    assert answer.settings.same_agent == same
    off = await call(
        rpc,
        "UpdateAccountSettings",
        parent=PARENT,
        settings=resources.AccountSettings(),
        update_mask={"paths": ["same_agent"]},
    )
    assert not off.settings.HasField("same_agent")
    bad = [resources.DedicatedRule(tag="x", agent_ids=[404])]
    with pytest.raises(InvalidRequestError) as refused:
        await call(rpc, "ReplaceDedicatedRules", parent=PARENT, rules=bad)
    assert "`404`" in refused.value.violations[0].description
    acts(1, "agent")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "ListDedicatedRules", parent=PARENT)


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


async def test_absence_rules_are_set_and_activities_told_over_the_api(
    rpc: AssignmentServicer, house: House
) -> None:
    await house.open(1)
    acts(9, "admin")
    out = resources.OutOfOffice(statuses=["away"], tag="gone", advanced=True, release=True, on_idle=True)
    settings = resources.AccountSettings(out_of_office=out, idle=resources.Idle(timeout_minutes=45))
    answer = await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=settings)
    assert answer.settings.out_of_office == out
    assert answer.settings.idle == resources.Idle(timeout_minutes=45, status="away")
    with pytest.raises(InvalidRequestError) as refused:
        await call(
            rpc,
            "UpdateAccountSettings",
            parent=PARENT,
            settings=resources.AccountSettings(out_of_office=resources.OutOfOffice(statuses=["online"])),
        )
    assert "`online` receives" in refused.value.violations[0].description

    statuses = [messages.AgentStatus(user_id=1, status="away")]
    assert (await call(rpc, "SetStatuses", parent=PARENT, statuses=statuses)).changed == 1
    acts(1, "agent")
    await call(rpc, "RecordActivity", name=f"{PARENT}/agents/1")
    shown = (await call(rpc, "GetAgent", name=f"{PARENT}/agents/1")).agent
    assert (shown.absence, shown.activity_time.ToDatetime(house.clock.now().tzinfo)) == (
        "out_of_office",
        house.clock.now(),
    )
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "RecordActivity", name=f"{PARENT}/agents/2")
    acts(None)
    with pytest.raises(NotFoundError):
        await call(rpc, "RecordActivity", name=f"{PARENT}/agents/404")


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
