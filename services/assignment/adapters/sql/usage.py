"""Usage figures in PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.domain.usage import AgentCount, Counted, UsageDay, UsageShare

_GIVEN = (
    "FROM assignments a LEFT JOIN decisions d USING (account, id) WHERE a.account = :account "
    "AND a.assigned_at >= :start AND a.assigned_at < :until AND a.state <> 'conflict'"
)
_WAITS = """
SELECT percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY greatest(0, extract(epoch FROM a.assigned_at
    - CASE WHEN t.entered_at <= a.assigned_at THEN t.entered_at ELSE t.created_at END))) AS waits
FROM assignments a JOIN tickets t USING (account, ticket) WHERE a.account = :account
AND a.assigned_at >= :start AND a.assigned_at < :until AND a.state <> 'conflict'
"""


class SqlUsage:
    """Implements the port `Usage`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def last(self) -> tuple[date, int] | None:
        found = await self._run(
            "SELECT day, sequence FROM usage_days WHERE account = :account ORDER BY day DESC LIMIT 1"
        )
        row = found.one_or_none()
        return (row.day, row.sequence) if row else None

    async def begin(self) -> datetime | None:
        found = await self._run(
            "SELECT as_of FROM decisions WHERE account = :account ORDER BY sequence LIMIT 1"
        )
        began: datetime | None = found.scalar_one_or_none()
        return began

    async def count(self, start: datetime, end: datetime, after: int) -> Counted:
        given = await self._run(
            f"SELECT a.mechanism, coalesce(d.model, '') AS model, a.agent_id, count(*) AS n {_GIVEN} "
            "GROUP BY 1, 2, 3",
            start=start,
            until=end,
        )
        rows = tuple(sorted((r.mechanism, r.model, r.agent_id, r.n) for r in given))
        waits = (await self._run(_WAITS, start=start, until=end)).scalar_one()
        made = (
            await self._run(
                "SELECT count(*) AS n, coalesce(max(sequence), :after) AS last FROM decisions "
                "WHERE account = :account AND sequence > :after AND as_of < :until",
                after=after,
                until=end,
            )
        ).one()
        return Counted(
            tuple(AgentCount(*row) for row in rows),
            made.n,
            (float(waits[0]), float(waits[1])) if waits else None,
            made.last,
        )

    async def put(self, day: UsageDay, sequence: int) -> None:
        figures = {name: value for name, value in asdict(day).items() if name != "day"}
        await self._run(
            "INSERT INTO usage_days (account, day, sequence, figures) "
            "VALUES (:account, :day, :sequence, CAST(:figures AS jsonb)) ON CONFLICT DO NOTHING",
            day=day.day,
            sequence=sequence,
            figures=json.dumps(figures),
        )

    async def days(self, first: date, last: date) -> list[UsageDay]:
        rows = await self._run(
            "SELECT day, figures FROM usage_days WHERE account = :account AND day BETWEEN :first AND :last ORDER BY day",
            first=first,
            last=last,
        )
        return [_day(row.day, row.figures) for row in rows]


def _day(day: date, figures: dict[str, Any]) -> UsageDay:
    shares = tuple(UsageShare(**share) for share in figures["shares"])
    return UsageDay(day, **{**figures, "shares": shares})
