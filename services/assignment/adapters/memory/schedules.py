"""Schedules in memory."""

from __future__ import annotations

from collections.abc import Sequence

from services.assignment.adapters.memory.tables import Tables
from services.assignment.domain.hours import Schedule


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
