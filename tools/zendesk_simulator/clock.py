"""The simulator's time: shared with the suite, or its own and movable."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from libs.kernel.clock import Clock
from libs.settings.clock import VARIABLE, SharedClock


class OwnClock:
    """The machine's clock plus an offset that the control API moves."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, instant: datetime) -> None:
        """Make `instant` now."""
        self._offset = instant - datetime.now(UTC)


def choose_clock() -> Clock:
    """Return the suite's shared clock when there is one, else a clock of our own."""
    path = os.environ.get(VARIABLE)
    return SharedClock(Path(path)) if path else OwnClock()


def stamp(instant: datetime) -> str:
    """Return an instant as Zendesk writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
