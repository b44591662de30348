"""Tickets in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.holding import held
from services.assignment.adapters.sql.offers import WITHDRAW
from services.assignment.app.rows import PARKED, SLA_SETTLES, QueueRow, TicketRow
from services.assignment.domain.rotation import TURN
from services.assignment.domain.webhook import TicketFacts

ROUTABLE = "('new', 'open')"
"""Statuses in which a ticket may be routed, as Zendesk's own routing has it."""

# A fact is stored only when it is not older than what is known: webhooks come twice and out of order.
# While our own change is on its way, assignee and routing are ours to say.
_STORE = f"""
WITH pending AS (
    SELECT 1 FROM outbox WHERE account = :account AND ticket = :ticket AND state = 'pending'
    AND kind IN ('assign', 'release')
)
INSERT INTO tickets AS t (account, ticket, status, group_id, assignee_id, requester_id, priority, created_at,
                          updated_at, routing, outcome)
VALUES (:account, :ticket, :status, :group_id, :assignee_id, :requester_id, :priority, :created_at, :updated_at,
        CASE WHEN CAST(:assignee_id AS bigint) IS NULL AND :status IN {ROUTABLE} THEN 'waiting' ELSE 'not_routable' END,
        '')
ON CONFLICT (account, ticket) DO UPDATE SET
    status = excluded.status,
    group_id = CASE WHEN excluded.group_id IS NULL AND EXISTS (SELECT 1 FROM outbox o WHERE o.account = :account
        AND o.ticket = :ticket AND o.state = 'pending' AND o.kind = 'group') THEN t.group_id ELSE excluded.group_id END,
    priority = excluded.priority,
    requester_id = CASE WHEN t.requester_id IS NULL THEN NULL ELSE excluded.requester_id END,
    entered_at = CASE WHEN excluded.assignee_id IS NULL AND excluded.status IN {ROUTABLE}
        AND NOT EXISTS (SELECT 1 FROM pending) AND t.routing <> 'offered'
        AND (t.assignee_id IS NOT NULL OR t.status NOT IN {ROUTABLE})
        THEN excluded.updated_at ELSE t.entered_at END,
    last_agent = CASE WHEN excluded.assignee_id IS NULL AND NOT EXISTS (SELECT 1 FROM pending)
        THEN coalesce(t.assignee_id, t.last_agent) ELSE t.last_agent END,
    last_agent_at = CASE WHEN excluded.assignee_id IS NULL AND t.assignee_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM pending) THEN excluded.updated_at ELSE t.last_agent_at END,
    returned_at = CASE WHEN excluded.assignee_id = t.assignee_id AND excluded.status IN {ROUTABLE}
        THEN CASE WHEN t.status IN {ROUTABLE} THEN t.returned_at ELSE excluded.updated_at END END,
    dedicated = CASE WHEN excluded.assignee_id IS NULL THEN t.dedicated END,
    -- Whose it is said to be while our change is on its way is news again once that has ended.
    updated_at = CASE WHEN EXISTS (SELECT 1 FROM pending) AND excluded.assignee_id IS DISTINCT FROM t.assignee_id
        THEN t.updated_at ELSE excluded.updated_at END,
    outcome = coalesce(nullif(t.outcome, '{PARKED}'), ''),
    assignee_id = CASE WHEN EXISTS (SELECT 1 FROM pending) THEN t.assignee_id ELSE excluded.assignee_id END,
    routing = CASE
        WHEN EXISTS (SELECT 1 FROM pending) THEN t.routing
        WHEN t.routing = 'offered' AND excluded.assignee_id IS NULL AND excluded.status IN {ROUTABLE} THEN 'offered'
        WHEN excluded.assignee_id IS NULL AND excluded.status IN {ROUTABLE} THEN 'waiting'
        WHEN excluded.assignee_id = t.assignee_id AND t.routing = 'assigned' AND excluded.status IN {ROUTABLE}
            THEN 'assigned'
        ELSE 'not_routable' END
WHERE (t.updated_at < excluded.updated_at OR (t.updated_at = excluded.updated_at
    -- Zendesk's times are whole seconds: what was true before our change of the same second is not news.
    AND NOT ((t.routing = 'assigned' OR t.outcome = '{PARKED}') AND excluded.assignee_id IS NULL)))
    -- Nor is what was true before a ticket was closed, merged into another one in the second of its creation, say.
    AND (t.status <> 'closed' OR excluded.status IN ('closed', 'deleted'))
RETURNING t.routing
"""  # noqa: S608 - a constant

# An assignment lives while its ticket is assigned by us; when it ends, the ticket may be assigned anew.
_END = """
UPDATE assignments a SET state = 'ended' FROM tickets t
WHERE a.account = :account AND t.account = a.account AND t.ticket = a.ticket AND a.ticket = ANY(:tickets)
  AND a.state = 'confirmed' AND t.routing <> 'assigned'
"""


def _row(row: Row[Any]) -> TicketRow:
    facts = TicketFacts(
        id=row.ticket,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
        group_id=row.group_id,
        assignee_id=row.assignee_id,
        requester_id=row.requester_id,
        priority=row.priority,
    )
    return TicketRow(facts, row.routing, row.assigned_at)


