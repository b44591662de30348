"""Turns: every prefix stays within one turn of the exact share while the members stay (facts: §5.5).

Share accrues only at turns at which an agent is a member, so somebody back from leave has no debt and
causes no flood. Credits are integers: whoever takes a turn pays exactly what it handed out.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

TURN = 720_720
"""Units of one turn: divisible by 1 to 16, so shares of small teams are exact."""


def share_of(weights: int) -> int:
    """Return what one turn gives for each unit of weight; without weights everybody has one unit."""
    return max(1, TURN // weights)


def urgency(credit: int, weight: int, price: int, members: int) -> tuple[bool, Fraction]:
    """Return the key by which the next of unequal members is chosen: the smallest.

    Tijdeman's rule (The chairman assignment problem, Discrete Mathematics 32, 1980; facts: §5.5): of those who have
    waited for long enough, the one whose deadline comes first. While members and weights stay, every prefix is within
    1 - 1/(2n-2) turns of the exact share. Largest credit first, which is as good with equal weights, can pass one
    turn with unequal ones.

    Args:
        credit: with this turn's share.
        price: of the turn.
        members: how many there are.
    """
    scale = max(1, 2 * members - 2)
    return (credit * scale < price, Fraction(price * (scale - 1) - credit * scale, weight))


def accrue(balances: dict[int, int], members: Collection[int]) -> int:
    """Add one turn's share to each member; return the price of the turn, which is the sum of the shares."""
    if not members:
        return 0
    share = share_of(len(members))
    for agent in members:
        balances[agent] = balances.get(agent, 0) + share
    return share * len(members)


def take(balances: dict[int, int], agent: int, price: int) -> None:
    """Charge an agent with the turn he took."""
    balances[agent] = balances.get(agent, 0) - price


def give_back(credit: int) -> int:
    """Return the credit after a turn that became no work."""
    return credit + TURN
