"""Changes on their way to Zendesk, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.app.rows import Write
from services.assignment.domain.rotation import TURN


class SqlOutbox:
    """Implements the port `Outbox`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def take(self, limit: int, lease_seconds: float) -> list[Write]:
        rows = await self._run(
            "WITH due AS MATERIALIZED (SELECT id FROM outbox "
            "WHERE account = :account AND state = 'pending' AND lease_until < clock_timestamp() "
            "ORDER BY as_of, id LIMIT :limit FOR UPDATE SKIP LOCKED) "
            "UPDATE outbox o SET fence = o.fence + 1, attempts = o.attempts + 1, "
            "lease_until = clock_timestamp() + make_interval(secs => :lease) FROM due "
            "WHERE o.account = :account AND o.id = due.id RETURNING o.*",
            lease=lease_seconds,
            limit=limit,
        )
        writes = [
            Write(r.id, r.ticket, r.agent_id, r.group_id, r.queue, r.as_of, r.attempts, r.fence) for r in rows
        ]
        return sorted(writes, key=lambda w: (w.as_of, w.id))

    async def finish(self, write: Write, state: str) -> bool:
        done = await self._run(
            "UPDATE outbox SET state = :state WHERE account = :account AND id = :id AND fence = :fence "
            "AND state = 'pending' RETURNING id",
            id=write.id,
            fence=write.fence,
            state=state,
        )
        if done.one_or_none() is None:
            return False
        await self._run(
            "UPDATE assignments SET state = :state WHERE account = :account AND id = :id",
            id=write.id,
            state="confirmed" if state == "confirmed" else "conflict",
        )
        await self._run(
            "UPDATE decisions SET write = :state WHERE account = :account AND id = :id",
            id=write.id,
            state=state,
        )
        if state != "confirmed":
            # A turn that became no work is given back (facts: decision 14); a pull took none.
            await self._run(
                "INSERT INTO rotation AS r (account, queue, agent_id, balance) "
                "SELECT account, queue, agent_id, :turn FROM assignments "
                "WHERE account = :account AND id = :id AND mechanism = 'queue' "
                "ON CONFLICT (account, queue, agent_id) DO UPDATE SET balance = r.balance + excluded.balance",
                turn=TURN,
                id=write.id,
            )
            await self._run(
                "UPDATE tickets SET routing = 'not_routable', assignee_id = NULL, outcome = '', assigned_at = NULL, "
                "updated_at = 'epoch' WHERE account = :account AND ticket = :ticket",
                ticket=write.ticket,
            )
        return True

    async def release(self, write: Write) -> None:
        await self._run(
            "UPDATE outbox SET lease_until = '-infinity' WHERE account = :account AND id = :id AND fence = :fence",
            id=write.id,
            fence=write.fence,
        )

    async def pending(self) -> int:
        found = await self._run("SELECT count(*) FROM outbox WHERE account = :account AND state = 'pending'")
        return int(found.scalar_one())
