"""Unequal turns: every prefix stays within one turn of the exact share, over rounds too."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.decide import decide
from services.assignment.domain.inputs import dump, load
from services.assignment.domain.model import Agent, Code, Model, Queue, Snapshot
from services.assignment.tests.unit.test_decide import tickets


def queue(*weights: int) -> Queue:
    return Queue("q", model=Model.WEIGHTED, weights=tuple(enumerate(weights, 1)))


def turns(number: int, *weights: int) -> str:
    agents = [Agent(n, frozenset({7})) for n in range(1, len(weights) + 1)]
    plan = decide(Snapshot(agents, tickets(*[7] * number), queue(*weights)))
    return "".join("-ABCDEFGHIJKL"[d.agent or 0] for d in plan.decisions)


@pytest.mark.parametrize(
    ("weights", "order"), [((3, 1), "AABA"), ((5, 1, 1), "AABAACA"), ((3, 2, 1), "ABACBA"), ((4,), "AAAA")]
)
def test_the_examples_of_the_theorem(weights: tuple[int, ...], order: str) -> None:
    assert turns(len(order), *weights) == order


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.integers(1, 3), st.data())
@settings(max_examples=60, deadline=None)
def test_every_prefix_is_within_one_turn_of_the_exact_share_whatever_the_rounds(
    weights: list[int], times: int, data: st.DataObject
) -> None:
    """The bound of the theorem, 1 - 1/(2n-2), in exact arithmetic; rounds end where they please."""
    agents = [Agent(n, frozenset({7})) for n in range(1, len(weights) + 1)]
    total, taken, turn, stretch = sum(weights), Counter[int | None](), 0, ""
    bound = 1 - Fraction(1, max(1, 2 * len(weights) - 2)) if len(weights) > 1 else Fraction(0)
    while turn < times * total:
        size = data.draw(st.integers(1, times * total - turn), label="tickets of a round")
        plan = decide(Snapshot(agents, tickets(*[7] * size), queue(*weights), stretch=stretch))
        stretch = plan.stretch
        for decision in plan.decisions:
            turn += 1
            taken[decision.agent] += 1
            for agent, weight in enumerate(weights, 1):
                assert abs(taken[agent] - Fraction(turn * weight, total)) <= bound
        agents = [replace(a, credit=plan.balances.get(a.id, a.credit)) for a in agents]
    assert all(taken[agent] == times * weight for agent, weight in enumerate(weights, 1))
    assert all(a.credit == 0 for a in agents)


def test_the_largest_lag_would_pass_one_turn_here() -> None:
    """The vector of facts §5.5: the obvious rule comes to 1.208 turns."""
    weights = (3, 1, 1, 1, 20, 1, 20, 20, 5, 5)
    order, total = turns(sum(weights), *weights), sum(weights)
    worst = max(
        abs(order[:k].count("ABCDEFGHIJ"[i]) - Fraction(k * w, total))
        for k in range(1, total + 1)
        for i, w in enumerate(weights)
    )

    assert worst < 1


def test_who_is_not_named_has_one_turn_and_other_models_have_no_weights() -> None:
    agents = [Agent(n, frozenset({7})) for n in (1, 2)]
    weighted = Queue("q", model=Model.WEIGHTED, weights=((1, 3),))
    plan = decide(Snapshot(agents, tickets(7, 7, 7, 7), weighted))

    assert [d.agent for d in plan.decisions] == [1, 1, 2, 1]
    assert plan.decisions[0].codes[2] is Code.LOST_ROTATION
    plain = decide(Snapshot(agents, tickets(7, 7), replace(weighted, model=Model.ROUND_ROBIN)))
    assert [d.agent for d in plain.decisions] == [1, 2]


def test_weights_are_kept_with_the_inputs() -> None:
    world = Snapshot([Agent(1, frozenset({7}))], tickets(7), queue(3, 2))

    assert load(dump(world)) == world
    assert dump(load(dump(world))) == dump(world)
