"""`python -m benchmarks.zendesk_simulator.run`: requests a second and CPU time per request of the simulator."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cyclopts

from benchmarks.zendesk_simulator.load import Scenario, send
from benchmarks.zendesk_simulator.scenarios import scenarios
from benchmarks.zendesk_simulator.server_process import ServerProcess

HEAVY = {"page": 10, "view": 10, "search": 10, "export": 50, "count": 2}
"""These are sent that many times less often."""
app = cyclopts.App(name="benchmark-simulator", help="Measure the Zendesk simulator on this machine.")


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds of one scenario."""

    scenario: str
    requests: int
    per_second: float
    cpu_microseconds: float
    kilobytes: float


@app.default
def run(
    *,
    tickets: int = 100_000,
    waiting: int = 500,
    rounds: int = 5,
    requests: int = 2_000,
    connections: int = 8,
    only: list[str] | None = None,
    json_file: Path | None = None,
) -> None:
    """Start the simulator in one process, load it from this one, print medians over rounds.

    Args:
        tickets: how many the account has.
        waiting: how many of them wait unassigned, and are in the view.
        rounds: of each scenario; the medians are shown.
        requests: in a round of a light scenario.
        connections: kept alive, one request at a time on each.
        only: names of scenarios.
        json_file: where to write the figures to as well.
    """
    with ServerProcess() as server:
        began = time.perf_counter()
        server.fill(tickets, waiting)
        seconds = time.perf_counter() - began
        print(
            f"{tickets} tickets made in {seconds:.1f} s, {server.resident_megabytes():.0f} MB resident",
            flush=True,
        )
        known = scenarios(server)
        if unknown := set(only or ()) - set(known):
            print(f"no scenario `{unknown.pop()}`: choose of {', '.join(known)}", file=sys.stderr)
            raise SystemExit(2)
        print(f"{'scenario':<10} {'requests/s':>10} {'CPU us/request':>15} {'kB/answer':>10}", flush=True)
        found = []
        for name in only or known:
            number = max(20, requests // HEAVY.get(name, 1))
            figures = _measure(server, name, known[name], number, rounds, connections)
            found.append(figures)
            print(
                f"{name:<10} {figures.per_second:>10.0f} {figures.cpu_microseconds:>15.0f} "
                f"{figures.kilobytes:>10.1f}",
                flush=True,
            )
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(f) for f in found], indent=2) + "\n")


def _measure(
    server: ServerProcess, name: str, scenario: Scenario, number: int, rounds: int, connections: int
) -> Figures:
    rates, costs, sizes = [], [], []
    for round_ in range(rounds + 1):
        asks = scenario(number)
        cpu, began = server.cpu_seconds(), time.perf_counter()
        seen = asyncio.run(send(server.url, server.token, asks, connections))
        seconds, used = time.perf_counter() - began, server.cpu_seconds() - cpu
        refused = {status: n for status, n in seen.statuses.items() if status >= 300}
        if refused:
            raise SystemExit(f"`{name}` was answered with {refused}: nothing is measured")
        if round_ == 0:
            continue  # warm-up
        rates.append(number / seconds)
        costs.append(used / number * 1e6)
        sizes.append(seen.size / number / 1000)
    return Figures(name, number, *(statistics.median(values) for values in (rates, costs, sizes)))


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
