"""Turns: every prefix stays within one turn of the exact share while the members stay (facts: §5.5).

Share accrues only at turns at which an agent is a member, so somebody back from leave has no debt and
causes no flood. Credits are integers: whoever takes a turn pays exactly what it handed out.

Unequal weights (facts: decision 13): Tijdeman's rule as long as all turns since the start had the same members and
weights, with its proven bound; after a change the largest credit, guarded, which was measured to be closer then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction
from hashlib import blake2b

TURN = 720_720
"""Units of one turn: divisible by 1 to 16, so shares of small teams are exact."""


CHANGED = "changed"
"""The stretch of a rotation whose members or weights are not as at its start."""
_MARK_BYTES = 8


def mark(agent: int, weight: int) -> int:
    """Return a member's part of a mark; the sum of all members', modulo 2**64, tells sets of members apart."""
    return int.from_bytes(blake2b(f"{agent}:{weight}".encode(), digest_size=_MARK_BYTES).digest(), "big")


def stretch_of(marks: int) -> str:
    """Return how a stretch with such members is kept."""
    return f"{marks % (1 << 8 * _MARK_BYTES):0{2 * _MARK_BYTES}x}"


def overdue(owed: Iterable[tuple[int, int]], share: int, price: int, members: int) -> bool:
    """Tell whether some member's deadline will be missed, however the turns to come are given (facts: §5.5).

    A member's next turn is due before his credit passes 1 - 1/(2n-2) turns. Looks 4n turns ahead.

    Args:
        owed: (credit, weight) after this turn.
        share: what a turn gives for each unit of weight.
        price: of a turn: `share` times all weights.
        members: how many there are; at least two.
    """
    scale, ahead = 2 * members - 2, 4 * members
    due = [0] * (ahead + 1)
    for credit, weight in owed:
        now, step, turn = scale * credit - (scale - 1) * price, scale * share * weight, scale * price
        wanted = -(-(now + ahead * step) // turn)
        if wanted > ahead:
            return True
        for number in range(wanted):
            due[max(1, (number * turn - now) // step + 1)] += 1
    demand = 0
    for turns in range(1, ahead + 1):
        demand += due[turns]
        if demand > turns:
            return True
    return False


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
