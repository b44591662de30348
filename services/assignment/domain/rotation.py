"""Turns: every prefix stays within one turn of the exact share while the members stay (facts: §5.5).

Share accrues only at turns at which an agent is a member, so somebody back from leave has no debt and
causes no flood. Credits are integers: each turn hands out exactly `TURN` units and takes `TURN` back.
"""

from __future__ import annotations

from collections.abc import Iterable

TURN = 720_720
"""Units of one turn: divisible by 1 to 16, so shares of small teams are exact."""


def accrue(balances: dict[int, int], members: Iterable[int]) -> None:
    """Add one turn's share to each member; remainders go to the lowest ids, so nothing is lost."""
    ordered = sorted(members)
    if not ordered:
        return
    share, rest = divmod(TURN, len(ordered))
    for place, agent in enumerate(ordered):
        balances[agent] = balances.get(agent, 0) + share + (1 if place < rest else 0)


def take(balances: dict[int, int], agent: int) -> None:
    """Charge an agent with the turn he took."""
    balances[agent] = balances.get(agent, 0) - TURN


def give_back(credit: int) -> int:
    """Return the credit after a turn that became no work."""
    return credit + TURN
