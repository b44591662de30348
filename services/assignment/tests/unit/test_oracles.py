"""The served set and the balance, beside the solvers of others: OR-tools and SciPy.

They are in no lockfile of the service (OR-tools needs another protobuf than grpcio-tools): the tests skip without them.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.assignment.domain.compress import Crew
from services.assignment.domain.decide import decide, value_order
from services.assignment.domain.eligibility import kind_of, quality
from services.assignment.domain.model import Agent, Model, Need, Plan, Queue, Restrictions, Snapshot, Ticket

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
SIZES = [(30, 60), (100, 250), (200, 3_000), (300, 900)]


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


def ortools() -> Any:
    return pytest.importorskip("ortools.graph.python.min_cost_flow", reason="OR-tools is not installed")


def solve(arcs: list[tuple[int, int, int, int]], supplies: dict[int, int]) -> Any:
    """Solve a min-cost maximum flow; arcs are (tail, head, capacity, cost)."""
    flow = ortools().SimpleMinCostFlow()
    for arc in arcs:
        flow.add_arc_with_capacity_and_unit_cost(*arc)
    for node, supply in supplies.items():
        flow.set_node_supply(node, supply)
    assert flow.solve_max_flow_with_min_cost() == flow.OPTIMAL
    return flow


@pytest.mark.parametrize("size", SIZES)
def test_or_tools_serves_the_same_tickets(dice: random.Random, size: tuple[int, int]) -> None:
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
    flow = solve(arcs, {source: len(order), sink: -len(order)})

    theirs = {t.id for rank, t in enumerate(order) if flow.flow(rank)}
    assert given(decide(snapshot)).keys() == theirs


@pytest.mark.parametrize("size", SIZES)
def test_or_tools_finds_no_better_balance(dice: random.Random, size: tuple[int, int]) -> None:
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
    flow = solve(arcs, {0: -len(mine), **supplies})

    assert flow.maximum_flow() == len(mine)
    got = Counter(mine.values())
    cost = sum((a.open_count + got[a.id]) ** 2 - a.open_count**2 for a in snapshot.agents)
    assert cost == flow.optimal_cost()


@pytest.mark.parametrize("size", SIZES)
def test_or_tools_finds_no_better_quality_and_no_better_balance_of_that(
    dice: random.Random, size: tuple[int, int]
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
    flow = solve(arcs, {0: -len(mine), **supplies})

    people, got = {a.id: a for a in agents}, Counter(mine.values())
    cost = sum((a.open_count + got[a.id]) ** 2 - a.open_count**2 for a in agents)
    cost -= much * sum(quality(people[agent], kinds[ticket]) for ticket, agent in mine.items())
    assert flow.maximum_flow() == len(mine)
    assert cost == flow.optimal_cost()


def test_scipy_serves_the_same_tickets_one_row_per_ticket_and_one_column_per_slot(
    dice: random.Random,
) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    numpy = pytest.importorskip("numpy", reason="NumPy is not installed")
    snapshot = world(dice, 30, 150)
    order = sorted(snapshot.tickets, key=lambda t: value_order(t, snapshot.queue))
    slots = [a for a in snapshot.agents for _ in range(room(a))]
    worth = numpy.zeros((len(order), len(slots) + len(order)))  # the last columns are for who waits
    for row, ticket in enumerate(order):
        for column, agent in enumerate(slots):
            worth[row, column] = len(order) - row if ticket.group in agent.groups else -1
    rows, columns = optimize.linear_sum_assignment(worth, maximize=True)

    theirs = {order[r].id for r, c in zip(rows, columns, strict=True) if c < len(slots)}
    assert given(decide(snapshot)).keys() == theirs


@pytest.mark.parametrize("size", SIZES)
def test_scipy_finds_no_larger_set(dice: random.Random, size: tuple[int, int]) -> None:
    graph = pytest.importorskip("scipy.sparse.csgraph", reason="SciPy is not installed")
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    numpy = pytest.importorskip("numpy", reason="NumPy is not installed")
    snapshot = world(dice, *size)
    crew = Crew(snapshot.queue, Restrictions(), snapshot.agents)
    wanted = Counter(crew.number(t, None) for t in snapshot.tickets)
    kinds = len(wanted)
    capacity = numpy.zeros((2 + kinds + len(crew.profiles),) * 2, dtype=numpy.int32)
    for kind, number in wanted.items():
        capacity[0, 2 + kind] = number
        for profile in crew.able[kind]:
            capacity[2 + kind, 2 + kinds + profile] = len(snapshot.tickets)
    for each in crew.profiles:
        capacity[2 + kinds + each.index, 1] = each.free
    flow = graph.maximum_flow(sparse.csr_matrix(capacity), 0, 1)

    assert len(given(decide(snapshot))) == flow.flow_value
