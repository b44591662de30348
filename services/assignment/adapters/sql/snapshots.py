"""Everything that a round looks at, read from PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.holding import held
from services.assignment.app.rounds import DAILY_WINDOW, candidate, rules, run_start
from services.assignment.app.rows import Account, QueueRow
from services.assignment.domain.model import Snapshot, Ticket

# What queues gave in the last 12 hours; what a run gave counts over all round robin queues.
_RECENT = """
SELECT a.agent_id, count(*) AS n, count(*) FILTER (WHERE a.queue = :queue) AS q,
       count(*) FILTER (WHERE a.assigned_at >= :run AND q.kind = 'scheduled' AND q.model = 'round_robin') AS r
FROM assignments a LEFT JOIN queues q ON q.account = a.account AND q.id = a.queue
WHERE a.account = :account AND a.mechanism = 'queue' AND a.state <> 'conflict' AND a.assigned_at > :since
GROUP BY a.agent_id
"""
_LAST = """
SELECT g.user_id AS agent_id, (SELECT max(a.assigned_at) FROM assignments a
    WHERE a.account = g.account AND a.agent_id = g.user_id AND a.state <> 'conflict') AS last
FROM agents g WHERE g.account = :account
"""


async def read_snapshot(
    connection: AsyncConnection, account: Account, queue: QueueRow, as_of: datetime, only: int | None
) -> Snapshot:
    """Return what the port `Decisions.snapshot` promises."""

    async def run(statement: str, **values: object) -> Any:
        return await connection.execute(text(statement), {"account": account.account, **values})

    directory = SqlDirectory(connection, account.account)
    limit = f" LIMIT {int(queue.scan_limit)}" if queue.scan_limit else ""
    waiting = await run(
        "SELECT ticket, created_at, group_id, priority FROM tickets t WHERE account = :account "  # noqa: S608 - constants and numbers
        f"AND routing = 'waiting' AND {held(queue, await directory.queues())} ORDER BY created_at, ticket{limit}"
    )
    tickets = [Ticket(r.ticket, r.created_at, r.group_id, r.priority) for r in waiting]
    if not tickets:
        return Snapshot([], [], rules(queue), account.restrictions)
    recent = await run(_RECENT, queue=queue.id, since=as_of - DAILY_WINDOW, run=run_start(as_of))
    counts = {r.agent_id: (r.n, r.q, r.r) for r in recent}
    last = {r.agent_id: r.last for r in await run(_LAST)} if queue.model == "longest_idle" else {}
    turns = await run(
        "SELECT agent_id, balance FROM rotation WHERE account = :account AND queue = :queue", queue=queue.id
    )
    balance = {r.agent_id: r.balance for r in turns}
    agents = [
        candidate(
            account,
            row,
            recent=counts.get(row.user_id, (0, 0, 0)),
            last=last.get(row.user_id),
            credit=balance.get(row.user_id, 0),
        )
        for row in await directory.agents()
        if only is None or row.user_id == only
    ]
    return Snapshot(agents, tickets, rules(queue), account.restrictions)
