"""Tickets that came back, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.app.rows import Returned


class SqlReturns:
    """Implements the port `Returns`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def last_agents(self, since: datetime) -> dict[int, tuple[int, datetime]]:
        rows = await self._run(
            "SELECT ticket, last_agent, last_agent_at FROM tickets WHERE account = :account AND routing = 'waiting' "
            "AND last_agent IS NOT NULL AND last_agent_at > :since",
            since=since,
        )
        return {r.ticket: (r.last_agent, r.last_agent_at) for r in rows}

    async def forget_last(self, ticket: int) -> None:
        await self._run(
            "UPDATE tickets SET last_agent = NULL, last_agent_at = NULL WHERE account = :account AND ticket = :ticket",
            ticket=ticket,
        )

    async def open_again(self) -> list[Returned]:
        rows = await self._run(
            "SELECT ticket, assignee_id, group_id FROM tickets WHERE account = :account AND returned_at IS NOT NULL "
            "AND assignee_id IS NOT NULL ORDER BY ticket"
        )
        return [Returned(r.ticket, r.assignee_id, r.group_id) for r in rows]

    async def settle(self, tickets: Collection[int]) -> None:
        await self._run(
            "UPDATE tickets SET returned_at = NULL WHERE account = :account AND ticket = ANY(:tickets)",
            tickets=sorted(tickets),
        )
