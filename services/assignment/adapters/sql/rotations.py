"""Rotations in PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId


class SqlRotations:
    """Implements the port `Rotations`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def stretch(self, queue: str) -> str:
        found = await self._run(
            "SELECT stretch FROM stretches WHERE account = :account AND queue = :queue", queue=queue
        )
        return found.scalar_one_or_none() or ""

    async def put_stretch(self, queue: str, stretch: str) -> None:
        await self._run(
            "INSERT INTO stretches (account, queue, stretch) VALUES (:account, :queue, :stretch) "
            "ON CONFLICT (account, queue) DO UPDATE SET stretch = excluded.stretch",
            queue=queue,
            stretch=stretch,
        )

    async def reset(self, queue: str) -> int:
        await self._run("DELETE FROM stretches WHERE account = :account AND queue = :queue", queue=queue)
        gone = await self._run(
            "DELETE FROM rotation WHERE account = :account AND queue = :queue RETURNING balance", queue=queue
        )
        return sum(row.balance != 0 for row in gone)
