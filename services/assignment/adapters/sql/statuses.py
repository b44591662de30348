"""Statuses that ended, and idle rules, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.notify import notify
from libs.kernel.ids import AccountId
from services.assignment.app.status_history import IdleRule, StatusRecord

STATUSES_CHANNEL = "assignment_statuses"
"""Told the account whenever a status ended."""

# The row of the counter stays locked until the transaction ends: ids become visible in their order.
_NUMBERS = """
INSERT INTO status_counters AS c (account, last) VALUES (:account, :count)
ON CONFLICT (account) DO UPDATE SET last = c.last + excluded.last
RETURNING last, reached_at
"""
# INVARIANT: `reached_at`, the latest end up to a record, never falls with the id.
_KEEP = """
WITH kept AS (
    INSERT INTO status_records (account, id, user_id, status, updater_id, started_at, ended_at, reached_at)
    SELECT :account, :before + t.place, a.user_id, a.status, a.status_updater_id, a.status_at,
           greatest(a.status_at, :at),
           greatest(:reached, max(greatest(a.status_at, :at)) OVER (ORDER BY t.place))
    FROM unnest(CAST(:users AS bigint[])) WITH ORDINALITY AS t(user_id, place)
    JOIN agents a ON a.account = :account AND a.user_id = t.user_id
    RETURNING reached_at
)
UPDATE status_counters SET reached_at = (SELECT max(reached_at) FROM kept) WHERE account = :account
"""
_BEHIND = """
SELECT coalesce(
    (SELECT id - 1 FROM status_records WHERE account = :account AND reached_at >= :start
     ORDER BY reached_at, id LIMIT 1),
    (SELECT last FROM status_counters WHERE account = :account),
    0
) AS id
"""


class SqlStatuses:
    """Implements the port `Statuses`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def keep(self, agents: Sequence[int], at: datetime) -> None:
        """Keep that agents' statuses, as their rows still have them, end; the rows are locked."""
        if agents:
            last, reached = (await self._run(_NUMBERS, count=len(agents))).one()
            await self._run(_KEEP, before=last - len(agents), reached=reached, users=list(agents), at=at)
            await notify(self._connection, STATUSES_CHANNEL, self._account)

    async def head(self) -> int:
        rows = await self._run("SELECT last FROM status_counters WHERE account = :account")
        return int(rows.scalar_one_or_none() or 0)

    async def page(self, after: int, limit: int) -> list[StatusRecord]:
        rows = await self._run(
            "SELECT * FROM status_records WHERE account = :account AND id > :after ORDER BY id LIMIT :limit",
            after=after,
            limit=limit,
        )
        return [_record(row) for row in rows]

    async def behind(self, start: datetime) -> int:
        return int((await self._run(_BEHIND, start=start)).scalar_one())

    async def forget(self, before: datetime, limit: int) -> int:
        done = await self._run(
            "DELETE FROM status_records WHERE account = :account AND id IN (SELECT id FROM status_records "
            "WHERE account = :account AND ended_at < :before ORDER BY ended_at, id LIMIT :limit)",
            before=before,
            limit=limit,
        )
        return int(done.rowcount)

    async def idle_rules(self) -> Mapping[int, IdleRule]:
        rows = await self._run(
            "SELECT user_id, enabled, minutes FROM agent_idle_rules WHERE account = :account"
        )
        return {row.user_id: IdleRule(row.enabled, row.minutes) for row in rows}

    async def put_idle_rule(self, agent: int, rule: IdleRule) -> None:
        await self._run(
            "DELETE FROM agent_idle_rules WHERE account = :account AND user_id = :agent", agent=agent
        )
        if rule != IdleRule():
            await self._run(
                "INSERT INTO agent_idle_rules (account, user_id, enabled, minutes) "
                "VALUES (:account, :agent, :enabled, :minutes)",
                agent=agent,
                enabled=rule.enabled,
                minutes=rule.minutes,
            )


def _record(row: Row[Any]) -> StatusRecord:
    return StatusRecord(row.id, row.user_id, row.status, row.updater_id, row.started_at, row.ended_at)
