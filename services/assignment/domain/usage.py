"""Usage of an account by day, in figures that tell nothing of a person (facts: Zendesk §11).

A figure about few agents is a figure about each of them: it is withheld, or added to others until it is about
enough of them. What is left out cannot be found by subtraction either, because the sum of what is left out is
itself about enough agents.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

FEWEST_AGENTS = 5
"""About so many agents a figure is at least; ours, the usual least cell of official statistics."""
FEWEST_TICKETS = 5
"""Of so many tickets waits are told at least."""


@dataclass(frozen=True, slots=True)
class AgentCount:
    """What one agent was given on a day by one mechanism and model; never kept."""

    mechanism: str
    model: str
    agent: int
    assigned: int


@dataclass(frozen=True, slots=True)
class Counted:
    """A day before anything is withheld; never kept.

    Attributes:
        decisions: of all outcomes.
        waits: median and ninetieth percentile of the waits of what was assigned, in seconds.
        sequence: of the last decision that was counted.
    """

    rows: tuple[AgentCount, ...]
    decisions: int
    waits: tuple[float, float] | None
    sequence: int


@dataclass(frozen=True, slots=True)
class UsageShare:
    """Tickets that one mechanism assigned by one model."""

    mechanism: str
    model: str
    assigned: int


@dataclass(frozen=True, slots=True)
class UsageDay:
    """What is kept of a day (UTC).

    Attributes:
        withheld: too few agents were given anything: there are no figures.
        agents: how many were given a ticket.
        shares: by mechanism and model, as far as enough agents are in them.
        other: assigned by mechanisms and models that are not named.
        wait_median_seconds: of what was assigned, since it began to wait; None = of too few tickets.
    """

    day: date
    withheld: bool = False
    assigned: int = 0
    decisions: int = 0
    agents: int = 0
    shares: tuple[UsageShare, ...] = ()
    other: int = 0
    wait_median_seconds: int | None = None
    wait_p90_seconds: int | None = None


def published(day: date, counted: Counted) -> UsageDay:
    """Return what may be kept and shown of a day."""
    agents = {row.agent for row in counted.rows}
    if len(agents) < FEWEST_AGENTS:
        return UsageDay(day, withheld=True)
    shares, other = _shares(counted.rows)
    assigned = sum(row.assigned for row in counted.rows)
    median, p90 = counted.waits if counted.waits and assigned >= FEWEST_TICKETS else (None, None)
    return UsageDay(
        day,
        assigned=assigned,
        decisions=counted.decisions,
        agents=len(agents),
        shares=shares,
        other=other,
        wait_median_seconds=None if median is None else round(median),
        wait_p90_seconds=None if p90 is None else round(p90),
    )


def _shares(rows: Iterable[AgentCount]) -> tuple[tuple[UsageShare, ...], int]:
    """Return the shares that are about enough agents each, and the rest, which is about enough as well or nothing."""
    who: dict[tuple[str, str], set[int]] = {}
    count: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.mechanism, row.model)
        who.setdefault(key, set()).add(row.agent)
        count[key] = count.get(key, 0) + row.assigned
    shown, rest, agents = [], 0, set[int]()
    for key in sorted(who, key=lambda k: (len(who[k]), count[k], k)):  # the smallest first
        if len(who[key]) < FEWEST_AGENTS or 0 < len(agents) < FEWEST_AGENTS:
            rest, agents = rest + count[key], agents | who[key]
        else:
            shown.append(UsageShare(*key, count[key]))
    return tuple(sorted(shown, key=lambda s: (s.mechanism, s.model))), rest


def percentile(waits: list[float], part: float) -> float:
    """Return the nearest-rank percentile of a list that is not empty; as SQL's `percentile_disc`."""
    ordered = sorted(waits)
    rank = -(-len(ordered) * round(part * 100) // 100)
    return ordered[max(1, rank) - 1]
