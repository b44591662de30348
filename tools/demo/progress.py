"""Shows how far a run is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from tools.demo.player import Played
from tools.demo.script import Script

LINE_SECONDS = 5.0


class Progress:
    """The progress of one run.

    Args:
        console: where it is shown.
        script: tells how long the day is.
    """

    def __init__(self, console: Console, script: Script) -> None:
        self._console = console
        self._script = script
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=(script.end - script.start).total_seconds())
        self._said = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Tell what happens now."""
        self._bar.update(self._task, description=text)
        self._line(text, at_once=True)

    def day(self, now: datetime, played: Played) -> None:
        """Tell how far the day is."""
        done = min(now, self._script.end) - self._script.start
        hours = done.total_seconds() / 3600
        clock = f"day {int(hours // 24) + 1} {int(hours % 24):02d}:{int(hours * 60 % 60):02d}"
        text = f"{clock}  {len(played.tickets):,} in, {len(played.assigned):,} assigned"
        self._bar.update(self._task, completed=done.total_seconds(), description=text)
        self._line(text)

    def _line(self, text: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not self._console.is_terminal and (at_once or now - self._said > LINE_SECONDS):
            self._said = now
            self._console.print(text, highlight=False)
