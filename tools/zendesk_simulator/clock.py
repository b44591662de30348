"""The simulator's time: shared with the suite, or its own, which tests set, move and stop."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from libs.kernel.clock import Clock
from libs.settings.clock import VARIABLE, SharedClock


class OwnClock:
    """The machine's clock plus an offset that the control API moves; it may stand still."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        return self._frozen or datetime.now(UTC) + self._offset

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen is not None

    def set(self, instant: datetime) -> None:
        """Make `instant` now.

        Raises:
            ValueError: the instant has no time zone.
        """
        if instant.tzinfo is None:
            raise ValueError(f"`{instant.isoformat()}` has no time zone")
        self._offset = instant - datetime.now(UTC)
        if self._frozen is not None:
            self._frozen = instant.astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Move it by so many seconds."""
        self.set(self.now() + timedelta(seconds=seconds))

    def freeze(self, frozen: bool) -> None:
        """Stop it, or let it run on from where it stands."""
        now = self.now()
        self._frozen = now if frozen else None
        self._offset = now - datetime.now(UTC)


def choose_clock() -> Clock:
    """Return the suite's shared clock when there is one, else a clock of our own."""
    path = os.environ.get(VARIABLE)
    return SharedClock(Path(path)) if path else OwnClock()


def stamp(instant: datetime) -> str:
    """Return an instant as Zendesk writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
