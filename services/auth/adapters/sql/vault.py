"""Rotations of data keys in PostgreSQL, and where every ciphertext of auth lies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from libs.db.engine import Database
from libs.db.locks import take_lease
from libs.db.notify import notify
from libs.kernel.ids import AccountId
from services.auth.app.vault_ports import Rotation, SealedValue
from services.auth.domain.revocation import PLATFORM

EVICTIONS = "auth_evictions"
"""Channel of notices: the account whose data keys every replica drops from its memory."""
SEALED: Sequence[tuple[str, str, str]] = (
    ("grants", "access", "version::text"),
    ("grants", "refresh", "version::text"),
    ("authorizations", "verifier", "id"),
    ("installations", "contact_name", "account"),
    ("installations", "contact_email", "account"),
)
"""Table, column, and what names the row in the place of a ciphertext; a test compares it with the schema."""
_SIGNING = ("signing_keys", "sealed")
_LEASE = "auth.vault"

_UNDER = " UNION ALL ".join(
    f"SELECT '{table}' AS at, '{column}' AS part, {row} AS row, {column} AS sealed FROM {table} "  # noqa: S608 - constants only
    f"WHERE account = :account AND substring({column} FROM 2 FOR 16) = :key"
    for table, column, row in SEALED
)
_SIGNING_UNDER = (
    "SELECT 'signing_keys' AS at, kind AS part, kid AS row, sealed FROM signing_keys "
    "WHERE substring(sealed FROM 2 FOR 16) = :key"
)
_ROWS = {(table, column): row for table, column, row in SEALED}


class SqlSealedValues:
    """Implements the port `SealedValues`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def under(self, account: str, key_id: bytes, limit: int) -> Sequence[SealedValue]:
        query = _SIGNING_UNDER if account == PLATFORM else _UNDER
        values = {"account": account, "key": key_id, "limit": limit}
        if account == PLATFORM:
            del values["account"]
        async with self._database.transaction(read_only=True) as connection:
            rows = await connection.execute(text(f"{query} LIMIT :limit"), values)
            return [SealedValue(r.at, r.part, r.row, bytes(r.sealed)) for r in rows]

    async def replace(self, account: str, value: SealedValue, sealed: bytes) -> bool:
        if account == PLATFORM:
            statement = (
                "UPDATE signing_keys SET sealed = :fresh WHERE kind = :part AND kid = :row AND sealed = :old"
            )
            values: dict[str, object] = {"part": value.column}
        else:
            row = _ROWS[value.table, value.column]
            statement = (
                f"UPDATE {value.table} SET {value.column} = :fresh "  # noqa: S608 - a key of `_ROWS`
                f"WHERE account = :account AND {row} = :row AND {value.column} = :old"
            )
            values = {"account": account}
        values |= {"row": value.row, "old": value.sealed, "fresh": sealed}
        async with self._database.transaction() as connection:
            return (await connection.execute(text(statement), values)).rowcount == 1


def _read(row: Row[Any] | None) -> Rotation | None:
    if row is None:
        return None
    return Rotation(
        row.id, row.actor, row.started_at, row.renewed, row.resealed, row.dropped, row.finished_at
    )


class SqlRotations:
    """Implements the port `Rotations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, rotation: Rotation) -> Rotation:
        while True:
            async with self._database.transaction() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO key_rotations (id, actor, started_at) VALUES (:id, :actor, :started_at) "
                        "ON CONFLICT DO NOTHING"
                    ),
                    {"id": rotation.id, "actor": rotation.actor, "started_at": rotation.started_at},
                )
            if (found := await self.under_way()) is not None:
                return found

    async def under_way(self) -> Rotation | None:
        return await self._one("finished_at IS NULL", {})

    async def get(self, rotation: str) -> Rotation | None:
        return await self._one("id = :id", {"id": rotation})

    async def _one(self, condition: str, values: dict[str, object]) -> Rotation | None:
        query = f"SELECT * FROM key_rotations WHERE {condition}"  # noqa: S608 - constants only
        async with self._database.transaction(read_only=True) as connection:
            return _read((await connection.execute(text(query), values)).one_or_none())

    async def progress(self, rotation: str, *, renewed: int = 0, resealed: int = 0, dropped: int = 0) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                text(
                    "UPDATE key_rotations SET renewed = renewed + :renewed, resealed = resealed + :resealed, "
                    "dropped = dropped + :dropped WHERE id = :id"
                ),
                {"id": rotation, "renewed": renewed, "resealed": resealed, "dropped": dropped},
            )

    async def finish(self, rotation: str, at: datetime) -> bool:
        async with self._database.transaction() as connection:
            done = await connection.execute(
                text("UPDATE key_rotations SET finished_at = :at WHERE id = :id AND finished_at IS NULL"),
                {"id": rotation, "at": at},
            )
            return done.rowcount == 1

    async def take_turn(self, holder: str, seconds: float) -> bool:
        async with self._database.transaction() as connection:
            return await take_lease(connection, _LEASE, holder, seconds) is not None


class SqlEvictions:
    """Implements the port `Evictions` by a notice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tell(self, account: AccountId) -> None:
        async with self._database.transaction() as connection:
            await notify(connection, EVICTIONS, account)
