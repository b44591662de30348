"""What is known of views, in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.domain.view_filter import ViewFilter
from services.assignment.domain.view_reads import News, ViewRead
from services.assignment.domain.webhook import TicketFacts

_NEWS = """
SELECT t.*, n.heard_at, ARRAY(SELECT v.view FROM view_reads r JOIN view_tickets v USING (account, view)
                              WHERE r.account = n.account AND v.ticket = n.ticket) AS views
FROM view_news n JOIN tickets t USING (account, ticket)
WHERE n.account = :account AND n.heard_at >= :since AND t.routing = 'waiting' ORDER BY n.ticket
"""


class SqlViews:
    """Implements the port `Views`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def reads(self) -> dict[int, ViewRead]:
        rows = await self._run("SELECT * FROM view_reads WHERE account = :account")
        return {
            r.view: ViewRead(
                r.view,
                r.read_at,
                r.checked_at,
                r.swept_until,
                r.gone,
                r.whole_at,
                ViewFilter.typed(r.conditions),
            )
            for r in rows
        }

    async def put(self, read: ViewRead, before: datetime) -> bool:
        done = await self._run(
            "INSERT INTO view_reads AS r (account, view, read_at, checked_at, swept_until, gone, whole_at, "
            "conditions) VALUES (:account, :view, :read_at, :checked_at, :swept_until, :gone, :whole_at, "
            "CAST(:conditions AS jsonb)) "
            "ON CONFLICT (account, view) DO UPDATE SET read_at = excluded.read_at, "
            "checked_at = excluded.checked_at, swept_until = excluded.swept_until, gone = excluded.gone, "
            "whole_at = excluded.whole_at, "
            "conditions = excluded.conditions WHERE r.read_at = :before RETURNING 1",
            view=read.view,
            read_at=read.read_at,
            before=before,
            checked_at=read.checked_at,
            swept_until=read.swept_until,
            gone=read.gone,
            whole_at=read.whole_at,
            conditions=json.dumps(read.filter.plain()),
        )
        return done.one_or_none() is not None

    async def forget(self, views: Collection[int]) -> None:
        for table in ("view_reads", "view_tickets"):
            await self._run(
                f"DELETE FROM {table} WHERE account = :account AND view = ANY(:views)",  # noqa: S608 - a constant
                views=sorted(views),
            )

    async def amend(self, view: int, shown: Collection[int], asked: Collection[int]) -> None:
        await self._run(
            "DELETE FROM view_tickets WHERE account = :account AND view = :view AND ticket = ANY(:left)",
            view=view,
            left=sorted(set(asked) - set(shown)),
        )
        await self._run(
            "INSERT INTO view_tickets (account, view, ticket) SELECT :account, :view, t "
            "FROM unnest(CAST(:tickets AS bigint[])) AS t ON CONFLICT DO NOTHING",
            view=view,
            tickets=sorted(shown),
        )

    async def heard(self, facts: Sequence[TicketFacts], at: datetime) -> None:
        newest = {one.id: one.updated_at for one in sorted(facts, key=lambda f: f.updated_at)}
        if not newest:
            return
        await self._run(
            "INSERT INTO view_news AS n (account, ticket, updated_at, heard_at) SELECT :account, v.t, v.u, :at "
            "FROM unnest(CAST(:tickets AS bigint[]), CAST(:changed AS timestamptz[])) AS v(t, u) "
            "WHERE EXISTS (SELECT 1 FROM view_reads r WHERE r.account = :account) ORDER BY v.t "
            "ON CONFLICT (account, ticket) DO UPDATE SET updated_at = excluded.updated_at, "
            "heard_at = excluded.heard_at WHERE n.updated_at < excluded.updated_at",
            tickets=list(newest),
            changed=list(newest.values()),
            at=at,
        )

    async def news(self, since: datetime) -> list[News]:
        rows = await self._run(_NEWS, since=since)
        return [
            News(
                TicketFacts(
                    id=r.ticket,
                    status=r.status,
                    created_at=r.created_at,
                    updated_at=r.updated_at,
                    group_id=r.group_id,
                    assignee_id=r.assignee_id,
                    requester_id=r.requester_id,
                    priority=r.priority,
                ),
                r.heard_at,
                frozenset(r.views),
            )
            for r in rows
        ]

    async def forget_news(self, before: datetime) -> None:
        await self._run(
            "DELETE FROM view_news WHERE account = :account AND heard_at < :before", before=before
        )
