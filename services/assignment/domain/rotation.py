"""Turns: every prefix stays within one turn of the exact share while the members stay (facts: §5.5).

Share accrues only at turns at which an agent is a member, so somebody back from leave has no debt and
causes no flood. Credits are integers: whoever takes a turn pays exactly what it handed out.
"""

from __future__ import annotations

from collections.abc import Collection

TURN = 720_720
"""Units of one turn: divisible by 1 to 16, so shares of small teams are exact."""


def share_of(members: int) -> int:
    """Return what one turn gives to each of so many members."""
    return TURN // members


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
