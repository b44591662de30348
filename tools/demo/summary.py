"""The figures of a run: for programs as JSON, for people as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from setlist.assignment.v1 import assignment_resources_pb2 as resources
from tools.demo.player import Played
from tools.demo.scenes import Scenes
from tools.demo.script import Script
from tools.demo.stopwatch import Stopwatch
from tools.demo.suite import Suite


@dataclass(slots=True)
class Evidence:
    """What the suite can prove of the run.

    Attributes:
        decisions: stored decisions.
        explained: those that name the outcome and every rejected candidate with a code.
        chain_intact: whether the hash chain over them fits.
        waiting: tickets that wait.
        free: of these, tickets that somebody could take now; must be 0.
        reasons: waiting tickets by outcome.
    """

    decisions: int = 0
    explained: int = 0
    chain_intact: bool = False
    waiting: int = 0
    free: int = 0
    reasons: dict[str, int] | None = None


async def gather(suite: Suite) -> Evidence:
    """Ask the suite for its evidence."""
    evidence = Evidence(reasons={})
    async for decision in suite.decisions():
        evidence.decisions += 1
        evidence.explained += _explained(decision)
    checked = await suite.chain()
    evidence.chain_intact = checked.intact
    reasons: dict[str, int] = {}
    async for ticket in suite.waiting():
        why = await suite.why_waiting(ticket)
        outcome = resources.Decision.Outcome.Name(why.decision.outcome).removeprefix("OUTCOME_")
        reasons[outcome] = reasons.get(outcome, 0) + 1
        evidence.waiting += 1
        evidence.free += why.free_eligible_agent
    evidence.reasons = reasons
    return evidence


def _explained(decision: resources.Decision) -> bool:
    """Every candidate but the winner stands in the decision with the code of his rejection."""
    rejected = sum(group.count or len(group.agent_ids) for group in decision.rejected)
    winner = 1 if decision.HasField("agent_id") else 0
    return bool(decision.outcome) and rejected + winner == decision.candidates


def quantile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank quantile; 0 of nothing."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0


def figures(
    script: Script, played: Played, evidence: Evidence, scenes: Scenes, watch: Stopwatch
) -> dict[str, Any]:
    """Return the summary for programs. Times are seconds; waits are in the played time."""
    waits = list(played.assigned.values())
    return {
        "title": script.title,
        "days": (script.end - script.start).days,
        "agents": len(script.agents),
        "groups": len(script.groups),
        "tickets_in": len(played.tickets),
        "imported": played.imported,
        "solved": played.solved,
        "assigned": len(played.assigned),
        "waiting": evidence.waiting,
        "waiting_with_free_agent": evidence.free,
        "waiting_because": evidence.reasons,
        "assigned_twice": len(set(played.twice)),
        "wait_seconds": {
            "p50": quantile(waits, 0.5),
            "p90": quantile(waits, 0.9),
            "max": max(waits, default=0.0),
        },
        "per_agent": {str(agent): played.per_agent[agent] for agent in sorted(played.per_agent)},
        "decisions": evidence.decisions,
        "decisions_explained": evidence.explained,
        "decision_chain_intact": evidence.chain_intact,
        "delegated": scenes.delegated,
        "pulled": scenes.pulled,
        "erasure": scenes.erasure,
        "seconds": {name: round(value, 3) for name, value in watch.seconds.items()}
        | {"total": round(watch.total(), 3)},
    }


def show(console: Console, summary: dict[str, Any]) -> None:
    """Print the summary for people."""
    table = Table(title=f"Setlist: {summary['title']}", show_header=False, title_justify="left")
    table.add_column(style="dim")
    table.add_column(justify="right")
    wait, erasure = summary["wait_seconds"], summary["erasure"]
    rows = [
        ("tickets in", f"{summary['tickets_in']:,}"),
        ("assigned", f"{summary['assigned']:,}"),
        ("assigned twice", str(summary["assigned_twice"])),
        ("waiting", _because(summary)),
        ("wait, median", _duration(wait["p50"])),
        ("wait, p90", _duration(wait["p90"])),
        ("wait, longest", _duration(wait["max"])),
        ("tickets per agent", _spread(summary["per_agent"])),
        ("decisions explained", f"{summary['decisions_explained']:,} of {summary['decisions']:,}"),
        ("decision chain", "intact" if summary["decision_chain_intact"] else "BROKEN"),
        (
            "delegated change",
            f"agent {summary['delegated']['agent']} by manager {summary['delegated']['manager']}",
        ),
        ("pulled", f"ticket {summary['pulled']['ticket']} by agent {summary['pulled']['agent']}"),
        ("erasure", erasure["state"].lower().replace("_", " ")),
        ("certificate", erasure["certificate"]["name"].partition("/requests/")[2]),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    times = Table(title="Where the time went", show_header=False, title_justify="left")
    times.add_column(style="dim")
    times.add_column(justify="right")
    for name, seconds in summary["seconds"].items():
        times.add_row(name, f"{seconds:.1f} s")
    console.print(times)


def _because(summary: dict[str, Any]) -> str:
    reasons = ", ".join(
        f"{n} {why.lower().replace('_', ' ')}" for why, n in summary["waiting_because"].items()
    )
    return f"{summary['waiting']:,}" + (f" ({reasons})" if reasons else "")


def _spread(per_agent: dict[str, int]) -> str:
    counts = sorted(per_agent.values())
    return f"{counts[0]} to {counts[-1]}, {len(counts)} agents" if counts else "none"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
