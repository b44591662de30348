"""Turns stay within one of the exact share; served sets are as large as the maximum flow."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain import rotation
from services.assignment.domain.matching import Matching

TURN = rotation.TURN


@given(st.integers(1, 40), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
def test_every_prefix_is_within_one_turn_of_the_exact_share(members: int, turns: int) -> None:
    balances: dict[int, int] = {}
    taken = dict.fromkeys(range(members), 0)

    for turn in range(1, turns + 1):
        price = rotation.accrue(balances, taken)
        agent = max(balances, key=lambda a: (balances[a], -a))
        rotation.take(balances, agent, price)
        taken[agent] += 1
        share = Fraction(turn, members)
        assert all(abs(count - share) < 1 for count in taken.values())
        assert sum(balances.values()) == 0


@given(st.lists(st.sets(st.integers(1, 6), min_size=1), min_size=1, max_size=80))
@settings(max_examples=100, deadline=None)
def test_who_was_away_has_no_debt_and_brings_no_flood(present: list[set[int]]) -> None:
    balances: dict[int, int] = {}
    share: dict[int, Fraction] = dict.fromkeys(range(1, 7), Fraction(0))
    taken = dict.fromkeys(range(1, 7), 0)

    for members in present:
        price = rotation.accrue(balances, members)
        agent = max(members, key=lambda a: (balances[a], -a))
        rotation.take(balances, agent, price)
        taken[agent] += 1
        for member in members:
            share[member] += Fraction(1, len(members))
        # Measured bound of largest lag while members come and go (facts: §5.5); fewer than two turns.
        assert all(abs(taken[a] - share[a]) < 2 for a in taken)
    rounding = Fraction(len(present), TURN)
    assert all(abs(Fraction(b, TURN) - (share[a] - taken[a])) <= rounding for a, b in balances.items())


def test_a_turn_that_became_no_work_is_given_back() -> None:
    balances = {1: 0, 2: 0}
    rotation.take(balances, 1, rotation.accrue(balances, balances))
    balances[1] = rotation.give_back(balances[1])

    assert balances == {1: TURN // 2, 2: TURN // 2}
    rotation.accrue(balances, ())
    assert balances == {1: TURN // 2, 2: TURN // 2}


def _maximum(eligible: dict[int, list[int]], free: dict[int, int], wanted: dict[int, int]) -> int:
    """Maximum flow by plain augmenting paths, one unit at a time, on single tickets."""
    holder: dict[tuple[int, int], int | None] = {(a, s): None for a, n in free.items() for s in range(n)}
    owner = [one for one, number in wanted.items() for _ in range(number)]

    def place(ticket: int, seen: set[tuple[int, int]]) -> bool:
        for agent in eligible[owner[ticket]]:
            for slot in [s for s in holder if s[0] == agent and s not in seen]:
                seen.add(slot)
                other = holder[slot]
                if other is None or place(other, seen):
                    holder[slot] = ticket
                    return True
        return False

    return sum(place(ticket, set()) for ticket in range(len(owner)))


@given(
    st.dictionaries(st.integers(1, 4), st.lists(st.integers(1, 4), unique=True), min_size=4, max_size=4),
    st.dictionaries(st.integers(1, 4), st.integers(0, 3), min_size=4, max_size=4),
    st.lists(st.integers(1, 4), max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_as_many_are_served_as_can_be_and_all_of_them_can_be_settled(
    eligible: dict[int, list[int]], free: dict[int, int], order: list[int]
) -> None:
    matching = Matching(eligible, free)
    served = [one for one in order if matching.serve(one)]
    wanted = {one: order.count(one) for one in set(order)}
    assert len(served) == _maximum(eligible, free, wanted)

    left = dict(free)
    for one in served:
        agent = next(a for a in sorted(eligible[one], reverse=True) if left[a] and matching.settle(one, a))
        left[agent] -= 1
    assert min(left.values()) >= 0


def test_nothing_can_be_settled_that_is_not_served() -> None:
    matching = Matching({1: [1]}, {1: 1})

    with pytest.raises(ValueError, match="no served ticket"):
        matching.settle(1, 1)
    assert matching.serve(1)
    assert not matching.serve(1)
    assert matching.settle(1, 1)
    with pytest.raises(ValueError, match="no served ticket"):
        matching.settle(1, 1)
