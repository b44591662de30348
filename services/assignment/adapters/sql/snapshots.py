"""Everything that a round looks at, read from PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.holding import held
from services.assignment.adapters.sql.skills import SqlSkills
from services.assignment.app.rounds import DAILY_WINDOW, candidate, needs, rules, run_start
from services.assignment.app.rows import Account, QueueRow
from services.assignment.domain.model import Snapshot, Ticket

# What queues gave in the last 12 hours; what a run gave counts over all round robin queues.
_RECENT = """
SELECT a.agent_id, count(*) AS n, count(*) FILTER (WHERE a.queue = :queue) AS q,
       count(*) FILTER (WHERE a.at >= :run AND q.kind = 'scheduled' AND q.model = 'round_robin') AS r
FROM (
    SELECT agent_id, queue, assigned_at AS at FROM assignments
    WHERE account = :account AND mechanism = 'queue' AND state <> 'conflict' AND assigned_at > :since
    UNION ALL SELECT agent_id, queue, offered_at FROM offers WHERE account = :account AND state = 'offered'
) a LEFT JOIN queues q ON q.account = :account AND q.id = a.queue
GROUP BY a.agent_id
"""
# Who is not asked again. Only of tickets that wait: declines of others are history.
_DECLINED = """
SELECT d.ticket, array_agg(d.agent_id) AS agents FROM declines d
JOIN tickets t ON t.account = d.account AND t.ticket = d.ticket AND t.routing = 'waiting'
WHERE d.account = :account GROUP BY d.ticket
"""
_LAST = """
SELECT g.user_id AS agent_id, (SELECT max(a.assigned_at) FROM assignments a
    WHERE a.account = g.account AND a.agent_id = g.user_id AND a.state <> 'conflict') AS last
FROM agents g WHERE g.account = :account
"""


async def read_snapshot(
    connection: AsyncConnection,
    account: Account,
    queue: QueueRow,
    as_of: datetime,
    only: int | None,
    ticket: int | None = None,
) -> Snapshot:
    """Return what the port `Decisions.snapshot` promises."""

    async def run(statement: str, **values: object) -> Any:
        return await connection.execute(text(statement), {"account": account.account, **values})

    directory = SqlDirectory(connection, account.account)
    limit = f" LIMIT {int(queue.scan_limit)}" if queue.scan_limit else ""
    order = "s.breach_at NULLS LAST, t.created_at" if queue.use_sla else "t.created_at"
    waiting = await run(
        "SELECT t.ticket, t.created_at, t.group_id, t.priority, t.dedicated, t.entered_at, s.breach_at FROM tickets t "  # noqa: S608 - constants and numbers
        "LEFT JOIN ticket_slas s ON s.account = t.account AND s.ticket = t.ticket WHERE t.account = :account "
        "AND t.routing = 'waiting' AND (CAST(:ticket AS bigint) IS NULL OR t.ticket = :ticket) "
        f"AND {held(queue, await directory.queues(), as_of)} ORDER BY {order}, t.ticket{limit}",
        ticket=ticket,
    )
    declined = {r.ticket: frozenset(r.agents) for r in await run(_DECLINED)}
    tickets = [
        Ticket(
            r.ticket,
            r.created_at,
            r.group_id,
            r.priority,
            next_breach_at=r.breach_at if queue.use_sla else None,
            declined=declined.get(r.ticket, frozenset()),
            dedicated=r.dedicated,
            entered_at=r.entered_at,
        )
        for r in waiting
    ]
    levels: dict[int, dict[str, int]] = {}
    if queue.model == "skills":
        skilled = SqlSkills(connection, account.account)
        of_tickets, known = await skilled.of_waiting(), {row.skill: row for row in await skilled.all()}
        tickets = [replace(t, needs=needs(of_tickets.get(t.id, ()), known)) for t in tickets]
        levels = await skilled.of_agents()
    asked = rules(queue, pull=only is not None)
    if not tickets:
        return Snapshot([], [], asked, account.restrictions, as_of)
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
            skills=levels.get(row.user_id),
            credit=balance.get(row.user_id, 0),
        )
        for row in await directory.agents()
        if only is None or row.user_id == only
    ]
    return Snapshot(agents, tickets, asked, account.restrictions, as_of)
