"""`./pants run benchmarks/assignment:solver`: batches, micro-batches and single decisions, in memory."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import cyclopts

from benchmarks.assignment.batches import HOW_ORACLES, ORACLES, OURS, batch, rounds_of, scipy_dense
from benchmarks.assignment.streams import (
    HOW_RINGS,
    LOAD,
    MICRO,
    PEAK,
    RINGS,
    ROUND_ROBIN,
    micro_batches,
    online,
)
from benchmarks.measure import Report
from benchmarks.peer_program import PeerProgram

app = cyclopts.App(name="benchmark-solver", help="Measure decisions in memory.")


def reached(large: Report | None, single: Report, batches: Sequence[Report]) -> Report:
    """Say what was to reach, and what this run reached.

    Args:
        large: the micro-batches of 10,000 agents and 1,000,000 tickets; None when they were left out.
        single: decisions one at a time, 1,000 agents.
        batches: of 1,000 agents and 100,000 tickets.
    """
    report = Report("to reach", ["bar", "this run", "reached"])

    def bar(
        name: str, source: Report | None, case: str, column: str, most: float, *, least: bool = False
    ) -> None:
        found = source.figure(case, column) if source else ""
        kept: str = ""
        if not isinstance(found, str):
            kept = "yes" if (found >= most if least else found <= most) else "NO"
        report.add(name, most, found, kept)

    for one in batches:
        bar(f"{one.title}: times OR-tools' bare solve, at most", one, OURS, "ratio", 1.5)
    bar("online, decisions/s, at least", single, ROUND_ROBIN, "decisions/s", 20_000, least=True)
    bar("online, decisions per CPU second, at least", single, ROUND_ROBIN, "per CPU s", 20_000, least=True)
    bar("1,000,000 tickets loaded, s, at most", large, LOAD, "seconds", 60)
    bar("micro-batch of 100, median ms, at most", large, MICRO, "median ms", 50)
    bar("micro-batch of 100, worst ms, at most", large, MICRO, "worst ms", 50)
    bar("memory of the whole process, MB, at most", large, PEAK, "MB", 4_000)
    report.notes.append(
        f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[1]:.1f}"
    )
    return report


def there(program: Path, needs: Sequence[str], how: str, what: str) -> Path | None:
    """Return the program; None, and say why, when it or a command that it needs is missing."""
    if program.exists() and all(shutil.which(command) for command in needs):
        return program
    print(f"{what} skipped: {how}\n")
    return None


@app.default
def main(
    *,
    oracles: Path = ORACLES,
    rings: Path = RINGS,
    rounds: int = 5,
    large: bool = True,
    json_file: Path | None = None,
) -> None:
    """Measure.

    Args:
        oracles: the program that has OR-tools and SciPy.
        rings: the program that hands out by lists in Redis.
        rounds: of each case, after one to warm up.
        large: also up to 15,000 agents and 1,000,000 tickets.
        json_file: what is printed, for machines; one file per table, with a number before its ending.
    """
    solvers = there(oracles, [], HOW_ORACLES, "OR-tools and SciPy")
    redis = there(rings, ["redis-server"], HOW_RINGS, "the ring in Redis")
    with contextlib.ExitStack() as stack:
        peers = stack.enter_context(PeerProgram(solvers)) if solvers else None
        reports = [
            batch(peers, 1_000, 100_000, rounds),
            batch(peers, 1_000, 100_000, rounds, teams=800),
            batch(peers, 1_000, 2_600, rounds),
        ]
        if peers:
            reports.append(scipy_dense(peers, 1_000, rounds))
    reports += [online(100, 20_000, rounds, redis), single := online(1_000, 20_000, rounds, redis)]
    standing = None
    if large:
        reports.append(rounds_of([(100, 250), (10_000, 100_000), (15_000, 500_000)]))
        reports.append(standing := micro_batches(10_000, 1_000_000, 200))
    reports.append(reached(standing, single, reports[:2]))
    for number, report in enumerate(reports):
        report.show(json_file and json_file.with_stem(f"{json_file.stem}-{number}"))
        print()


if __name__ == "__main__":
    sys.exit(app())
