"""Schedules in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from services.assignment.adapters.memory.tables import Tables
from services.assignment.domain.hours import Schedule
from services.assignment.domain.shifts import ShiftException


class MemorySchedules:
    """Implements the port `Schedules`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def all(self) -> dict[int, Schedule]:
        return dict(self._tables.schedules)

    async def replace(self, schedules: Sequence[Schedule]) -> None:
        self._tables.schedules = {one.id: one for one in schedules}

    async def of_agents(self) -> dict[int, int]:
        return dict(self._tables.shifts)

    async def put_agent(self, agent: int, schedule: int | None) -> None:
        self._tables.shifts.pop(agent, None)
        if schedule is not None:
            self._tables.shifts[agent] = schedule

    async def exceptions(
        self, *, after: datetime | None = None, until: datetime | None = None, agents: Collection[int] = ()
    ) -> list[ShiftException]:
        return sorted(
            one
            for one in self._tables.exceptions
            if (after is None or one.end > after)
            and (until is None or one.start <= until)
            and (not agents or one.agent in agents)
        )

    async def put_exceptions(self, agent: int, exceptions: Collection[ShiftException]) -> None:
        others = {one for one in self._tables.exceptions if one.agent != agent}
        self._tables.exceptions = others | set(exceptions)

    async def forget_exceptions(self, before: datetime, limit: int) -> int:
        old = sorted(one for one in self._tables.exceptions if one.end < before)[:limit]
        self._tables.exceptions = self._tables.exceptions.difference(old)
        return len(old)
