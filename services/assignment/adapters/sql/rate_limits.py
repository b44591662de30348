"""Agents' own rate limits, and what queues gave lately, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.domain.limits import Limit

# What an agent thinks about counts as given this very moment, as for the daily limit.
_LATELY = """
(SELECT agent_id, queue, assigned_at AS at FROM assignments
 WHERE account = :account AND mechanism = 'queue' AND state <> 'conflict' AND assigned_at > :since
 UNION ALL SELECT agent_id, queue, CAST(:at AS timestamptz) FROM offers WHERE account = :account AND state = 'offered') a
"""


class SqlRateLimits:
    """Implements the port `RateLimits`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def of_agents(self) -> dict[int, Limit]:
        rows = await self._run(
            "SELECT user_id, tickets, minutes FROM agent_rate_limits WHERE account = :account"
        )
        return {r.user_id: Limit(r.tickets, r.minutes) for r in rows}

    async def put_agent(self, agent: int, limit: Limit | None) -> None:
        await self._run(
            "DELETE FROM agent_rate_limits WHERE account = :account AND user_id = :agent", agent=agent
        )
        if limit is not None:
            await self._run(
                "INSERT INTO agent_rate_limits (account, user_id, tickets, minutes) "
                "VALUES (:account, :agent, :tickets, :minutes)",
                agent=agent,
                tickets=limit.most,
                minutes=limit.minutes,
            )

    async def given(
        self, queue: str, at: datetime, *, default: int, of_queue: int, longest: int
    ) -> dict[int, tuple[int, int]]:
        rows = await self._run(
            "SELECT a.agent_id, count(*) FILTER (WHERE a.at > CAST(:at AS timestamptz) - make_interval(mins => "  # noqa: S608 - a constant
            "CASE WHEN l.user_id IS NULL THEN :default ELSE coalesce(l.minutes, 0) END)) AS n, "
            "count(*) FILTER (WHERE a.queue = :queue AND a.at > CAST(:at AS timestamptz) - "
            f"make_interval(mins => :of_queue)) AS q FROM {_LATELY} "
            "LEFT JOIN agent_rate_limits l ON l.account = :account AND l.user_id = a.agent_id GROUP BY a.agent_id",
            queue=queue,
            at=at,
            since=at - timedelta(minutes=longest),
            default=default,
            of_queue=of_queue,
        )
        return {r.agent_id: (r.n, r.q) for r in rows}
