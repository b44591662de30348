"""Who gets how many of the served tickets: no other way is better balanced."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain import rotation
from services.assignment.domain.balance import Balance
from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import barred, kind_of, slots
from services.assignment.domain.model import Agent, Model, Queue, Snapshot
from services.assignment.tests.unit.test_decide import tickets
from services.assignment.tests.unit.worlds import snapshots


def _ways(world: Snapshot, served: set[int]) -> list[Counter[int]]:
    """Return every way to hand a set of tickets out, as tickets per agent."""
    able = [
        [
            a.id
            for a in world.agents
            if barred(a, kind_of(t, world.as_of), world.queue, world.restrictions) is None
        ]
        for t in world.tickets
        if t.id in served
    ]
    room = {a.id: slots(a, world.queue)[0] for a in world.agents}
    ways = {tuple(sorted(Counter(way).items())) for way in itertools.product(*able)}
    return [Counter(dict(way)) for way in ways if all((most := room[i]) is None or n <= most for i, n in way)]


@given(snapshots())
@settings(max_examples=60, deadline=None)
def test_loads_are_as_close_to_each_other_as_any_way_can_bring_them(world: Snapshot) -> None:
    queue = replace(world.queue, model=Model.LEAST_ACTIVE)
    world = replace(world, queue=queue, tickets=world.tickets[:6])
    plan = decide(world)
    loads = {a.id: a.open_count for a in world.agents}

    def unfairness(given_to: Counter[int]) -> int:
        return sum((load + given_to[i]) ** 2 for i, load in loads.items())

    mine = Counter(d.agent for d in plan.decisions if d.agent is not None)
    ways = _ways(world, {d.ticket for d in plan.decisions if d.agent is not None})
    assert unfairness(mine) == min(map(unfairness, ways))


@given(snapshots())
@settings(max_examples=60, deadline=None)
def test_idle_agents_get_as_even_numbers_as_any_way_can_bring_them(world: Snapshot) -> None:
    world = replace(world, queue=replace(world.queue, model=Model.LONGEST_IDLE), tickets=world.tickets[:6])
    plan = decide(world)
    mine = Counter(d.agent for d in plan.decisions if d.agent is not None)
    ways = _ways(world, {d.ticket for d in plan.decisions if d.agent is not None})

    assert sum(n * n for n in mine.values()) == min(sum(n * n for n in way.values()) for way in ways)


@given(
    st.lists(st.tuples(st.sets(st.integers(1, 3), min_size=1), st.integers(-2, 2)), min_size=1, max_size=4),
    st.lists(st.integers(1, 3), min_size=2, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_turns_are_as_even_as_any_way_can_bring_them(
    people: list[tuple[set[int], int]], groups: list[int]
) -> None:
    agents = [Agent(n, frozenset(g), credit=c * rotation.TURN) for n, (g, c) in enumerate(people, 1)]
    world = Snapshot(agents, tickets(*groups), Queue("q"))
    plan = decide(world)
    mine = Counter(d.agent for d in plan.decisions if d.agent is not None)
    final = {a.id: plan.balances.get(a.id, a.credit) + rotation.TURN * mine[a.id] for a in agents}

    def unfairness(given_to: Counter[int]) -> int:
        return sum((credit - rotation.TURN * given_to[i]) ** 2 for i, credit in final.items())

    ways = _ways(world, {d.ticket for d in plan.decisions if d.agent is not None})
    assert unfairness(mine) == min(map(unfairness, ways))


def test_who_may_take_anything_leaves_the_others_theirs() -> None:
    """Ticket 1 could go to either by load; only if agent 2 takes it have both one in the end."""
    agents = [Agent(1, frozenset({7, 8})), Agent(2, frozenset({7}))]
    for model in (Model.LEAST_ACTIVE, Model.SKILLS, Model.LONGEST_IDLE):
        plan = decide(Snapshot(agents, tickets(7, 8), Queue("q", model=model)))
        assert [d.agent for d in plan.decisions] == [2, 1], model


@given(st.lists(st.booleans(), min_size=1, max_size=5), st.integers(1, 60), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_turns_that_profiles_accrue_are_those_that_agents_would(
    wide: list[bool], turns: int, credit: int
) -> None:
    """The plain form agent by agent, beside the one that counts by profile."""
    agents = [
        Agent(n, frozenset({7, 8} if w else {7}), credit=credit * n * 1000) for n, w in enumerate(wide, 1)
    ]
    plan = decide(Snapshot(agents, tickets(*[7] * turns), Queue("q")))

    balances = {a.id: a.credit for a in agents}
    for decision in plan.decisions:
        price = rotation.accrue(balances, balances)
        turn = max(balances, key=lambda a: (balances[a], -a))
        assert decision.agent == turn
        rotation.take(balances, turn, price)
    assert {a.id: plan.balances.get(a.id, a.credit) for a in agents} == balances


@given(st.integers(17, 40), st.integers(1, 400))
@settings(max_examples=30, deadline=None)
def test_turns_of_large_teams_stay_within_one_of_the_share_too(members: int, turns: int) -> None:
    agents = [Agent(n, frozenset({7})) for n in range(1, members + 1)]
    plan = decide(Snapshot(agents, tickets(*[7] * turns), Queue("q")))
    taken: Counter[int | None] = Counter()

    for turn, decision in enumerate(plan.decisions, 1):
        taken[decision.agent] += 1
        assert all(abs(taken[a.id] - Fraction(turn, members)) < 1 for a in agents)
    assert sum(plan.balances.values()) == 0


def test_no_slot_is_accepted_that_would_leave_an_accepted_one_empty() -> None:
    balance = Balance({1: 1, 2: 1}, {1: [1, 2], 2: [2]})

    assert balance.accept(2)
    assert balance.accept(2)
    assert balance.left == 0
    other = Balance({1: 1, 2: 1}, {1: [1, 2], 2: [2]})
    assert other.accept(1)
    assert not other.accept(1)
    assert not other.accept(1)
    assert other.accept(2)
    assert other.flow == {1: {1: 1}, 2: {2: 1}}
