"""Schedules in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.domain.hours import Schedule


class SqlSchedules:
    """Implements the port `Schedules`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def all(self) -> dict[int, Schedule]:
        rows = await self._run("SELECT * FROM schedules WHERE account = :account")
        return {
            r.id: Schedule(
                r.id,
                r.zone,
                tuple((start, end) for start, end in r.week),
                tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in r.holidays),
            )
            for r in rows
        }

    async def replace(self, schedules: Sequence[Schedule]) -> None:
        await self._run("DELETE FROM schedules WHERE account = :account")
        for one in schedules:
            await self._run(
                "INSERT INTO schedules (account, id, zone, week, holidays) "
                "VALUES (:account, :id, :zone, CAST(:week AS jsonb), CAST(:holidays AS jsonb))",
                id=one.id,
                zone=one.zone,
                week=json.dumps(one.week),
                holidays=json.dumps([[first.isoformat(), last.isoformat()] for first, last in one.holidays]),
            )

    async def of_agents(self) -> dict[int, int]:
        rows = await self._run("SELECT user_id, schedule FROM agent_schedules WHERE account = :account")
        return {r.user_id: r.schedule for r in rows}

    async def put_agent(self, agent: int, schedule: int | None) -> None:
        await self._run(
            "DELETE FROM agent_schedules WHERE account = :account AND user_id = :agent", agent=agent
        )
        if schedule is not None:
            await self._run(
                "INSERT INTO agent_schedules (account, user_id, schedule) VALUES (:account, :agent, :schedule)",
                agent=agent,
                schedule=schedule,
            )
