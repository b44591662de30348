"""Every prefix is less than one turn from the exact share (facts: §5.5, §2.6)."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assignment.domain.shares import whose_turn


def turns(weights: list[int], number: int) -> list[int]:
    taken: Counter[int] = Counter()
    order = []
    for _ in range(number):
        who = whose_turn(list(enumerate(weights)), taken)
        taken[who] += 1
        order.append(who)
    return order


@pytest.mark.parametrize(
    ("weights", "order"),
    [([3, 1], "AABA"), ([5, 1, 1], "AABAACA"), ([3, 2, 1], "ABACBA"), ([7], "AAA")],
)
def test_the_examples_of_the_facts(weights: list[int], order: str) -> None:
    assert "".join("ABC"[who] for who in turns(weights, len(order))) == order


@given(st.lists(st.integers(1, 20), min_size=2, max_size=12))
def test_every_prefix_is_within_the_proven_bound_and_a_whole_round_is_exact(weights: list[int]) -> None:
    whole, bound = sum(weights), 1 - Fraction(1, 2 * len(weights) - 2)
    taken: Counter[int] = Counter()

    for turn, who in enumerate(turns(weights, whole), 1):
        taken[who] += 1
        for one, weight in enumerate(weights):
            assert abs(Fraction(turn * weight, whole) - taken[one]) <= bound

    assert [taken[one] for one in range(len(weights))] == weights


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=5), st.lists(st.integers(0, 30), min_size=5, max_size=5)
)
def test_whatever_was_taken_somebody_has_the_next_turn(weights: list[int], taken: list[int]) -> None:
    assert whose_turn(list(enumerate(weights)), dict(enumerate(taken))) in range(len(weights))


def test_two_groups_at_75_to_25_are_never_more_than_half_a_ticket_away() -> None:
    taken = 0
    for number, who in enumerate(turns([75, 25], 100), 1):
        taken += who == 0
        assert abs(taken - Fraction(3 * number, 4)) <= Fraction(1, 2)


def test_without_anybody_there_is_no_turn() -> None:
    with pytest.raises(ValueError, match="nobody"):
        whose_turn([], {})
