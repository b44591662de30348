"""What every part of a transaction runs its statements through."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId


class Rows:
    """Statements on one account's rows: `:account` and `:revision` are bound in each.

    Args:
        connection: of the open transaction.
    """

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account
        self._revision = 0

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(
            text(statement), {"account": self._account, "revision": self._revision, **values}
        )


def alive(table: str, at: int | None) -> str:
    """Return the FROM item of a table's rows at a revision, `:at`; None = the present."""
    if at is None:
        return f"(SELECT * FROM {table} WHERE account = :account) AS {table}"  # noqa: S608 - names of ours
    columns = _COLUMNS[table]
    return (
        f"(SELECT {columns} FROM {table} WHERE account = :account AND from_rev <= :at "  # noqa: S608 - the same
        f"UNION ALL SELECT {columns} FROM past_{table} WHERE account = :account AND from_rev <= :at "
        f"AND to_rev > :at) AS {table}"
    )


_COLUMNS = {
    "types": "kind, key, from_type, to_type, many, permissions, version, created_at, extensions, from_rev",
    "users": "user_id, role, custom_role_id, groups, organization, from_rev",
    "relationships": "id, type, source, target, created_at, expires_at, from_rev",
    "objects": "type, id, attributes, from_rev",
}


def archive(table: str, condition: str, returning: str) -> str:
    """Return a statement that deletes rows and keeps them as the past; it returns a column of each.

    A row of this very revision was never seen, and is not kept.
    """
    columns = _COLUMNS[table]
    return (
        f"WITH gone AS (DELETE FROM {table} WHERE account = :account AND ({condition}) RETURNING *), "  # noqa: S608 - names of ours
        f"kept AS (INSERT INTO past_{table} (account, {columns}, to_rev) "
        f"SELECT account, {columns}, :revision FROM gone WHERE from_rev < :revision) "
        f"SELECT {returning} FROM gone"
    )


def keep(table: str, condition: str) -> str:
    """Return a statement that copies rows into the past, before they are changed in place."""
    columns = _COLUMNS[table]
    return (
        f"INSERT INTO past_{table} (account, {columns}, to_rev) "  # noqa: S608 - names of ours
        f"SELECT account, {columns}, :revision FROM {table} "
        f"WHERE account = :account AND from_rev < :revision AND ({condition})"
    )
