"""The decision log in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

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
    f"INSERT INTO decision_log ({', '.join(_COLUMNS)}) SELECT "  # noqa: S608 - names of ours
    + ", ".join(f"CAST({name} AS {kind})" for name, kind in _COLUMNS.items())
    + " FROM ROWS FROM ("
    + ", ".join(f"json_array_elements_text(CAST(:{name} AS json))" for name in _COLUMNS)
    + f") AS r ({', '.join(_COLUMNS)}) ON CONFLICT DO NOTHING"
)
_fields = attrgetter(*list(_COLUMNS)[1:])


async def keep_decisions(connection: AsyncConnection, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
    """Insert decisions of any accounts.

    One JSON array per column: the driver's own arrays are made in Python and cost five times as much.
    """
    if not rows:
        return
    columns = [[account for account, _ in rows], *zip(*(_fields(row) for _, row in rows), strict=True)]
    values = {
        name: json.dumps(column, default=datetime.isoformat)
        for name, column in zip(_COLUMNS, columns, strict=True)
    }
    await connection.execute(text(_INSERT), values)


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
