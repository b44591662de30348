"""Whole rounds: the solver beside OR-tools and SciPy, and rounds up to 15,000 agents and 500,000 tickets."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.assignment.instances import TEAMS, Compressed, agents, tickets
from benchmarks.measure import Report, Samples, turns
from benchmarks.peer_program import PeerProgram
from services.assignment.domain.decide import decide
from services.assignment.domain.hand_out import balanced
from services.assignment.domain.model import Model, Queue, Snapshot
from services.assignment.domain.quality import Best

OURS, WHOLE, OR_TOOLS = "served set and balance", "the whole decision", "OR-tools, bare solve"
SCIPY = "SciPy linear_sum_assignment"
ORACLES = Path("dist/services.assignment.tests.oracles/main.pex")
HOW_ORACLES = "`./pants package services/assignment/tests/oracles` makes the program that has them"


def batch(oracles: PeerProgram | None, number: int, waiting: int, rounds: int, teams: int = TEAMS) -> Report:
    """Measure one round of many tickets, the same compressed instance for both.

    Raises:
        ValueError: OR-tools serves another number, or balances better or worse.
    """
    report = Report(
        f"{number:,} agents x {waiting:,} tickets, {teams} teams", ["median ms", "best ms", "ratio"]
    )
    dice = random.Random(1)
    people, asked = agents(number, dice, teams=teams), tickets(waiting, dice)
    snapshot = Snapshot(people, asked, Queue("q", model=Model.LEAST_ACTIVE))
    made = Compressed.of(people, asked, Model.LEAST_ACTIVE)
    served, _ = made.serve()
    problems = (made.served_arcs(), made.balance_arcs(served))
    samples = {name: Samples() for name in (OURS, WHOLE, OR_TOOLS)}
    cost = 0
    for turn, name in turns([OURS, WHOLE, *([OR_TOOLS] if oracles else [])], rounds):
        began = time.perf_counter()
        if name == OURS:
            targets = _solve(made)
        elif name == WHOLE:
            decide(snapshot)
        took = time.perf_counter() - began
        if name == OR_TOOLS and oracles is not None:
            answers = [oracles.ask(problem) for problem in problems]
            took = sum(answer["seconds"] for answer in answers)
            cost = int(answers[1]["cost"])
            if answers[0]["flow"] != len(served):
                raise ValueError("the served sets differ in size")
        samples[name].add(turn, took * 1000)
    mine = sum(n * n for n in targets.values())
    if oracles and mine != cost:
        raise ValueError(f"the balances differ: {mine} and {cost}")
    base = samples[OR_TOOLS].median if oracles else 0
    for name, sample in samples.items():
        if sample.values:
            report.add(name, sample.median, sample.best, sample.median / base if base else "")
    report.notes.append(
        f"{len(served):,} served; {len(made.eligible)} kinds, {len(made.crew.profiles)} profiles"
    )
    report.notes.append(
        "the whole decision: from tickets to agents in turn, with ranks and everybody's reasons"
    )
    if not oracles:
        report.notes.append("OR-tools and SciPy skipped: " + HOW_ORACLES)
    return report


def _solve(made: Compressed) -> dict[int, int]:
    """Return tickets by agent."""
    served, _ = made.serve()
    return balanced(made.crew, Counter(served), Best(made.eligible), made.eligible)[1]


def scipy_dense(oracles: PeerProgram, size: int, rounds: int) -> Report:
    """Measure SciPy on tickets times slots: what it can hold in memory at all.

    Raises:
        ValueError: it serves a better or a worse set.
    """
    report = Report(f"{size:,} tickets x about as many slots", ["median ms", "ratio"])
    dice = random.Random(2)
    people, asked = agents(size // 5, dice), tickets(size, dice)
    made = Compressed.of(people, asked, Model.LEAST_ACTIVE)
    columns = [m.profile.index for m in made.crew.members.values() for _ in range(m.free)]
    able = {kind: set(found) for kind, found in made.eligible.items()}
    worth = [
        [size - row if p in able[kind] else -1 for p in columns] + [0] * size
        for row, kind in enumerate(made.order)
    ]
    left, best = Counter(made.serve()[0]), 0
    for row, kind in enumerate(made.order):  # within a kind the first are served
        if left[kind]:
            left[kind] -= 1
            best += size - row
    samples = {OURS: Samples(), SCIPY: Samples()}
    for turn, name in turns([*samples], rounds):
        if name == OURS:
            began = time.perf_counter()
            _solve(made)
            took = time.perf_counter() - began
        else:
            answer = oracles.ask({"solve": "assignment", "worth": worth})
            took = answer["seconds"]
            if answer["worth"] != best:
                raise ValueError(f"the served sets differ: {best} and {answer['worth']}")
        samples[name].add(turn, took * 1000)
    for name, sample in samples.items():
        report.add(name, sample.median, sample.median / samples[OURS].median)
    return report


def rounds_of(sizes: Sequence[tuple[int, int]]) -> Report:
    """Measure whole rounds of other sizes, once each, and the reasons of one decision."""
    report = Report("whole rounds, 200 teams", ["seconds", "given", "ms to explain one"])
    for number, waiting in sizes:
        dice = random.Random(6)
        people, asked = agents(number, dice, teams=200), tickets(waiting, dice)
        snapshot = Snapshot(people, asked, Queue("q", model=Model.LEAST_ACTIVE))
        began = time.perf_counter()
        plan = decide(snapshot)
        took = time.perf_counter() - began
        began = time.perf_counter()
        dict(plan.decisions[0].codes)
        explained = (time.perf_counter() - began) * 1000
        report.add(f"{number:,} agents x {waiting:,} tickets", took, len(plan.assigned), explained)
    return report