class SqlTickets:
    """Implements the port `Tickets`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def store(self, facts: Sequence[TicketFacts]) -> int:
        stored = 0
        for one in sorted(facts, key=lambda f: f.id):  # one order for everybody: no deadlocks
            done = await self._run(
                _STORE,
                ticket=one.id,
                status=one.status,
                group_id=one.group_id,
                assignee_id=one.assignee_id,
                requester_id=one.requester_id,
                priority=one.priority,
                created_at=one.created_at,
                updated_at=one.updated_at,
            )
            stored += done.one_or_none() is not None
        if facts:
            await self._run(_END, tickets=[one.id for one in facts])
            await self._run(WITHDRAW, tickets=[one.id for one in facts], turn=TURN)
        return stored

    async def take_invocation(self, invocation: str, at: datetime) -> bool:
        done = await self._run(
            "INSERT INTO invocations (account, id, at) VALUES (:account, :id, :at) ON CONFLICT DO NOTHING RETURNING id",
            id=invocation,
            at=at,
        )
        return done.one_or_none() is not None

    async def forget_invocations(self, before: datetime) -> int:
        done = await self._run(
            "DELETE FROM invocations WHERE account = :account AND at < :before", before=before
        )
        return int(done.rowcount)

    async def park(self, ticket: int) -> None:
        await self._run(
            "UPDATE tickets SET routing = 'not_routable', outcome = :parked WHERE account = :account "
            "AND ticket = :ticket AND routing = 'waiting'",
            ticket=ticket,
            parked=PARKED,
        )

    async def put_group(self, ticket: int, group: int) -> None:
        await self._run(
            "UPDATE tickets SET group_id = :group WHERE account = :account AND ticket = :ticket "
            "AND routing = 'waiting'",
            ticket=ticket,
            group=group,
        )

    async def dedicate(self, ticket: int, agent: int) -> None:
        await self._run(
            "UPDATE tickets SET dedicated = :agent WHERE account = :account AND ticket = :ticket",
            ticket=ticket,
            agent=agent,
        )

    async def unread_slas(self, queue: QueueRow, limit: int, at: datetime) -> list[int]:
        queues = await SqlDirectory(self._connection, self._account).queues()
        rows = await self._run(
            "SELECT t.ticket FROM tickets t LEFT JOIN ticket_slas s USING (account, ticket) "  # noqa: S608 - constants and numbers
            "WHERE t.account = :account AND t.routing = 'waiting' "
            "AND (s.read_at IS NULL OR s.read_at < t.updated_at + :settles) "
            f"AND {held(queue, queues, at)} ORDER BY t.created_at, t.ticket LIMIT :limit",
            settles=SLA_SETTLES,
            limit=limit,
        )
        return [r.ticket for r in rows]

    async def put_slas(self, breaches: Mapping[int, datetime | None], at: datetime) -> None:
        await self._run(
            "INSERT INTO ticket_slas (account, ticket, read_at, breach_at) SELECT :account, v.t, :at, v.b "
            "FROM unnest(CAST(:tickets AS bigint[]), CAST(:breaches AS timestamptz[])) AS v(t, b) ORDER BY v.t "
            "ON CONFLICT (account, ticket) DO UPDATE SET read_at = excluded.read_at, breach_at = excluded.breach_at",
            tickets=list(breaches),
            breaches=list(breaches.values()),
            at=at,
        )
        await self._run(
            "DELETE FROM ticket_slas s WHERE account = :account AND NOT EXISTS (SELECT 1 FROM tickets t "
            "WHERE t.account = s.account AND t.ticket = s.ticket AND t.routing IN ('waiting', 'offered'))"
        )

    async def unknown(self, tickets: Collection[int]) -> set[int]:
        rows = await self._run(
            "SELECT ticket FROM tickets WHERE account = :account AND ticket = ANY(:tickets)",
            tickets=sorted(tickets),
        )
        return set(tickets) - {row.ticket for row in rows}

    async def known(self, tickets: Collection[int]) -> set[int]:
        rows = await self._run(
            "SELECT ticket FROM tickets WHERE account = :account AND ticket = ANY(:tickets) "
            "AND status NOT IN ('closed', 'deleted')",
            tickets=sorted(tickets),
        )
        return {row.ticket for row in rows}

    async def one(self, ticket: int) -> TicketRow | None:
        found = await self._run(
            "SELECT * FROM tickets WHERE account = :account AND ticket = :ticket", ticket=ticket
        )
        row = found.one_or_none()
        return _row(row) if row else None

    async def page(self, after: int, limit: int, routing: str | None) -> list[TicketRow]:
        rows = await self._run(
            "SELECT * FROM tickets WHERE account = :account AND ticket > :after "
            "AND (CAST(:routing AS text) IS NULL OR routing = :routing) ORDER BY ticket LIMIT :limit",
            after=after,
            limit=limit,
            routing=routing,
        )
        return [_row(row) for row in rows]

    async def waiting(self) -> int:
        found = await self._run(
            "SELECT count(*) FROM tickets WHERE account = :account AND routing = 'waiting'"
        )
        return int(found.scalar_one())

    async def holder(self, ticket: int, at: datetime) -> QueueRow | None:
        queues = await SqlDirectory(self._connection, self._account).queues()
        for queue in queues:
            if queue.state != "active":
                continue
            found = await self._run(
                "SELECT 1 FROM tickets t WHERE account = :account AND ticket = :ticket "  # noqa: S608 - constants and numbers
                f"AND routing = 'waiting' AND {held(queue, queues, at)}",
                ticket=ticket,
            )
            if found.one_or_none() is not None:
                return queue
        return None
