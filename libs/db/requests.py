"""The request log: a create that comes again with the same `request_id` gets the first answer (AIP-155).

Written in the transaction of the change itself. A hash of the body tells a repeat from another request.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.errors import ConcurrentChangeError, RequestIdReusedError

REQUESTS_DDL = """
CREATE TABLE requests (
    account    text NOT NULL,
    request_id text NOT NULL,
    method     text NOT NULL,
    body_hash  bytea NOT NULL,
    response   bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, request_id)
)
"""
"""The table of the request log, for a service's migration: `op.execute(REQUESTS_DDL)`."""


def requests_table(metadata: MetaData) -> Table:
    """Return the table of the request log in `metadata`."""
    return Table(
        "requests",
        metadata,
        Column("account", Text, primary_key=True),
        Column("request_id", Text, primary_key=True),
        Column("method", Text, nullable=False),
        Column("body_hash", LargeBinary, nullable=False),
        Column("response", LargeBinary, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    )


_REQUESTS = requests_table(MetaData())


@dataclass(frozen=True, slots=True)
class Remembered:
    """A request that was answered.

    Attributes:
        method: full name of the RPC.
        body_hash: SHA-256 of the request without its `request_id`.
        response: the serialised answer.
    """

    method: str
    body_hash: bytes
    response: bytes


class Requests(Protocol):
    """The request log inside one transaction."""

    async def find(self, account: str, request_id: str, method: str, body: bytes) -> bytes | None:
        """Return the answer to the same request, None when it is new.

        Args:
            request_id: the caller's; an empty one is never remembered.
            method: full name of the RPC.
            body: the request, serialised deterministically.

        Raises:
            RequestIdReusedError: the id came with another body or to another method.
        """
        ...

    async def remember(
        self, account: str, request_id: str, method: str, body: bytes, response: bytes
    ) -> None:
        """Keep the answer.

        Raises:
            ConcurrentChangeError: another transaction answered the same id meanwhile; read again.
        """
        ...


def hash_body(body: bytes) -> bytes:
    """Return the SHA-256 of a request's bytes."""
    return hashlib.sha256(body).digest()


def answer_of(remembered: Remembered | None, request_id: str, method: str, body: bytes) -> bytes | None:
    """Return the remembered answer if it is one to the same request.

    Raises:
        RequestIdReusedError: it is one to another request.
    """
    if remembered is None:
        return None
    if (remembered.method, remembered.body_hash) != (method, hash_body(body)):
        raise RequestIdReusedError(
            f"request id `{request_id}` was used for another request", metadata={"request_id": request_id}
        )
    return remembered.response


class SqlRequests:
    """The request log in PostgreSQL.

    Args:
        connection: of the open transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, account: str, request_id: str, method: str, body: bytes) -> bytes | None:
        if not request_id:
            return None
        query = select(_REQUESTS.c.method, _REQUESTS.c.body_hash, _REQUESTS.c.response).where(
            _REQUESTS.c.account == account, _REQUESTS.c.request_id == request_id
        )
        row = (await self._connection.execute(query)).one_or_none()
        return answer_of(None if row is None else Remembered(*row), request_id, method, body)

    async def remember(
        self, account: str, request_id: str, method: str, body: bytes, response: bytes
    ) -> None:
        if not request_id:
            return
        statement = insert(_REQUESTS).values(
            account=account,
            request_id=request_id,
            method=method,
            body_hash=hash_body(body),
            response=response,
        )
        fresh = statement.on_conflict_do_nothing().returning(_REQUESTS.c.request_id)
        if (await self._connection.execute(fresh)).scalar_one_or_none() is None:
            raise ConcurrentChangeError("the same request is being answered by another call")

    async def forget_before(self, age: timedelta) -> int:
        """Drop what is older than `age` on the database's clock; returns how many."""
        statement = delete(_REQUESTS).where(_REQUESTS.c.created_at < func.clock_timestamp() - age)
        return (await self._connection.execute(statement)).rowcount

    async def forget_account(self, account: str) -> int:
        """Drop an account's requests; returns how many."""
        statement = delete(_REQUESTS).where(_REQUESTS.c.account == account)
        return (await self._connection.execute(statement)).rowcount


class MemoryRequests:
    """The request log in a dictionary, which a memory adapter copies and swaps like its other tables.

    Args:
        rows: (account, request id) -> what was answered.
    """

    def __init__(self, rows: dict[tuple[str, str], Remembered] | None = None) -> None:
        self.rows = {} if rows is None else rows

    async def find(self, account: str, request_id: str, method: str, body: bytes) -> bytes | None:
        return answer_of(self.rows.get((account, request_id)), request_id, method, body)

    async def remember(
        self, account: str, request_id: str, method: str, body: bytes, response: bytes
    ) -> None:
        if not request_id:
            return
        if (account, request_id) in self.rows:
            raise ConcurrentChangeError("the same request is being answered by another call")
        self.rows[account, request_id] = Remembered(method, hash_body(body), response)
