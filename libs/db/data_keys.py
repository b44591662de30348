"""Wrapped data keys in PostgreSQL; meets the port `libs.crypto.data_keys.DataKeys` by its shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    delete,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from libs.db.engine import Database

DATA_KEYS_DDL = (
    """
    CREATE TABLE data_keys (
        account    text NOT NULL,
        id         bytea NOT NULL CHECK (length(id) = 16),
        purpose    text NOT NULL,
        wrapped    bytea NOT NULL,
        current    boolean NOT NULL,
        writes     bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (account, id)
    )
    """,
    "CREATE UNIQUE INDEX data_keys_current ON data_keys (account, purpose) WHERE current",
)
"""The table of data keys, for a migration: `for statement in DATA_KEYS_DDL: op.execute(statement)`."""

_PAGE = 500


def data_keys_table(metadata: MetaData) -> Table:
    """Return the table of data keys in `metadata`."""
    return Table(
        "data_keys",
        metadata,
        Column("account", Text, primary_key=True),
        Column("id", LargeBinary, primary_key=True),
        Column("purpose", Text, nullable=False),
        Column("wrapped", LargeBinary, nullable=False),
        Column("current", Boolean, nullable=False),
        Column("writes", BigInteger, nullable=False, server_default="0"),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    )


_KEYS = data_keys_table(MetaData())
_SELECT = select(_KEYS.c.account, _KEYS.c.purpose, _KEYS.c.id, _KEYS.c.wrapped)


@dataclass(frozen=True, slots=True)
class SqlStoredKey:
    """One wrapped data key."""

    account: str
    purpose: str
    id: bytes
    wrapped: bytes


class SqlDataKeys:
    """Data keys in a table of their own; every method is a transaction of its own.

    Args:
        database: holds the table `data_keys`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self, account: str, purpose: str) -> SqlStoredKey | None:
        query = _SELECT.where(_KEYS.c.account == account, _KEYS.c.purpose == purpose, _KEYS.c.current)
        async with self._database.transaction(read_only=True) as connection:
            return _stored((await connection.execute(query)).one_or_none())

    async def find(self, account: str, key_id: bytes) -> SqlStoredKey | None:
        query = _SELECT.where(_KEYS.c.account == account, _KEYS.c.id == key_id)
        async with self._database.transaction(read_only=True) as connection:
            return _stored((await connection.execute(query)).one_or_none())

    async def add(
        self, account: str, purpose: str, key_id: bytes, wrapped: bytes, replaces: bytes | None
    ) -> SqlStoredKey:
        place = (_KEYS.c.account == account, _KEYS.c.purpose == purpose, _KEYS.c.current)
        async with self._database.transaction() as connection:
            if replaces is not None:
                await connection.execute(
                    update(_KEYS).where(*place, _KEYS.c.id == replaces).values(current=False)
                )
            row = {"account": account, "id": key_id, "purpose": purpose, "wrapped": wrapped, "current": True}
            await connection.execute(
                insert(_KEYS)
                .values(row)
                .on_conflict_do_nothing(index_elements=["account", "purpose"], index_where=_KEYS.c.current)
            )
            found = await connection.execute(_SELECT.where(*place))
            return SqlStoredKey(*found.one())

    async def reserve(self, account: str, key_id: bytes, writes: int) -> int:
        statement = (
            update(_KEYS)
            .where(_KEYS.c.account == account, _KEYS.c.id == key_id)
            .values(writes=_KEYS.c.writes + writes)
            .returning(_KEYS.c.writes)
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).scalar_one_or_none() or 0

    async def rewrap(self, account: str, key_id: bytes, old: bytes, new: bytes) -> bool:
        statement = (
            update(_KEYS)
            .where(_KEYS.c.account == account, _KEYS.c.id == key_id, _KEYS.c.wrapped == old)
            .values(wrapped=new)
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def drop(self, account: str, key_id: bytes) -> bool:
        statement = delete(_KEYS).where(_KEYS.c.account == account, _KEYS.c.id == key_id, ~_KEYS.c.current)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def shred(self, account: str, purpose: str | None) -> list[bytes]:
        statement = delete(_KEYS).where(_KEYS.c.account == account)
        if purpose is not None:
            statement = statement.where(_KEYS.c.purpose == purpose)
        async with self._database.transaction() as connection:
            return list((await connection.execute(statement.returning(_KEYS.c.id))).scalars())

    async def of_account(self, account: str) -> list[bytes]:
        query = select(_KEYS.c.id).where(_KEYS.c.account == account)
        async with self._database.transaction(read_only=True) as connection:
            return list((await connection.execute(query)).scalars())

    def all(self) -> AsyncIterator[SqlStoredKey]:
        return self._walk(true())

    async def now(self) -> datetime:
        async with self._database.transaction(read_only=True) as connection:
            found: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
            return found

    def aged(self, before: datetime) -> AsyncIterator[SqlStoredKey]:
        return self._walk(_KEYS.c.current & (_KEYS.c.created_at < before))

    def retired(self, seconds: float) -> AsyncIterator[SqlStoredKey]:
        newer = _KEYS.alias("newer")
        successor = (
            select(func.min(newer.c.created_at))
            .where(
                newer.c.account == _KEYS.c.account,
                newer.c.purpose == _KEYS.c.purpose,
                newer.c.created_at > _KEYS.c.created_at,
            )
            .scalar_subquery()
        )
        end = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        return self._walk(~_KEYS.c.current & (successor <= end))

    async def _walk(self, condition: ColumnElement[bool]) -> AsyncIterator[SqlStoredKey]:
        last: tuple[str, bytes] = ("", b"")
        while True:
            after = (_KEYS.c.account > last[0]) | ((_KEYS.c.account == last[0]) & (_KEYS.c.id > last[1]))
            query = _SELECT.where(condition, after).order_by(_KEYS.c.account, _KEYS.c.id).limit(_PAGE)
            async with self._database.transaction(read_only=True) as connection:
                page = [SqlStoredKey(*row) for row in await connection.execute(query)]
            for key in page:
                yield key
            if len(page) < _PAGE:
                return
            last = (page[-1].account, page[-1].id)


def _stored(row: Row[Any, Any, Any, Any] | None) -> SqlStoredKey | None:
    return None if row is None else SqlStoredKey(*row)
