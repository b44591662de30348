"""New tickets whose preference is still to be found, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId


class SqlPreferences:
    """Implements the port `Preferences`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def begin(self, tickets: Collection[int], at: datetime, lease_seconds: float) -> None:
        await self._run(
            "INSERT INTO preferring (account, ticket, since, lease_until) "
            "SELECT :account, v.t, :at, clock_timestamp() + make_interval(secs => :lease) "
            "FROM unnest(CAST(:tickets AS bigint[])) AS v(t) ORDER BY v.t ON CONFLICT DO NOTHING",
            tickets=sorted(tickets),
            at=at,
            lease=lease_seconds,
        )

    async def take(self, lease_seconds: float, ticket: int | None = None) -> int | None:
        found = await self._run(
            "UPDATE preferring SET lease_until = clock_timestamp() + make_interval(secs => :lease) "
            "WHERE account = :account AND ticket = (SELECT ticket FROM preferring WHERE account = :account "
            "AND lease_until <= clock_timestamp() AND (CAST(:ticket AS bigint) IS NULL OR ticket = :ticket) "
            "ORDER BY since, ticket LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING ticket",
            lease=lease_seconds,
            ticket=ticket,
        )
        row = found.one_or_none()
        return row.ticket if row else None

    async def since(self, ticket: int) -> datetime | None:
        found = await self._run(
            "SELECT since FROM preferring WHERE account = :account AND ticket = :ticket", ticket=ticket
        )
        row = found.one_or_none()
        return row.since if row else None

    async def end(self, ticket: int) -> bool:
        done = await self._run(
            "DELETE FROM preferring WHERE account = :account AND ticket = :ticket RETURNING ticket",
            ticket=ticket,
        )
        return done.one_or_none() is not None
