"""The decision keeps its promises: largest and best served set, caps, turns, one code per agent."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.decide import decide, value_order
from services.assignment.domain.eligibility import Kind, barred
from services.assignment.domain.model import (
    Agent,
    Code,
    Model,
    Outcome,
    Queue,
    Restrictions,
    Snapshot,
    Ticket,
)

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
Q = Queue("q")


def tickets(*groups: int | None) -> list[Ticket]:
    return [Ticket(n, T0 + timedelta(minutes=n), group) for n, group in enumerate(groups, 1)]


def agent(number: int, *groups: int, **values: object) -> Agent:
    return Agent(number, frozenset(groups), **values)  # type: ignore[arg-type]  # values of the test


def test_ten_tickets_and_three_agents_are_shared_4_3_3() -> None:
    plan = decide(Snapshot([agent(1, 7), agent(2, 7), agent(3, 7)], tickets(*[7] * 10), Q))

    counts = [sum(d.agent == n for d in plan.decisions) for n in (1, 2, 3)]
    assert counts == [4, 3, 3]


def test_the_rotation_goes_on_where_it_stopped() -> None:
    queue = Queue("q", batch_size=2)
    agents = [agent(1, 7), agent(2, 7), agent(3, 7)]
    first = decide(Snapshot(agents, tickets(*[7] * 10), queue))
    later = [agent(a.id, 7, credit=first.balances.get(a.id, 0)) for a in agents]
    second = decide(Snapshot(later, tickets(*[7] * 4), queue))

    assert [sum(d.agent == n for d in first.decisions) for n in (1, 2, 3)] == [2, 2, 2]
    assert [sum(d.agent == n for d in second.decisions) for n in (1, 2, 3)] == [2, 1, 1]


def test_the_inbox_limit_counts_what_the_round_itself_gives() -> None:
    queue = Queue("q", batch_size=5)
    plan = decide(Snapshot([agent(1, 7, inbox_limit=10, open_count=9)], tickets(7, 7, 7), queue))

    assert [d.outcome for d in plan.decisions] == [
        Outcome.ASSIGNED,
        Outcome.WAITING_ALL_FULL,
        Outcome.WAITING_ALL_FULL,
    ]
    assert plan.decisions[1].codes[1] is Code.SLOT_TAKEN


def test_an_earlier_ticket_moves_so_that_a_later_one_is_served_too() -> None:
    both, only_a = agent(1, 7, 8, inbox_limit=1), agent(2, 7, inbox_limit=1)
    plan = decide(Snapshot([both, only_a], tickets(7, 8), Q))

    assert {d.ticket: d.agent for d in plan.decisions} == {1: 2, 2: 1}


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (agent(1, 7, active=False, light=True), Code.AGENT_INACTIVE),
        (agent(1, 7, light=True, suspended=True), Code.AGENT_LIGHT),
        (agent(1, 7, suspended=True), Code.AGENT_SUSPENDED),
        (agent(1, 8), Code.APP_RESTRICTED),
        (agent(1, 9, 7), Code.NOT_IN_ROTATION),
        (agent(5, 9, status="away"), Code.NOT_IN_GROUP),
        (agent(5, 9, 7, status="away"), Code.STATUS_NOT_ONLINE),
        (agent(5, 9, 7), None),
    ],
)
def test_the_first_failing_check_is_the_reason(who: Agent, code: Code | None) -> None:
    queue = Queue("q", agents=frozenset({5}))

    assert (
        barred(
            who,
            Kind(7),
            queue,
            Restrictions(groups=frozenset({9})) if who.id == 5 or who.groups != {7} else Restrictions(),
        )
        is code
    )


def test_daily_limits_do_not_bind_trigger_queues() -> None:
    tired = agent(1, 7, daily_limit=5, assigned_12h=5)

    assert decide(Snapshot([tired], tickets(7), Q)).decisions[0].codes[1] is Code.DAILY_LIMIT
    assert decide(Snapshot([tired], tickets(7), Queue("t", scheduled=False))).decisions[0].agent == 1


def test_least_active_gives_to_the_least_loaded() -> None:
    queue = Queue("q", model=Model.LEAST_ACTIVE)
    plan = decide(Snapshot([agent(1, 7, open_count=5), agent(2, 7, open_count=3)], tickets(7, 7, 7), queue))

    assert [d.agent for d in plan.decisions] == [2, 2, 1]
    assert plan.decisions[0].codes == {1: Code.LOST_LOAD, 2: Code.CHOSEN}


def test_shuffled_input_gives_the_same_plan() -> None:
    agents = [agent(n, 7, 8) for n in range(1, 5)]
    waiting = tickets(7, 8, 7, 8, 7)

    assert decide(Snapshot(agents, waiting, Q)) == decide(Snapshot(agents[::-1], waiting[::-1], Q))


worlds = st.tuples(
    st.lists(st.tuples(st.sets(st.integers(1, 3), min_size=1), st.integers(0, 2)), min_size=1, max_size=4),
    st.lists(st.integers(1, 3), min_size=1, max_size=6),
)


def _feasible(subset: tuple[Ticket, ...], agents: list[Agent]) -> bool:
    """Try every way to hand a set of tickets out."""
    ways = itertools.product(*[[a.id for a in agents if t.group in a.groups] for t in subset])
    caps = {a.id: a.inbox_limit or 0 for a in agents}
    return any(all(way.count(i) <= caps[i] for i in set(way)) for way in ways)


@given(worlds)
@settings(max_examples=200, deadline=None)
def test_the_served_set_is_the_largest_and_the_best_of_all(
    world: tuple[list[tuple[set[int], int]], list[int]],
) -> None:
    agents = [
        Agent(n, frozenset(groups), inbox_limit=cap, open_count=0)
        for n, (groups, cap) in enumerate(world[0], 1)
    ]
    waiting = tickets(*world[1])
    plan = decide(Snapshot(agents, waiting, Q))
    best = max(
        (
            s
            for size in range(len(waiting) + 1)
            for s in itertools.combinations(waiting, size)
            if _feasible(s, agents)
        ),
        key=lambda s: (len(s), [-t.id for t in s]),
    )

    assert [d.ticket for d in plan.assigned] == [t.id for t in best]
    for a in agents:
        assert sum(d.agent == a.id for d in plan.decisions) <= (a.inbox_limit or 0)
    for decision in plan.decisions:
        assert set(decision.codes) == {a.id for a in agents}
        ticket = next(t for t in waiting if t.id == decision.ticket)
        assert decision.agent is None or ticket.group in agents[decision.agent - 1].groups


@given(st.integers(1, 12), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_every_prefix_is_less_than_one_turn_from_the_share(members: int, turns: int) -> None:
    plan = decide(Snapshot([agent(n, 7) for n in range(1, members + 1)], tickets(*[7] * turns), Q))

    for k in range(1, turns + 1):
        for n in range(1, members + 1):
            given_turns = sum(d.agent == n for d in plan.decisions[:k])
            assert abs(given_turns - k / members) < 1


def test_priority_goes_before_age_and_sla_before_both() -> None:
    old = Ticket(1, T0, priority="low")
    urgent = Ticket(2, T0 + timedelta(hours=1), priority="urgent")
    breaching = Ticket(3, T0 + timedelta(hours=2), next_breach_at=T0 + timedelta(hours=3))

    assert min([old, urgent], key=lambda t: value_order(t, Q)) is urgent
    sla = Queue("q", use_sla=True)
    assert sorted([old, urgent, breaching], key=lambda t: value_order(t, sla)) == [breaching, old, urgent]
