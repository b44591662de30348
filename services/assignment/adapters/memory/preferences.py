"""New tickets whose preference is still to be found, in memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from services.assignment.adapters.memory.tables import Tables


class MemoryPreferences:
    """Implements the port `Preferences`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def begin(self, tickets: Collection[int], at: datetime, lease_seconds: float) -> None:
        until = self._tables.clock() + lease_seconds
        for ticket in tickets:
            self._tables.preferring.setdefault(ticket, (at, until))

    async def take(self, lease_seconds: float, ticket: int | None = None) -> int | None:
        now = self._tables.clock()
        due = [
            (since, number)
            for number, (since, until) in self._tables.preferring.items()
            if until <= now and ticket in (None, number)
        ]
        if not due:
            return None
        since, number = min(due)
        self._tables.preferring[number] = since, now + lease_seconds
        return number

    async def since(self, ticket: int) -> datetime | None:
        kept = self._tables.preferring.get(ticket)
        return kept[0] if kept else None

    async def end(self, ticket: int) -> bool:
        return self._tables.preferring.pop(ticket, None) is not None
