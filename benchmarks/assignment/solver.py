"""`./pants run benchmarks/assignment:solver`: batches, micro-batches and single decisions, in memory."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import cyclopts

from benchmarks.assignment.instances import START, TEAMS, Compressed, agents, tickets
from benchmarks.assignment.rivals import Ring, Scan
from benchmarks.measure import Report, Samples, percentile, resident_bytes, turns
from services.assignment.domain.decide import decide
from services.assignment.domain.hand_out import balanced
from services.assignment.domain.model import Agent, Model, Queue, Snapshot, Ticket
from services.assignment.domain.quality import Best
from services.assignment.domain.standing import Standing

Ask = Callable[[dict[str, Any]], dict[str, float]]
HOW_ORACLES = "OR-tools and SciPy skipped: give `--oracles PYTHON`, a Python that has ortools and scipy"
OURS, WHOLE, OR_TOOLS = "served set and balance", "the whole decision", "OR-tools, bare solve"
app = cyclopts.App(name="benchmark-solver", help="Measure decisions in memory.")


@contextlib.contextmanager
def oracles(python: Path | None) -> Iterator[Ask | None]:
    """Run the other solvers; None without a Python that has them."""
    if python is None:
        yield None
        return
    command = [str(python), str(Path(__file__).with_name("oracles.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        into, out = process.stdin, process.stdout

        def ask(problem: dict[str, Any]) -> dict[str, float]:
            into.write(json.dumps(problem) + "\n")
            into.flush()
            answer: dict[str, float] = json.loads(out.readline())
            return answer

        yield ask
        into.close()


def batch(ask: Ask | None, number: int, waiting: int, rounds: int, teams: int = TEAMS) -> Report:
    """Measure one round of many tickets, the same compressed instance for both."""
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
    for turn, name in turns([OURS, WHOLE, *([OR_TOOLS] if ask else [])], rounds):
        began = time.perf_counter()
        if name == OURS:
            targets = _solve(made)
        elif name == WHOLE:
            decide(snapshot)
        took = time.perf_counter() - began
        if name == OR_TOOLS and ask is not None:
            answers = [ask(problem) for problem in problems]
            took = sum(answer["seconds"] for answer in answers)
            cost = int(answers[1]["cost"])
            if answers[0]["flow"] != len(served):
                raise ValueError("the served sets differ in size")
        samples[name].add(turn, took * 1000)
    mine = sum(n * n for n in targets.values())
    if ask and mine != cost:
        raise ValueError(f"the balances differ: {mine} and {cost}")
    base = samples[OR_TOOLS].median if ask else 0
    for name, sample in samples.items():
        if sample.values:
            report.add(name, sample.median, sample.best, sample.median / base if base else "")
    report.notes.append(
        f"{len(served):,} served; {len(made.eligible)} kinds, {len(made.crew.profiles)} profiles"
    )
    report.notes.append(
        "the whole decision: from tickets to agents in turn, with ranks and everybody's reasons"
    )
    if not ask:
        report.notes.append(HOW_ORACLES)
    return report


def _solve(made: Compressed) -> dict[int, int]:
    """Return tickets by agent."""
    served, _ = made.serve()
    return balanced(made.crew, Counter(served), Best(made.eligible), made.eligible)[1]


def scipy_dense(ask: Ask, size: int, rounds: int) -> Report:
    """Measure SciPy on tickets times slots: what it can hold in memory at all."""
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
    samples = {OURS: Samples(), "SciPy linear_sum_assignment": Samples()}
    for turn, name in turns([*samples], rounds):
        began = time.perf_counter()
        if name == OURS:
            _solve(made)
        took = time.perf_counter() - began
        samples[name].add(turn, 1000 * (took if name == OURS else ask({"worth": worth})["seconds"]))
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


def micro_batches(number: int, waiting: int, rounds: int) -> Report:
    """Measure a standing queue: load it, then decide for 100 tickets and 100 freed slots at a time."""
    report = Report(
        f"{number:,} agents, {waiting:,} wait", ["seconds", "median ms", "p99 ms", "worst ms", "MB"]
    )
    dice = random.Random(3)
    people, asked = agents(number, dice), tickets(waiting, dice)
    before = resident_bytes(os.getpid())
    began = time.perf_counter()
    standing = Standing(Queue("q", model=Model.LEAST_ACTIVE))
    for agent in people:
        standing.put(agent)
    standing.arrive(asked)
    loaded = time.perf_counter() - began
    began = time.perf_counter()
    held = deque(agent for _, agent in standing.decide(START))
    first = time.perf_counter() - began
    grown = (resident_bytes(os.getpid()) - before) / 1e6
    report.add("load", loaded, "", "", "", grown)
    report.add(f"first round, {len(held):,} given", first, "", "", "", "")
    took = []
    for turn in range(rounds):
        fresh = tickets(100, dice, first=waiting + 1 + turn * 100)
        freed = [held.popleft() for _ in range(100)]
        began = time.perf_counter()
        for agent_id in freed:
            standing.finish(agent_id)
        standing.arrive(fresh)
        given = standing.decide(START + timedelta(seconds=turn))
        took.append((time.perf_counter() - began) * 1000)
        held += [agent for _, agent in given]
    report.add("micro-batch", "", percentile(took, 0.5), percentile(took, 0.99), max(took), "")
    report.notes.append(
        f"the process holds {resident_bytes(os.getpid(), peak=True) / 1e6:,.0f} MB at its peak"
    )
    return report


def online(number: int, decisions: int, rounds: int) -> Report:
    """Measure one ticket at a time, with a slot freed for each, beside a ring and a scan."""
    report = Report(f"online, {number:,} agents", ["decisions/s", "us each", "ratio"])
    dice = random.Random(4)
    people, asked = agents(number, dice, (4, 10)), tickets(decisions, dice)
    ways: dict[str, Callable[[], Callable[[Ticket], int | None]]] = {
        "standing queue, round robin": lambda: _standing(people, Model.ROUND_ROBIN),
        "standing queue, least active": lambda: _standing(people, Model.LEAST_ACTIVE),
        "ring (a Redis list)": lambda: _rival(Ring(people), number),
        "scan per ticket": lambda: _rival(Scan(people), number),
    }
    samples = {name: Samples() for name in ways}
    for turn, name in turns([*ways], rounds):
        give = ways[name]()
        began = time.perf_counter()
        for ticket in asked:
            give(ticket)
        samples[name].add(turn, (time.perf_counter() - began) / decisions * 1e6)
    base = samples["standing queue, round robin"].median
    for name, sample in samples.items():
        report.add(name, 1e6 / sample.median, sample.median, sample.median / base)
    return report


def _standing(people: list[Agent], model: Model) -> Callable[[Ticket], int | None]:
    standing, held = Standing(Queue("q", model=model)), deque[int]()
    for agent in people:
        standing.put(agent)

    def give(ticket: Ticket) -> int | None:
        standing.arrive((ticket,))
        given = standing.decide(START)
        held.extend(agent for _, agent in given)
        if len(held) > len(people):
            standing.finish(held.popleft())
        return given[0][1] if given else None

    return give


def _rival(rival: Ring | Scan, most: int) -> Callable[[Ticket], int | None]:
    held = deque[int]()

    def give(ticket: Ticket) -> int | None:
        agent = rival.give(ticket)
        if agent is not None:
            held.append(agent)
        if len(held) > most:
            rival.finish(held.popleft())
        return agent

    return give


@app.default
def main(
    *,
    oracles_python: Path | None = None,
    rounds: int = 5,
    large: bool = True,
    json_file: Path | None = None,
) -> None:
    """Measure.

    Args:
        oracles_python: a Python that has ortools and scipy.
        rounds: of each case, after one to warm up.
        large: also up to 15,000 agents and 1,000,000 tickets.
        json_file: what is printed, for machines; one file per table, with a number before its ending.
    """
    reports = []
    with oracles(oracles_python) as ask:
        reports.append(batch(ask, 1_000, 100_000, rounds))
        reports.append(batch(ask, 1_000, 100_000, rounds, teams=800))
        reports.append(batch(ask, 1_000, 2_600, rounds))
        if ask:
            reports.append(scipy_dense(ask, 1_000, rounds))
    reports += [online(100, 20_000, rounds), online(1_000, 20_000, rounds)]
    if large:
        reports.append(rounds_of([(100, 250), (10_000, 100_000), (15_000, 500_000)]))
        reports.append(micro_batches(10_000, 1_000_000, 200))
    for number, report in enumerate(reports):
        report.show(json_file and json_file.with_stem(f"{json_file.stem}-{number}"))
        print()


if __name__ == "__main__":
    sys.exit(app())
