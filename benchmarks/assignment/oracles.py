"""Solvers of others, in a process of their own: OR-tools needs another protobuf than we do.

`python oracles.py`, with a Python that has ortools and scipy, reads one problem per line of JSON and answers with
seconds, of the bare solve alone, and the cost. It imports nothing of ours.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any


def flow(problem: dict[str, Any]) -> dict[str, float]:
    """Solve a min-cost maximum flow with OR-tools."""
    solver = importlib.import_module("ortools.graph.python.min_cost_flow").SimpleMinCostFlow()
    numpy = importlib.import_module("numpy")
    columns = [numpy.array(problem[name]) for name in ("tails", "heads", "capacities", "costs")]
    solver.add_arcs_with_capacity_and_unit_cost(*columns)
    solver.set_nodes_supplies(numpy.array(problem["nodes"]), numpy.array(problem["supplies"]))
    began = time.perf_counter()
    status = solver.solve_max_flow_with_min_cost()
    seconds = time.perf_counter() - began
    if status != solver.OPTIMAL:
        raise ValueError(f"OR-tools answered {status}")
    return {"seconds": seconds, "cost": solver.optimal_cost(), "flow": solver.maximum_flow()}


def dense(problem: dict[str, Any]) -> dict[str, float]:
    """Solve an assignment with SciPy, one row per ticket and one column per slot."""
    numpy, optimize = importlib.import_module("numpy"), importlib.import_module("scipy.optimize")
    worth = numpy.array(problem["worth"])
    began = time.perf_counter()
    rows, columns = optimize.linear_sum_assignment(worth, maximize=True)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "cost": float(worth[rows, columns].sum())}


def main() -> None:
    """Answer until there is nothing more to read."""
    for line in sys.stdin:
        problem = json.loads(line)
        print(json.dumps(dense(problem) if "worth" in problem else flow(problem)), flush=True)


if __name__ == "__main__":
    main()
