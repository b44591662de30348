"""Exact shares: whose turn is next, so that every prefix is less than one turn from the exact share.

Tijdeman's rule for the chairman assignment problem (1980), in integers; facts: §5.5 and §2.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction


def whose_turn(weights: Sequence[tuple[int, int]], taken: Mapping[int, int]) -> int:
    """Return who has the next turn.

    Args:
        weights: (who, weight), the weights above 0; ties go to who stands first.
        taken: turns that each has had since all began together.

    Raises:
        ValueError: nobody is there.
    """
    if len(weights) < 2:
        if not weights:
            raise ValueError("nobody can have a turn")
        return weights[0][0]
    whole = sum(weight for _, weight in weights)
    turn = sum(taken.get(who, 0) for who, _ in weights) + 1
    scale = 2 * len(weights) - 2
    lags = [(who, weight, scale * (weight * turn - whole * taken.get(who, 0))) for who, weight in weights]
    # Who lags enough may take it; of these, whose deadline is first must.
    due = [
        (Fraction(scale * whole - whole - lag, weight), place, who)
        for place, (who, weight, lag) in enumerate(lags)
        if lag >= whole
    ]
    if not due:  # only after turns were given back out of order: the largest lag catches up
        return max(lags, key=lambda row: row[2])[0]
    return min(due)[2]
