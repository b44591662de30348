"""Capacities and work in PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.app.rows import Work

_WORK = """
SELECT w.agent_id, sum(coalesce(CAST(o.options ->> 'work_units' AS integer), 1)) AS units,
       count(*) FILTER (WHERE w.queue = :queue) AS mine,
       coalesce(sum(coalesce(CAST(o.options ->> 'work_units' AS integer), 1))
                FILTER (WHERE CAST(o.options ->> 'interruptible' AS boolean)), 0) AS interruptible
FROM (
    SELECT t.assignee_id AS agent_id, a.queue FROM tickets t
    LEFT JOIN assignments a ON a.account = t.account AND a.ticket = t.ticket AND a.agent_id = t.assignee_id
        AND a.state IN ('committed', 'confirmed')
    WHERE t.account = :account AND t.status IN ('new', 'open') AND t.assignee_id IS NOT NULL
    UNION ALL SELECT agent_id, queue FROM offers WHERE account = :account AND state = 'offered'
) w
LEFT JOIN queues q ON q.account = :account AND q.id = w.queue
LEFT JOIN queue_options o ON o.account = q.account AND o.id = q.id
GROUP BY w.agent_id
"""


class SqlCapacities:
    """Implements the port `Capacities`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def of_agents(self) -> dict[int, int]:
        rows = await self._run("SELECT user_id, units FROM agent_capacities WHERE account = :account")
        return {r.user_id: r.units for r in rows}

    async def put_agent(self, agent: int, units: int | None) -> None:
        await self._run(
            "DELETE FROM agent_capacities WHERE account = :account AND user_id = :agent", agent=agent
        )
        if units is not None:
            await self._run(
                "INSERT INTO agent_capacities (account, user_id, units) VALUES (:account, :agent, :units)",
                agent=agent,
                units=units,
            )

    async def work(self, queue: str) -> dict[int, Work]:
        rows = await self._run(_WORK, queue=queue)
        return {r.agent_id: Work(int(r.units), r.mine, int(r.interruptible)) for r in rows}
