"""Solves with OR-tools and SciPy for who cannot import them: one problem per line of JSON in, one answer out.

Nodes are whole numbers from 0; arcs are columns of equal length. Each answer has `seconds`: of the bare solve alone.

`{"solve": "cheapest_flow", "tails", "heads", "capacities", "costs", "nodes", "supplies"}` (OR-tools, a maximum flow
of least cost) is answered with `flow`, `cost` and `flows`, one per arc.
`{"solve": "largest_flow", "tails", "heads", "capacities", "source", "sink"}` (SciPy) is answered with `flow`.
`{"solve": "assignment", "worth": [row, …]}` (SciPy, dense, the most worth) is answered with `worth`, and with
`columns`, one per row in their order.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow


def cheapest_flow(problem: dict[str, Any]) -> dict[str, Any]:
    """Solve a min-cost maximum flow.

    Raises:
        ValueError: OR-tools does not call its answer optimal.
    """
    solver = SimpleMinCostFlow()
    columns = [np.array(problem[name]) for name in ("tails", "heads", "capacities", "costs")]
    arcs = solver.add_arcs_with_capacity_and_unit_cost(*columns)
    solver.set_nodes_supplies(np.array(problem["nodes"]), np.array(problem["supplies"]))
    began = time.perf_counter()
    status = solver.solve_max_flow_with_min_cost()
    seconds = time.perf_counter() - began
    if status != solver.OPTIMAL:
        raise ValueError(f"OR-tools answered {status}")
    return {
        "seconds": seconds,
        "flow": solver.maximum_flow(),
        "cost": solver.optimal_cost(),
        "flows": solver.flows(arcs).tolist(),
    }


def largest_flow(problem: dict[str, Any]) -> dict[str, Any]:
    """Solve a maximum flow."""
    ends = np.array([problem["tails"], problem["heads"]])
    size = int(ends.max()) + 1
    capacities = np.array(problem["capacities"], dtype=np.int32)  # SciPy takes no others
    graph = csr_matrix((capacities, (ends[0], ends[1])), shape=(size, size))
    began = time.perf_counter()
    solved = maximum_flow(graph, problem["source"], problem["sink"])
    return {"seconds": time.perf_counter() - began, "flow": int(solved.flow_value)}


def assignment(problem: dict[str, Any]) -> dict[str, Any]:
    """Solve an assignment of rows to columns, at least as many columns as rows."""
    worth = np.array(problem["worth"])
    began = time.perf_counter()
    rows, columns = linear_sum_assignment(worth, maximize=True)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "worth": float(worth[rows, columns].sum()), "columns": columns.tolist()}


SOLVERS = {"cheapest_flow": cheapest_flow, "largest_flow": largest_flow, "assignment": assignment}


def main() -> None:
    """Answer until there is nothing more to read."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    for line in sys.stdin:
        problem = json.loads(line)
        sys.stdout.write(json.dumps(SOLVERS[problem["solve"]](problem)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
