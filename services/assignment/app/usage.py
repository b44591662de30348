"""The port of usage figures; every call belongs to a transaction (`ports.Transaction`)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from services.assignment.domain.usage import Counted, UsageDay


class Usage(Protocol):
    """Usage by day."""

    async def last(self) -> tuple[date, int] | None:
        """Return the last day that was counted, and the sequence of the last decision that was."""
        ...

    async def begin(self) -> datetime | None:
        """Return when the first decision was made; None = there is none."""
        ...

    async def count(self, start: datetime, end: datetime, after: int) -> Counted:
        """Count assignments between two instants, and decisions after a sequence that were made before `end`."""
        ...

    async def put(self, day: UsageDay, sequence: int) -> None:
        """Keep a day; one that is kept already stays as it is."""
        ...

    async def days(self, first: date, last: date) -> list[UsageDay]:
        """Return the days that were counted, oldest first."""
        ...
