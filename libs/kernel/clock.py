"""Time as an argument.

Business rules never read the machine's clock: a `Clock` is injected, so that a decision can be
replayed and a test can move time. Liveness (leases, deadlines of calls) is not business time: it
uses the database's clock or the event loop's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the current instant."""

    def now(self) -> datetime:
        """Return the current instant as an aware datetime in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until somebody moves it.

    Args:
        start: the first instant, aware; defaults to 2026-01-05T09:00:00Z, a Monday morning.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = datetime(2026, 1, 5, 9, tzinfo=UTC)
        if start is not None:
            self.set(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move the clock by `by` and return the new instant."""
        self._now += by
        return self._now

    def set(self, instant: datetime) -> None:
        """Move the clock to `instant`.

        Raises:
            ValueError: the instant has no time zone; it would be taken for the machine's.
        """
        if instant.tzinfo is None:
            raise ValueError(f"`{instant.isoformat()}` has no time zone")
        self._now = instant.astimezone(UTC)
