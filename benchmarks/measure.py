"""What every benchmark does the same way: rounds in turns, the CPU of a process, a table with ratios.

The rules (facts: policy §9.1): one run, one machine, everything that is compared in turns and in changing order,
several rounds, median and best. A figure of one run says little by itself; its ratio to another of that run does.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def turns(names: Sequence[str], rounds: int, seed: int = 1) -> Iterator[tuple[int, str]]:
    """Yield round and name, each name once per round, in an order that changes.

    Round 0 is the warm-up: its figures are thrown away.
    """
    dice = random.Random(seed)
    for number in range(rounds + 1):
        yield from ((number, name) for name in dice.sample(list(names), len(names)))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and all of its threads have used.

    From the scheduler's own count, in nanoseconds, of the threads that live; where the kernel keeps none, from
    the ticks of 10 ms.
    """
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (FileNotFoundError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    """Return the memory of a process that is in RAM, now or at its peak."""
    name = "VmHWM" if peak else "VmRSS"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/status has no {name}")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(slots=True)
class Samples:
    """Figures of one case, one per round."""

    values: list[float] = field(default_factory=list)

    def add(self, number: int, value: float) -> None:
        """Take the figure of a round; the warm-up's is not kept."""
        if number:
            self.values.append(value)

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.values)

    @property
    def best(self) -> float:
        """The lowest."""
        return min(self.values)


@dataclass(slots=True)
class Report:
    """A table that is printed, and written as JSON when asked.

    Attributes:
        title: what was measured.
        columns: names, with their units.
        notes: what was skipped and how to get it, what was compared.
    """

    title: str
    columns: Sequence[str]
    rows: list[dict[str, str | float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, *figures: float | str) -> None:
        """Add a row, one figure per column; an empty text where there is none."""
        self.rows.append({"case": name, **dict(zip(self.columns, figures, strict=True))})

    def figure(self, name: str, column: str) -> float | str:
        """Return the figure of a row; an empty text where there is none.

        Raises:
            StopIteration: there is no such row.
        """
        return next(row[column] for row in self.rows if row["case"] == name)

    def show(self, json_file: Path | None = None) -> None:
        """Print everything."""
        width = max([len(str(row["case"])) for row in self.rows] + [len(self.title)])
        print(self.title.ljust(width), *(column.rjust(max(10, len(column))) for column in self.columns))
        for row in self.rows:
            cells = (_cell(row[column]).rjust(max(10, len(column))) for column in self.columns)
            print(str(row["case"]).ljust(width), *cells)
        for note in self.notes:
            print(f"- {note}")
        if json_file is not None:
            machine = {"python": platform.python_version(), "processors": os.cpu_count()}
            made = {"title": self.title, "machine": machine, "rows": self.rows, "notes": self.notes}
            json_file.write_text(json.dumps(made, indent=2) + "\n")


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if value and abs(value) < 100:
        return f"{value:.2f}"
    return f"{value:,.0f}"
