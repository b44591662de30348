"""Everything that a round looks at, read from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.holding import held
from services.assignment.adapters.sql.skills import SqlSkills
from services.assignment.adapters.sql.waiting import Boards, follows, read_waiting
from services.assignment.app.rounds import DAILY_WINDOW, candidate, rules, run_start
from services.assignment.app.rows import Account, QueueRow
from services.assignment.domain.eligibility import slots
from services.assignment.domain.model import Agent, Queue, Snapshot, Ticket

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
    *,
    agents_anyway: bool = False,
    boards: Boards | None = None,
) -> Snapshot:
    """Return what the port `Decisions.snapshot` promises.

    Args:
        boards: where copies of what waits are kept; None = everything is read.
    """

    async def run(statement: str, **values: object) -> Any:
        return await connection.execute(text(statement), {"account": account.account, **values})

    directory = SqlDirectory(connection, account.account)
    queues = await directory.queues()
    condition = held(queue, queues, as_of)
    levels: dict[int, dict[str, int]] = {}
    if queue.model == "skills":
        levels = await SqlSkills(connection, account.account).of_agents()
    asked = rules(queue, pull=only is not None)
    tickets, waiting = list[Ticket](), None
    if boards is not None and only is None and ticket is None and follows(queue, queues):
        waiting = await boards.waiting(connection, account.account, queue, queues, condition)
    else:
        numbers = None if ticket is None else [ticket]
        tickets = [t for t, _ in await read_waiting(connection, account.account, queue, condition, numbers)]
    if not tickets and not waiting and not agents_anyway:
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
    if waiting is not None:
        tickets = waiting.heads(_room(agents, asked))
    return Snapshot(agents, tickets, asked, account.restrictions, as_of)


def _room(agents: Sequence[Agent], queue: Queue) -> int | None:
    """Return how many tickets of a queue agents can take together, or more; None = without a limit."""
    room = 0
    for agent in agents:
        if agent.active and agent.status == "online":
            most = slots(agent, queue)[0]
            if most is None:
                return None
            room += most
    return room
