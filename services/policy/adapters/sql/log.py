"""The decision log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.policy.adapters.sql.rows import Rows
from services.policy.app.ports import LogRow

_COLUMNS = {
    "account": "text",
    "id": "text",
    "at": "timestamptz",
    "user_id": "bigint",
    "action": "text",
    "object_type": "text",
    "record": "text",
    "allowed": "boolean",
    "reason": "text",
    "revision": "bigint",
    "caller": "text",
    "rule": "text",
    "relationship": "text",
    "trace": "text",
    "duration_us": "bigint",
    "lag_ms": "bigint",
}
_INSERT = (
    f"INSERT INTO decision_log ({', '.join(_COLUMNS)}) SELECT * FROM unnest("  # noqa: S608 - names of ours
    + ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())
    + ") ON CONFLICT DO NOTHING"
)


async def keep_decisions(connection: AsyncConnection, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
    """Insert decisions of any accounts."""
    if not rows:
        return
    values: dict[str, list[Any]] = {name: [getattr(r, name) for _, r in rows] for name in list(_COLUMNS)[1:]}
    await connection.execute(text(_INSERT), {"account": [account for account, _ in rows], **values})


class SqlLog(Rows):
    """The part of `Transaction` about logged decisions."""

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        rows = await self._run(
            "SELECT * FROM decision_log WHERE account = :account AND (:before = '' OR id < :before) "
            "AND (CAST(:user_id AS bigint) IS NULL OR user_id = :user_id) ORDER BY id DESC LIMIT :limit",
            before=before,
            limit=limit,
            user_id=user_id,
        )
        return [LogRow(*(getattr(row, name) for name in list(_COLUMNS)[1:])) for row in rows]

    async def forget_decisions(self, before: datetime, limit: int) -> int:
        done = await self._run(
            "DELETE FROM decision_log WHERE account = :account AND id IN (SELECT id FROM decision_log "
            "WHERE account = :account AND at < :before ORDER BY at LIMIT :limit) RETURNING id",
            before=before,
            limit=limit,
        )
        return len(done.all())
