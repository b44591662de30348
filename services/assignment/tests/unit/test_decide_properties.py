"""Whatever the round: limits hold, restrictions hold, nobody waits beside a free agent, and it can be decided again."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.decide import decide, tally, value_order
from services.assignment.domain.eligibility import barred, kind_of, slots
from services.assignment.domain.inputs import digest, dump, load
from services.assignment.domain.model import FULL, Code, Outcome, Snapshot
from services.assignment.tests.unit.worlds import snapshots

SOME = settings(max_examples=150, deadline=None)


@given(snapshots())
@SOME
def test_no_agent_gets_more_than_any_limit_lets_him(world: Snapshot) -> None:
    given_to = Counter(d.agent for d in decide(world).assigned)

    for agent in world.agents:
        got, queue = given_to[agent.id], world.queue
        if got:
            assert agent.inbox_limit is None or agent.open_count + got <= agent.inbox_limit
        if got:
            load = agent.load if queue.interruptible else agent.load - agent.interruptible
            assert agent.capacity is None or load + got * queue.work <= agent.capacity
            assert queue.open_limit is None or agent.open_queue + got <= queue.open_limit
            assert agent.rate_limit is None or agent.assigned_rate + got <= agent.rate_limit
            assert queue.rate_limit is None or agent.assigned_rate_queue + got <= queue.rate_limit
        if got and queue.scheduled:
            assert agent.daily_limit is None or agent.assigned_12h + got <= agent.daily_limit
            assert queue.daily_limit is None or agent.assigned_12h_queue + got <= queue.daily_limit
            if queue.model == "round_robin":
                assert queue.batch_size is None or agent.assigned_run + got <= queue.batch_size


@given(snapshots())
@SOME
def test_a_rate_limit_gives_and_shares_turns_as_a_daily_limit_of_the_same_size_does(world: Snapshot) -> None:
    """Both end by themselves, and neither with the run: who is full by either accrues no turns."""
    plain = [replace(a, rate_limit=None, assigned_rate_queue=0) for a in world.agents]
    queue = replace(world.queue, daily_limit=None, rate_limit=None, scheduled=True)
    daily = replace(world, agents=plain, queue=queue)
    paced = [
        replace(a, rate_limit=a.daily_limit, assigned_rate=a.assigned_12h, daily_limit=None) for a in plain
    ]

    one, other = decide(daily), decide(replace(daily, agents=paced))

    assert [(d.ticket, d.agent) for d in one.decisions] == [(d.ticket, d.agent) for d in other.decisions]
    assert one.balances == other.balances
    swapped = {Code.DAILY_LIMIT: Code.RATE_LIMIT}
    for mine, theirs in zip(one.decisions, other.decisions, strict=True):
        assert {a: swapped.get(code, code) for a, code in mine.codes.items()} == dict(theirs.codes)


@given(snapshots())
@SOME
def test_nobody_outside_group_role_rotation_or_status_gets_anything(world: Snapshot) -> None:
    agents, tickets = {a.id: a for a in world.agents}, {t.id: t for t in world.tickets}

    for decision in decide(world).assigned:
        assert decision.agent is not None
        agent, ticket = agents[decision.agent], tickets[decision.ticket]
        assert decision.group in agent.groups
        helps = not agent.groups.isdisjoint(ticket.overflow)
        assert ticket.group in (None, decision.group) or decision.group in ticket.overflow
        assert not world.restrictions.groups or world.restrictions.groups & agent.groups
        assert not world.restrictions.roles or agent.custom_role_id in world.restrictions.roles
        assert helps or not world.queue.agents or agent.id in world.queue.agents
        assert (agent.active, agent.light, agent.suspended, agent.status) == (True, False, False, "online")


@given(snapshots())
@SOME
def test_no_ticket_waits_beside_an_eligible_agent_with_room_or_a_less_valuable_one_served(
    world: Snapshot,
) -> None:
    plan = decide(world)
    got = Counter(d.agent for d in plan.assigned)
    order = {t.id: value_order(t, world.queue) for t in world.tickets}
    kinds = {t.id: kind_of(t, world.as_of) for t in world.tickets}

    for waiting in (d for d in plan.decisions if d.agent is None):
        for agent in world.agents:
            if barred(agent, kinds[waiting.ticket], world.queue, world.restrictions) is not None:
                continue
            room = slots(agent, world.queue)[0]
            assert room is not None
            assert got[agent.id] == room
            mine = [d.ticket for d in plan.assigned if d.agent == agent.id]
            assert all(order[t] < order[waiting.ticket] for t in mine)


@given(snapshots())
@SOME
def test_every_ticket_has_one_decision_and_every_agent_one_code_that_explains_it(world: Snapshot) -> None:
    plan = decide(world)

    assert [d.rank for d in plan.decisions] == list(range(1, len(world.tickets) + 1))
    assert sorted(d.ticket for d in plan.decisions) == sorted(t.id for t in world.tickets)
    kinds = {t.id: kind_of(t, world.as_of) for t in world.tickets}
    for decision in plan.decisions:
        assert decision.codes.keys() == {a.id for a in world.agents}
        chosen = [a for a, code in decision.codes.items() if code is Code.CHOSEN]
        assert chosen == ([] if decision.agent is None else [decision.agent])
        for agent in world.agents:
            bar = barred(agent, kinds[decision.ticket], world.queue, world.restrictions)
            if bar is not None:
                assert decision.codes[agent.id] is bar
        full = any(code in FULL for code in decision.codes.values())
        if decision.agent is None:
            assert (decision.outcome is Outcome.WAITING_ALL_FULL) is full


@given(snapshots())
@SOME
def test_counted_by_profile_the_codes_are_as_many(world: Snapshot) -> None:
    for decision in decide(world).decisions:
        assert tally(decision) == Counter(decision.codes.values())


@given(snapshots())
@SOME
def test_turns_are_neither_made_nor_lost(world: Snapshot) -> None:
    plan = decide(world)
    before = {a.id: a.credit for a in world.agents}

    assert sum({**before, **plan.balances}.values()) == sum(before.values())
    assert plan.balances.keys() <= before.keys()


@given(snapshots(), st.randoms(use_true_random=False))
@SOME
def test_the_same_facts_give_the_same_plan_in_any_order_and_after_being_written_down(
    world: Snapshot, dice: random.Random
) -> None:
    agents, tickets = list(world.agents), list(world.tickets)
    dice.shuffle(agents)
    dice.shuffle(tickets)
    shuffled = replace(world, agents=agents, tickets=tickets)

    assert dump(shuffled) == dump(world)
    assert decide(shuffled) == decide(world)
    assert decide(load(dump(world))) == decide(world)


@given(snapshots(), snapshots())
@SOME
def test_different_facts_have_different_digests(one: Snapshot, other: Snapshot) -> None:
    same = load(dump(one)) == load(dump(other))

    assert (digest(dump(one)) == digest(dump(other))) is same
