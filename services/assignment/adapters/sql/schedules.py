"""Schedules in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.domain.hours import Schedule
from services.assignment.domain.shifts import Kind, ShiftException


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

    async def exceptions(
        self, *, after: datetime | None = None, until: datetime | None = None, agents: Collection[int] = ()
    ) -> list[ShiftException]:
        rows = await self._run(
            "SELECT user_id, starts_at, ends_at, kind FROM shift_exceptions WHERE account = :account "
            "AND (CAST(:after AS timestamptz) IS NULL OR ends_at > :after) "
            "AND (CAST(:until AS timestamptz) IS NULL OR starts_at <= :until) "
            "AND (cardinality(CAST(:agents AS bigint[])) = 0 OR user_id = ANY(:agents)) "
            "ORDER BY user_id, starts_at, ends_at, kind",
            after=after,
            until=until,
            agents=sorted(agents),
        )
        return [ShiftException(r.user_id, r.starts_at, r.ends_at, Kind(r.kind)) for r in rows]

    async def put_exceptions(self, agent: int, exceptions: Collection[ShiftException]) -> None:
        await self._run(
            "DELETE FROM shift_exceptions WHERE account = :account AND user_id = :agent", agent=agent
        )
        rows = sorted(set(exceptions))
        await self._run(
            "INSERT INTO shift_exceptions (account, user_id, starts_at, ends_at, kind) "
            "SELECT :account, :agent, v.starts_at, v.ends_at, v.kind FROM unnest(CAST(:starts AS timestamptz[]), "
            "CAST(:ends AS timestamptz[]), CAST(:kinds AS text[])) AS v(starts_at, ends_at, kind)",
            agent=agent,
            starts=[one.start for one in rows],
            ends=[one.end for one in rows],
            kinds=[one.kind.value for one in rows],
        )

    async def forget_exceptions(self, before: datetime, limit: int) -> int:
        done = await self._run(
            "DELETE FROM shift_exceptions s USING (SELECT user_id, starts_at, ends_at, kind FROM shift_exceptions "
            "WHERE account = :account AND ends_at < :before ORDER BY ends_at LIMIT :limit) old "
            "WHERE s.account = :account AND (s.user_id, s.starts_at, s.ends_at, s.kind) = "
            "(old.user_id, old.starts_at, old.ends_at, old.kind)",
            before=before,
            limit=limit,
        )
        return int(done.rowcount)
