"""What came of it, as rows that the terminal and the page show alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.assignment.domain.history import Given
from services.assignment.domain.played import Played, differences
from tools.replay.staffing import WhatIf


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def span(seconds: float) -> str:
    """Return a length of time in the unit that fits it."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def waits_table(played: Sequence[Played]) -> Table:
    """Return waits and service levels of each policy."""
    rows = [
        (
            p.title,
            f"{len(p.given):,}",
            f"{p.waiting:,}",
            f"{p.waited:.1%}",
            span(p.wait(0.5)),
            span(p.wait(0.9)),
            span(p.wait(0.99)),
            span(p.waits[-1] if p.waits else 0),
            f"{p.breaches:,} of {p.with_target:,}",
            f"{p.backlog:,}",
        )
        for p in played
    ]
    columns = ("policy", "given", "never placed", "waited", "median", "p90", "p99", "longest", "breaches")
    note = "A ticket that is never placed has waited until the end."
    return Table("Waits and service levels", (*columns, "largest backlog"), rows, note)


def fairness_table(played: Sequence[Played]) -> Table:
    """Return how even each policy is, by count and by load."""
    rows = []
    for p in played:
        counts = sorted((load.tickets for load in p.loads.values()), reverse=True)
        rows.append(
            (
                p.title,
                f"{p.fairness_by_count:.3f}",
                f"{p.fairness_by_load:.3f}",
                f"{counts[0]:,}" if counts else "0",
                f"{counts[len(counts) // 2]:,}" if counts else "0",
                f"{sum(n == 0 for n in counts):,}",
                f"{p.same_agent / p.repeats:.1%}" if p.repeats else "none",
            )
        )
    columns = (
        "policy",
        "by count",
        "by open time",
        "most tickets",
        "median agent",
        "got none",
        "same agent again",
    )
    note = "Jain's index: 1 = everybody has the same. Groups differ in work, so 1 is out of reach."
    return Table("Fairness", columns, rows, note)


def loads_table(played: Sequence[Played], most: int = 25) -> Table:
    """Return tickets and open hours per agent; those with the most in the first policy."""
    first = played[0].loads
    agents = sorted(first, key=lambda a: (-first[a].tickets, a))[:most]
    rows = [
        (f"agent {a}", *(f"{p.loads[a].tickets:,} ({p.loads[a].open_seconds / 3600:,.0f} h)" for p in played))
        for a in agents
    ]
    note = f"{len(rows)} of {len(first)} agents; hours are of all open tickets together."
    return Table("Load per agent", ("agent", *(p.title for p in played)), rows, note)


def differences_tables(played: Sequence[Played], most: int = 50) -> list[Table]:
    """Return, for each policy after the first, who would have got what instead."""
    base = played[0]
    return [_difference(base.title, base.given, p, most) for p in played[1:]]


def recorded_table(played: Played, most: int = 50) -> Table:
    """Return who would have got what instead of what the log says."""
    recorded = {t: g for t, g in played.history.recorded.items() if t in played.given}
    table = _difference("the log", recorded, played, most)
    return Table(
        table.title, table.columns, table.rows, table.note + " Waits of the log hold hours without work."
    )


def _difference(name: str, base: Mapping[int, Given], played: Played, most: int) -> Table:
    found = differences(base, played.given)
    rows = [
        (str(ticket), *(f"agent {g.agent} at {g.at:%Y-%m-%d %H:%M}" if g else "nobody" for g in (a, b)))
        for ticket, a, b in found[:most]
    ]
    note = f"{len(found):,} tickets go to another agent; the first {len(rows)} of them."
    return Table(f"{played.title} instead of {name}", ("ticket", name, played.title), rows, note)


def staffing_table(found: Sequence[WhatIf]) -> Table:
    """Return the formula beside the simulation."""
    rows = []
    for one in found:
        formula, played = one.formula, one.played
        rows.append(
            (
                f"{one.agents} agents",
                span(formula.wait * 60) if formula else "grows for ever",
                span(played.mean_wait),
                f"{formula.waits:.1%}" if formula else "",
                f"{played.waited:.1%}",
                f"{formula.abandoned:.1%}" if formula else "",
                f"{played.given_up / len(played.waits):.1%}",
                f"{formula.occupancy:.1%}" if formula else "100.0%",
            )
        )
    model = found[0].model
    columns = (
        "team",
        f"wait, {model}",
        "wait, simulated",
        f"waits, {model}",
        "waits, simulated",
        "given up, formula",
        "given up, simulated",
        "busy",
    )
    return Table("Staffing", columns, rows, "Arrivals at random; work and patience of random length.")
