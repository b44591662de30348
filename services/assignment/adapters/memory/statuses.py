"""Statuses that ended, and idle rules, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.assignment.adapters.memory.tables import Tables
from services.assignment.app.rows import AgentRow
from services.assignment.app.status_history import IdleRule, StatusRecord


class MemoryStatuses:
    """Implements the port `Statuses`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def keep(self, agent: AgentRow, at: datetime) -> None:
        """Keep that an agent's status ends."""
        self._tables.last_status_record += 1
        number, ended = self._tables.last_status_record, max(at, agent.status_at)
        self._tables.status_records[number] = StatusRecord(
            number, agent.user_id, agent.status, agent.status_updater_id, agent.status_at, ended
        )

    async def head(self) -> int:
        return self._tables.last_status_record

    async def page(self, after: int, limit: int) -> list[StatusRecord]:
        records = self._tables.status_records
        return [records[number] for number in sorted(records) if number > after][:limit]

    async def behind(self, start: datetime) -> int:
        found = [r.id for r in self._tables.status_records.values() if r.ended_at >= start]
        return min(found) - 1 if found else self._tables.last_status_record

    async def forget(self, before: datetime, limit: int) -> int:
        records = self._tables.status_records
        old = sorted((r.ended_at, r.id) for r in records.values() if r.ended_at < before)[:limit]
        for _, number in old:
            del records[number]
        return len(old)

    async def idle_rules(self) -> Mapping[int, IdleRule]:
        return dict(self._tables.idle_rules)

    async def put_idle_rule(self, agent: int, rule: IdleRule) -> None:
        self._tables.idle_rules.pop(agent, None)
        if rule != IdleRule():
            self._tables.idle_rules[agent] = rule
