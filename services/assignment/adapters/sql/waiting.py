"""What waits in a queue, read from PostgreSQL or from the copy of it that a replica keeps.

The copy (a *board*) is a cache: each time it is asked it first reads what changed since it was asked before, in the
transaction of whoever asks, so that it never answers anything older than that transaction sees.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.skills import SqlSkills
from services.assignment.app.rounds import needs, rules
from services.assignment.app.rows import QueueRow
from services.assignment.domain.model import Ticket
from services.assignment.domain.waiting import Waiting

BOARDS_TICKETS = 2_000_000
"""How many tickets a replica keeps copies of; about 1 kB each."""
CHANGES_SECONDS = 600.0
"""How long changes are kept: a board that was not asked for longer is read anew. Longer than any transaction of ours."""
_FEW = 1_000
"""Changes that a board follows however few tickets it has; more than a tenth of them is read anew."""
_AT_ONCE = 5_000
"""Rows that are worked on before others get their turn on the event loop."""

THESE = "unnest(CAST(:tickets AS bigint[])) AS w(ticket) JOIN tickets t ON t.ticket = w.ticket"
"""The tickets in question: joined they are looked up one by one, whatever the statistics say."""
_TICKETS = """
SELECT t.ticket, t.created_at, t.group_id, t.priority, t.dedicated, t.entered_at, t.outcome, s.breach_at FROM {tickets}
LEFT JOIN ticket_slas s ON s.account = t.account AND s.ticket = t.ticket
WHERE t.account = :account AND t.routing = 'waiting' AND {held} ORDER BY {order}, t.ticket {limit}
"""
# Who is not asked again. Only of tickets that wait: declines of others are history.
_DECLINED = """
SELECT d.ticket, array_agg(d.agent_id) AS agents FROM {tickets}
JOIN declines d ON d.account = t.account AND d.ticket = t.ticket
WHERE t.account = :account AND t.routing = 'waiting' GROUP BY d.ticket
"""
# What could still be running when this was asked has an id from the horizon on.
_HORIZON = "SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)"
# A ticket whose preference is still to be found comes to its queue by time, too.
_CHANGED = """
SELECT ticket, bool_or(doubtful) AS doubtful FROM (
    SELECT ticket, coalesce(xid = pg_current_xact_id_if_assigned(), false) AS doubtful FROM ticket_changes
    WHERE account = :account AND xid >= CAST(CAST(:seen AS text) AS xid8)
    UNION ALL SELECT ticket, true FROM preferring WHERE account = :account
) c GROUP BY ticket
"""
_FORGET = (
    "DELETE FROM ticket_changes WHERE account = :account AND at < now() - make_interval(secs => :seconds)"
)


async def read_waiting(
    connection: AsyncConnection,
    account: AccountId,
    queue: QueueRow,
    held: str,
    tickets: Collection[int] | None = None,
) -> list[tuple[Ticket, bool]]:
    """Return tickets that wait in a queue, by age (by SLA where it counts), and whether a round looked at each before.

    Args:
        held: the condition on `tickets t` for what the queue holds (`holding.held`).
        tickets: these alone; None = all.
    """
    asked = {"account": account} if tickets is None else {"account": account, "tickets": list(tickets)}
    source = "tickets t" if tickets is None else THESE
    order = "s.breach_at NULLS LAST, t.created_at" if queue.use_sla else "t.created_at"
    limit = f"LIMIT {int(queue.scan_limit)}" if queue.scan_limit else ""
    statement = _TICKETS.format(tickets=source, held=held, order=order, limit=limit)
    rows = await connection.execute(text(statement), asked)
    refused = await connection.execute(text(_DECLINED.format(tickets=source)), asked)
    declined = {r.ticket: frozenset(r.agents) for r in refused}
    found: list[tuple[Ticket, bool]] = []
    for part in rows.partitions(_AT_ONCE):
        if found:
            await asyncio.sleep(0)
        found += [
            (
                Ticket(
                    r.ticket,
                    r.created_at,
                    r.group_id,
                    r.priority,
                    next_breach_at=r.breach_at if queue.use_sla else None,
                    declined=declined.get(r.ticket, frozenset()),
                    dedicated=r.dedicated,
                    entered_at=r.entered_at,
                ),
                r.outcome != "",
            )
            for r in part
        ]
    if queue.model != "skills":
        return found
    skilled = SqlSkills(connection, account)
    of_tickets, known = await skilled.of_waiting(tickets), {row.skill: row for row in await skilled.all()}
    return [(replace(t, needs=needs(of_tickets.get(t.id, ()), known)), seen) for t, seen in found]


class Board:
    """What waits in one queue, as it was when it was last asked.

    Attributes:
        waiting: sorted by kind and value.
    """

    def __init__(self, account: AccountId, queue: QueueRow, rules_: tuple[Any, ...]) -> None:
        self.rules = rules_
        self.waiting = Waiting(rules(queue), ages=bool(queue.options.overflow_groups))
        self._account = account
        self._queue = queue
        self._seen = ""
        self._asked_at = 0.0
        self._doubtful: set[int] = set()
        """Read in a transaction that had changed them and may have been rolled back since, or due to change by time."""
        self._turn = asyncio.Lock()

    async def refresh(self, connection: AsyncConnection, held: str) -> None:
        """Learn what changed, as the transaction sees it."""
        async with self._turn:
            now = time.monotonic()
            horizon = (await connection.execute(text(_HORIZON))).scalar_one()
            follows = bool(self._seen) and now - self._asked_at <= CHANGES_SECONDS / 2
            changed = await self._changed(connection, self._seen if follows else horizon)
            news = changed.keys() | self._doubtful
            if follows and len(news) <= max(_FEW, len(self.waiting) // 10):
                await self._follow(connection, held, news)
            else:
                fresh = await read_waiting(connection, self._account, self._queue, held)
                self.waiting = Waiting(rules(self._queue), ages=bool(self._queue.options.overflow_groups))
                self.waiting.load(fresh)
            self._seen, self._asked_at = horizon, now
            self._doubtful = {ticket for ticket, doubtful in changed.items() if doubtful}

    async def _follow(self, connection: AsyncConnection, held: str, tickets: Collection[int]) -> None:
        if not tickets:
            return
        fresh = {
            t.id: (t, seen)
            for t, seen in await read_waiting(connection, self._account, self._queue, held, tickets)
        }
        for ticket in tickets:
            if ticket in fresh:
                self.waiting.put(fresh[ticket][0], known=fresh[ticket][1])
            else:
                self.waiting.remove(ticket)

    async def _changed(self, connection: AsyncConnection, seen: str) -> dict[int, bool]:
        rows = await connection.execute(text(_CHANGED), {"account": self._account, "seen": seen})
        return {row.ticket: row.doubtful for row in rows}


class Boards:
    """The boards of a replica; those that were not asked for longest go when there is no more room."""

    def __init__(self, room: int = BOARDS_TICKETS) -> None:
        self._room = room
        self._boards: OrderedDict[tuple[AccountId, str], Board] = OrderedDict()

    async def waiting(
        self,
        connection: AsyncConnection,
        account: AccountId,
        queue: QueueRow,
        queues: Sequence[QueueRow],
        held: str,
    ) -> Waiting:
        """Return what waits in a queue, as the transaction sees it.

        INVARIANT: the caller holds the account's lock, so that nobody else refreshes the board while he reads it.
        """
        key = account, queue.id
        decides = await _rules(connection, account, queue, queues)
        board = self._boards.pop(key, None)
        if board is None or board.rules != decides:
            board = Board(account, queue, decides)
        self._boards[key] = board
        await board.refresh(connection, held)
        left = self._room - sum(len(one.waiting) for one in self._boards.values())
        while left < 0 and len(self._boards) > 1:
            left += len(self._boards.popitem(last=False)[1].waiting)
        return board.waiting


def follows(queue: QueueRow, queues: Sequence[QueueRow]) -> bool:
    """Tell whether a board can follow a queue: time alone moves no ticket into it or out of it."""
    return not queue.scan_limit and not any(other.options.overflow_queue for other in queues)


async def forget_changes(connection: AsyncConnection, account: AccountId) -> int:
    """Forget changes that every board has seen, or will not ask for; return how many."""
    done = await connection.execute(text(_FORGET), {"account": account, "seconds": CHANGES_SECONDS})
    return int(done.rowcount)


async def _rules(
    connection: AsyncConnection, account: AccountId, queue: QueueRow, queues: Sequence[QueueRow]
) -> tuple[Any, ...]:
    """Return everything but tickets that decides what a board holds, and how it is sorted."""
    skills = await SqlSkills(connection, account).all() if queue.model == "skills" else []
    return queue, tuple((q.id, q.state, q.position, q.kind, q.source) for q in queues), tuple(skills)
