"""Usage figures in memory."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

from services.assignment.adapters.memory.tables import KeptAssignment, Tables
from services.assignment.domain.usage import AgentCount, Counted, UsageDay, percentile


class MemoryUsage:
    """Implements the port `Usage`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def last(self) -> tuple[date, int] | None:
        day = max(self._tables.usage, default=None)
        return None if day is None else (day, self._tables.usage[day][1])

    async def begin(self) -> datetime | None:
        return min((d.as_of for d in self._tables.decisions.values()), default=None)

    async def count(self, start: datetime, end: datetime, after: int) -> Counted:
        given = {
            key: kept
            for key, kept in self._tables.assignments.items()
            if start <= kept.at < end and kept.state != "conflict"
        }
        counts = Counter((k.mechanism, self._model(key), k.agent) for key, k in given.items())
        waits = [w for kept in given.values() if (w := self._wait(kept)) is not None]
        made = [d.sequence for d in self._tables.decisions.values() if d.sequence > after and d.as_of < end]
        return Counted(
            tuple(AgentCount(*key, n) for key, n in sorted(counts.items())),
            len(made),
            (percentile(waits, 0.5), percentile(waits, 0.9)) if waits else None,
            max(made, default=after),
        )

    def _model(self, decision: str) -> str:
        kept = self._tables.decisions.get(decision)
        return kept.model if kept else ""

    def _wait(self, kept: KeptAssignment) -> float | None:
        ticket = self._tables.tickets.get(kept.ticket)
        if ticket is None:
            return None
        entered = ticket.entered_at
        began = entered if entered is not None and entered <= kept.at else ticket.row.facts.created_at
        return max(0.0, (kept.at - began).total_seconds())

    async def put(self, day: UsageDay, sequence: int) -> None:
        self._tables.usage.setdefault(day.day, (day, sequence))

    async def days(self, first: date, last: date) -> list[UsageDay]:
        return [self._tables.usage[day][0] for day in sorted(self._tables.usage) if first <= day <= last]
