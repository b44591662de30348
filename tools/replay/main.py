"""The command: `./pants run tools/replay:replay -- --log FOLDER [OPTIONS]`, or `python -m tools.replay.main`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter, validators
from rich.console import Console
from rich.table import Table as RichTable

from services.assignment.domain.history import Rules
from services.assignment.domain.played import play
from tools.demo.event_log import unknown_columns
from tools.demo.script import ScriptError
from tools.replay.config import BUILT_IN, read_config
from tools.replay.figures import (
    Table,
    differences_tables,
    fairness_table,
    loads_table,
    recorded_table,
    staffing_table,
    waits_table,
)
from tools.replay.log import history_of, read_log
from tools.replay.page import page
from tools.replay.staffing import what_if

BAD_INPUT = 2
PIPED_COLUMNS = 160
HOW = (
    "Every ticket goes to the first group that the log shows. How long work took is the log's; it frees the agent "
    "and decides nothing else. A membership counts from the day after it was first seen."
)
app = cyclopts.App(
    name="replay",
    help="Play an event log through changed rules, in virtual time, and report what would have come of it.",
)


@app.default
def replay(
    *,
    log: Path,
    config: Path | None = None,
    report: Path | None = None,
    days: Annotated[int | None, Parameter(validator=validators.Number(gte=1, lte=10_000))] = None,
) -> int:
    """Play.

    Args:
        log: folder with `tickets.csv[.gz]` and `memberships.csv[.gz]`, as the UCI incident log has them.
        config: TOML with policies, targets, hours and a staffing; built-in policies without it.
        report: folder that `replay.html` is written to.
        days: only the first days of the log.
    """
    console = Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS)
    try:
        chosen = read_config(config) if config else BUILT_IN
        for sentence in unknown_columns(log):
            console.print(sentence, markup=False)
        script, recorded = read_log(log, days)
    except ScriptError as error:
        Console(stderr=True).print(str(error), markup=False)
        return BAD_INPUT
    began, played = time.perf_counter(), []
    for policy in chosen.policies:
        history = history_of(script, recorded, chosen, policy)
        played.append(play(history, Rules([policy.queue]), policy.name))
    seconds = time.perf_counter() - began
    tables = [waits_table(played), fairness_table(played)]
    if chosen.staffing is not None:
        tables.append(staffing_table(list(what_if(chosen.staffing))))
    for table in tables:
        _print(console, table)
    summary = (
        f"{len(script.tickets):,} tickets and {len(script.agents):,} agents of `{script.title}`, "
        f"{script.start:%Y-%m-%d} to {script.end:%Y-%m-%d}, through {len(played)} policies."
    )
    console.print(f"{summary} Played in {seconds:.1f} s.", markup=False)
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        tables += [loads_table(played), *differences_tables(played), recorded_table(played[0])]
        file = report / "replay.html"
        file.write_text(page(f"Replay of {script.title}", (summary, HOW), played, tables), encoding="utf-8")
        console.print(f"report: {file}", markup=False)
    return 0


def _print(console: Console, table: Table) -> None:
    shown = RichTable(title=table.title, caption=table.note or None)
    for number, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)


def main() -> None:
    """Run the command."""
    sys.exit(app())


if __name__ == "__main__":
    main()
