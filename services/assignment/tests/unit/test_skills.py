"""Skills: copied whole and by the stream; all that are required, with levels, optional ones dropped over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.app.options import AccountOptions
from services.assignment.domain.model import Code
from services.assignment.tests.house import ACCOUNT, HOOK, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def skilled(house: House, *online: int) -> None:
    """Let an account go by skills: agent 1 speaks German and French, 2 German alone."""
    await house.open(*online)
    await use(house)
    house.zendesk.skill(1, "de", "fr", kind="agent")
    house.zendesk.skill(2, "de", kind="agent")
    await house.sync(ACCOUNT, HOOK)
    await house.queue("skills", model="skills")


async def use(house: House, *, skills: bool = True) -> None:
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=AccountOptions(skills=skills)), validate_only=False
    )


async def rule(
    house: House,
    skill: str,
    level: int = 1,
    drop: int | None = None,
    steps: tuple[tuple[int, int], ...] = (),
) -> None:
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.skills.put_rule(skill, level, drop, steps) is not None


def ask(house: House, ticket: int, *skills: str) -> None:
    house.zendesk.ticket(ticket, group_id=SUPPORT)
    house.zendesk.skill(ticket, *skills)


async def test_an_agent_must_have_all_skills_and_the_least_loaded_of_them_gets_it(
    house: House, zendesk: LocalZendesk
) -> None:
    await skilled(house, 1, 2, 9)
    ask(house, 5, "de", "fr")
    ask(house, 6, "de")
    ask(house, 7)

    done = await house.minute()

    given = {ticket: agent for ticket, agent, _ in done.assignments}
    assert (given[5], given[6]) == (1, 2)
    decision = (await house.decisions(5))[-1]
    assert await house.rejected(decision, Code.MISSING_SKILL) == [2, 9]
    assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes is True


async def test_levels_count_and_survive_a_sync(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house, 1, 2)
    await rule(house, "de", level=3)
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.skills.put_levels(2, {"de": 3, "fr": 9}) == 1
    await house.sync(ACCOUNT, HOOK)
    ask(house, 5, "de")

    await house.minute()

    decision = (await house.decisions(5))[-1]
    assert (decision.agent_id, await house.rejected(decision, Code.SKILL_LEVEL)) == (2, [1])


async def test_an_optional_skill_is_dropped_in_time_and_until_then_says_when(
    house: House, zendesk: LocalZendesk
) -> None:
    await skilled(house, 2)
    await rule(house, "fr", drop=3600)
    ask(house, 5, "de", "fr")
    created = zendesk.tickets[5]["created_at"]

    await house.minute(minutes=59)
    why = await house.explain.why_waiting(ACCOUNT, 5)
    assert why.decision.codes[2] is Code.MISSING_SKILL
    assert any("the skill `fr` is not asked for" in s for s in why.sentences), created
    await house.minute(minutes=1)

    assert (await house.decisions(5))[-1].agent_id == 2


async def test_changes_of_skills_are_followed_each_minute(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house, 1, 2)
    ask(house, 5, "fr")
    zendesk.skill(1, "fr", kind="agent", holds=False)
    await house.minute()
    assert (await house.decisions(5))[-1].outcome == "WAITING_NO_ELIGIBLE_AGENT"

    zendesk.skill(2, "fr", kind="agent")
    await house.minute()

    assert (await house.decisions(5))[-1].agent_id == 2


async def test_a_skill_that_a_ticket_lost_is_not_asked_for(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house, 2)
    ask(house, 5, "fr")
    await house.minute()

    zendesk.skill(5, "fr", holds=False)
    await house.minute()

    assert (await house.decisions(5))[-1].agent_id == 2


async def test_a_skill_that_nobody_has_is_named(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house, 2)
    zendesk.skill(1, "fr", kind="agent", holds=False)
    ask(house, 5, "fr")
    await house.minute()

    why = await house.explain.why_waiting(ACCOUNT, 5)

    assert any(s.startswith("nobody has the skill `fr` at level 1: give it") for s in why.sentences)


async def test_other_queues_do_not_look_at_skills(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house, 2)
    await house.queue("skills", model="round_robin")
    ask(house, 5, "fr")

    await house.minute()

    assert (await house.decisions(5))[-1].agent_id == 2


async def test_who_does_not_use_skills_has_none_copied_and_no_queue_by_them(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.skill(1, "de", kind="agent")
    zendesk.calls.clear()
    await house.sync(ACCOUNT, HOOK)
    await house.minute()
    assert not [c for c in zendesk.calls if "routing" in c]
    queue = await house.queue("q")
    with pytest.raises(InvalidRequestError) as refused:
        await house.queues.change(
            ACCOUNT, "q", "", lambda row: replace(row, model="skills"), validate_only=False
        )
    assert "set `skills`" in refused.value.violations[0].description
    await use(house)
    await house.queues.change(ACCOUNT, "q", "", lambda _: replace(queue, model="skills"), validate_only=False)
    with pytest.raises(InvalidRequestError):
        await use(house, skills=False)


async def test_when_the_stream_does_not_answer_the_job_goes_on(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house, 1)
    house.zendesk.ticket(5, group_id=SUPPORT)
    zendesk.fault("GET incremental/routing/instance_values", status=403, times=9)

    await house.minute()

    assert (await house.decisions(5))[-1].agent_id == 1


async def test_a_ticket_that_comes_back_begins_to_wait_anew(house: House, zendesk: LocalZendesk) -> None:
    await skilled(house)
    await rule(house, "fr", drop=3600)
    ask(house, 5, "fr")
    zendesk.change(5, assignee_id=9, status="open")
    await house.minute()
    house.clock.advance(timedelta(hours=2))
    zendesk.change(5, assignee_id=None)
    await house.set_status("online", 2)

    await house.minute()
    assert (await house.ticket(5)).routing == "waiting"
    await house.minute(minutes=60)

    assert (await house.ticket(5)).routing == "assigned"


async def test_of_tickets_that_nobody_knows_only_what_is_young_is_kept(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()  # nobody is there, so that what comes waits
    await use(house)
    zendesk.skill(4, "fr")
    ask(house, 5, "fr")
    await house.webhook(5)
    house.clock.advance(timedelta(days=14, seconds=1))
    zendesk.skill(6, "fr")

    await house.sync(ACCOUNT, HOOK)
    for number in (4, 6):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)

    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.skills.of_waiting() == {5: {"fr"}, 6: {"fr"}}


async def test_a_level_is_lowered_by_steps_in_time_and_until_then_says_when(
    house: House, zendesk: LocalZendesk
) -> None:
    await skilled(house, 1, 2)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.skills.put_levels(2, {"de": 2})
    await rule(house, "de", 4, 3600, ((180, 3), (300, 2)))
    ask(house, 5, "de")

    await house.minute()
    said = (await house.explain.why_waiting(ACCOUNT, 5)).sentences
    assert "nobody has the skill `de` at level 4: give it to an agent in Zendesk, or make it optional" in said
    assert any(one.endswith("the skill `de` is enough at level 3") for one in said)
    await house.minute(minutes=1)
    said = (await house.explain.why_waiting(ACCOUNT, 5)).sentences
    assert any(one.endswith("the skill `de` is enough at level 2") for one in said)
    await house.minute()

    decision = (await house.decisions(5))[-1]
    assert (decision.agent_id, await house.rejected(decision, Code.SKILL_LEVEL)) == (2, [1])
    assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes is True
