"""The served set and the balance, beside the solvers of others: OR-tools and SciPy.

They run in a process of their own (`services/assignment/tests/oracles`): OR-tools needs another protobuf than ours.
Pants makes the program and names it; elsewhere the tests skip until it is made.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.assignment.domain.compress import Crew
from services.assignment.domain.decide import decide, value_order
from services.assignment.domain.eligibility import kind_of, quality
from services.assignment.domain.model import Agent, Model, Need, Plan, Queue, Restrictions, Snapshot, Ticket

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
SIZES = [(30, 60), (100, 250), (200, 3_000), (300, 900)]
PACKAGED = Path("dist/services.assignment.tests.oracles/main.pex")

Solve = Callable[[dict[str, Any]], dict[str, Any]]
Arc = tuple[int, int, int, int]  # tail, head, capacity, cost


@pytest.fixture(scope="module")
def solve() -> Iterator[Solve]:
    """Ask the solvers of others: one process for all tests."""
    root = Path(__file__).parents[4]
    named = os.environ.get("ORACLES")  # by BUILD: then it must be there
    program = root / (named or PACKAGED)
    if not named and not program.exists():
        pytest.skip(
            "OR-tools and SciPy are not here: `./pants package services/assignment/tests/oracles` makes them"
        )
    with subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        into, out = process.stdin, process.stdout
        assert into is not None
        assert out is not None

        def ask(problem: dict[str, Any]) -> dict[str, Any]:
            into.write(json.dumps(problem) + "\n")
            into.flush()
            line = out.readline()
            assert line, "the program ended: what it said is above"
            answer: dict[str, Any] = json.loads(line)
            return answer

        yield ask
        into.close()
    assert process.returncode == 0


@pytest.fixture(params=range(3))
def dice(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


def world(dice: random.Random, agents: int, tickets: int) -> Snapshot:
    """Make a tight instance: about as many slots as tickets, or far fewer, and specialised agents."""
    groups = max(4, agents // 10)
    people = [
        Agent(
            n,
            frozenset(dice.sample(range(groups), dice.randint(1, 3))),
            inbox_limit=dice.randint(2, 8),
            open_count=dice.randint(0, 4),
        )
        for n in range(1, agents + 1)
    ]
    waiting = [
        Ticket(
            n,
            T0 + timedelta(seconds=dice.randrange(10**5)),
            min(dice.randrange(groups), dice.randrange(groups)),
            dice.choice(["low", "normal", "high", "urgent"]),
        )
        for n in range(1, tickets + 1)
    ]
    return Snapshot(people, waiting, Queue("q", model=Model.LEAST_ACTIVE))


def room(agent: Agent) -> int:
    return max(0, (agent.inbox_limit or 0) - agent.open_count)


def given(plan: Plan) -> dict[int, int]:
    return {d.ticket: d.agent for d in plan.decisions if d.agent is not None}


def cheapest(arcs: Sequence[Arc], supplies: dict[int, int]) -> dict[str, Any]:
    """Return a maximum flow of least cost, as a problem for OR-tools."""
    columns = dict(zip(("tails", "heads", "capacities", "costs"), zip(*arcs, strict=True), strict=True))
    return {
        "solve": "cheapest_flow",
        **columns,
        "nodes": [*supplies],
        "supplies": [*supplies.values()],
    }


@pytest.mark.parametrize("size", SIZES)
def test_or_tools_serves_the_same_tickets(solve: Solve, dice: random.Random, size: tuple[int, int]) -> None:
    """A cheapest maximum flow, with the rank as cost, is the lexicographically best of a matroid (facts: §5.3)."""
    snapshot = world(dice, *size)
    order = sorted(snapshot.tickets, key=lambda t: value_order(t, snapshot.queue))
    source, sink = 0, 1
    node: dict[object, int] = {}
    arcs = [(source, node.setdefault(t.group, len(node) + 2), 1, rank) for rank, t in enumerate(order)]
    for agent in snapshot.agents:
        mine = node.setdefault(("agent", agent.id), len(node) + 2)
        arcs += [(node[g], mine, room(agent), 0) for g in agent.groups if g in node]
        arcs.append((mine, sink, room(agent), 0))
    flow = solve(cheapest(arcs, {source: len(order), sink: -len(order)}))

    theirs = {t.id for t, taken in zip(order, flow["flows"], strict=False) if taken}  # their arcs come first
    assert given(decide(snapshot)).keys() == theirs


@pytest.mark.parametrize("size", SIZES)
def test_or_tools_finds_no_better_balance(solve: Solve, dice: random.Random, size: tuple[int, int]) -> None:
    snapshot = world(dice, *size)
    mine = given(decide(snapshot))
    groups = {t.id: t.group for t in snapshot.tickets}
    demand = Counter(groups[t] for t in mine)
    node: dict[object, int] = {}
    supplies = {node.setdefault(g, len(node) + 1): n for g, n in demand.items()}
    arcs = []
    for agent in snapshot.agents:
        one = node.setdefault(("agent", agent.id), len(node) + 1)
        arcs += [(node[g], one, room(agent), 0) for g in agent.groups if g in demand]
        # The k-th slot costs what it adds to the square of the load.
        arcs += [(one, 0, 1, 2 * (agent.open_count + k) + 1) for k in range(room(agent))]
    flow = solve(cheapest(arcs, {0: -len(mine), **supplies}))

    assert flow["flow"] == len(mine)
    got = Counter(mine.values())
    cost = sum((a.open_count + got[a.id]) ** 2 - a.open_count**2 for a in snapshot.agents)
    assert cost == flow["cost"]


@pytest.mark.parametrize("size", SIZES)
def test_or_tools_finds_no_better_quality_and_no_better_balance_of_that(
    solve: Solve, dice: random.Random, size: tuple[int, int]
) -> None:
    """Quality first: a skill that is held is worth more than any balance."""
    snapshot, much = world(dice, *size), 10**6
    agents = [replace(a, skills=((dice.choice("abc"), 1),)) for a in snapshot.agents]
    waiting = [replace(t, needs=(Need(dice.choice("abc"), 1, 0),)) for t in snapshot.tickets]
    queue = Queue("q", model=Model.SKILLS)
    snapshot = Snapshot(agents, waiting, queue, as_of=T0 + timedelta(days=2))
    mine = given(decide(snapshot))
    kinds = {t.id: kind_of(t, snapshot.as_of) for t in waiting}
    demand = Counter(kinds[t] for t in mine)
    node: dict[object, int] = {}
    supplies = {node.setdefault(kind, len(node) + 1): n for kind, n in demand.items()}
    arcs = []
    for agent in agents:
        one = node.setdefault(("agent", agent.id), len(node) + 1)
        arcs += [
            (node[k], one, room(agent), -much * quality(agent, k)) for k in demand if k.group in agent.groups
        ]
        arcs += [(one, 0, 1, 2 * (agent.open_count + k) + 1) for k in range(room(agent))]
    flow = solve(cheapest(arcs, {0: -len(mine), **supplies}))

    people, got = {a.id: a for a in agents}, Counter(mine.values())
    cost = sum((a.open_count + got[a.id]) ** 2 - a.open_count**2 for a in agents)
    cost -= much * sum(quality(people[agent], kinds[ticket]) for ticket, agent in mine.items())
    assert flow["flow"] == len(mine)
    assert cost == flow["cost"]


def test_scipy_serves_the_same_tickets_one_row_per_ticket_and_one_column_per_slot(
    solve: Solve, dice: random.Random
) -> None:
    snapshot = world(dice, 30, 150)
    order = sorted(snapshot.tickets, key=lambda t: value_order(t, snapshot.queue))
    slots = [a for a in snapshot.agents for _ in range(room(a))]
    worth = [
        [len(order) - row if ticket.group in agent.groups else -1 for agent in slots]
        + [0] * len(order)  # for who waits
        for row, ticket in enumerate(order)
    ]
    columns = solve({"solve": "assignment", "worth": worth})["columns"]

    theirs = {ticket.id for ticket, column in zip(order, columns, strict=True) if column < len(slots)}
    assert given(decide(snapshot)).keys() == theirs


@pytest.mark.parametrize("size", SIZES)
def test_scipy_finds_no_larger_set(solve: Solve, dice: random.Random, size: tuple[int, int]) -> None:
    snapshot = world(dice, *size)
    crew = Crew(snapshot.queue, Restrictions(), snapshot.agents)
    wanted = Counter(crew.number(t, None) for t in snapshot.tickets)
    source, sink, first = 0, 1, 2
    profile = first + len(wanted)
    arcs = []
    for kind, number in wanted.items():
        arcs.append((source, first + kind, number))
        arcs += [(first + kind, profile + able, len(snapshot.tickets)) for able in crew.able[kind]]
    arcs += [(profile + each.index, sink, each.free) for each in crew.profiles]
    columns = dict(zip(("tails", "heads", "capacities"), zip(*arcs, strict=True), strict=True))
    flow = solve({"solve": "largest_flow", **columns, "source": source, "sink": sink})

    assert len(given(decide(snapshot))) == flow["flow"]
