"""The RPCs: pulls, skills, dedicated agents and absences."""

from __future__ import annotations

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, HOOK, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


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

    for text, kept in [("", ""), (" Back soon. ", "Back soon.")]:
        out = resources.OutOfOffice(statuses=["away"], tag="gone", note=True, note_text=text)
        settings = resources.AccountSettings(out_of_office=out)
        answer = await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=settings)
        assert (answer.settings.out_of_office.note, answer.settings.out_of_office.note_text) == (True, kept)
    for text in ("Dear {{ticket.requester.name}}", "{% if ticket %}x{% endif %}"):
        out = resources.OutOfOffice(statuses=["away"], note=True, note_text=text)
        settings = resources.AccountSettings(out_of_office=out)
        with pytest.raises(InvalidRequestError) as refused:
            await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=settings)
        assert "placeholders" in refused.value.violations[0].description
    out = resources.OutOfOffice(statuses=["away"], note_text="not without note")
    answer = await call(
        rpc, "UpdateAccountSettings", parent=PARENT, settings=resources.AccountSettings(out_of_office=out)
    )
    assert not answer.settings.out_of_office.note

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


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([(60, 2), (60, 1)], "`60` seconds is not after the step before"),
        ([(60, 3)], "level `3` is not below `3`"),
        ([(60, 2), (90, 2)], "level `2` is not below `2`"),
        ([(300, 1)], "after `300` seconds the skill is not asked for any more"),
    ],
)
async def test_levels_go_down_in_time_before_a_skill_is_dropped(
    house: House,
    rpc: AssignmentServicer,
    zendesk: LocalZendesk,
    steps: list[tuple[int, int]],
    said: str,
) -> None:
    await house.open()
    zendesk.skill(1, "de", kind="agent")
    acts(9, "admin")
    await call(rpc, "UpdateAccountSettings", parent=PARENT, settings=resources.AccountSettings(skills=True))
    await house.sync(ACCOUNT, HOOK)
    name = (await call(rpc, "ListSkills", parent=PARENT)).skills[0].name

    def skill(*by: tuple[int, int]) -> resources.Skill:
        lower = [resources.SkillStep(after_seconds=after, level=level) for after, level in by]
        return resources.Skill(name=name, level=3, drop_after_seconds=300, steps=lower)

    with pytest.raises(InvalidRequestError, match="cannot be relaxed") as caught:
        await call(rpc, "UpdateSkill", skill=skill(*steps))
    assert said in caught.value.violations[0].description
    made = (await call(rpc, "UpdateSkill", skill=skill((60, 2), (120, 1)))).skill
    assert [(step.after_seconds, step.level) for step in made.steps] == [(60, 2), (120, 1)]
    with pytest.raises(InvalidRequestError, match="cannot be relaxed"):
        await call(
            rpc, "UpdateSkill", skill=resources.Skill(name=name, level=2), update_mask={"paths": ["level"]}
        )
    assert not (await call(rpc, "UpdateSkill", skill=resources.Skill(name=name))).skill.steps
