"""Offers and declines in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.app.rows import OfferRow
from services.assignment.domain.rotation import TURN

# An offer lives while its ticket is offered: when somebody was faster in Zendesk, it is withdrawn and its turn
# given back.
WITHDRAW = """
WITH gone AS (
    UPDATE offers o SET state = 'withdrawn', ended_at = now() FROM tickets t
    WHERE o.account = :account AND t.account = o.account AND t.ticket = o.ticket AND o.ticket = ANY(:tickets)
      AND o.state = 'offered' AND t.routing <> 'offered'
    RETURNING o.account, o.queue, o.agent_id
)
INSERT INTO rotation AS r (account, queue, agent_id, balance)
SELECT account, queue, agent_id, count(*) * :turn FROM gone GROUP BY account, queue, agent_id
ON CONFLICT (account, queue, agent_id) DO UPDATE SET balance = r.balance + excluded.balance
"""


def _offer(row: Row[Any]) -> OfferRow:
    return OfferRow(
        row.id, row.ticket, row.agent_id, row.group_id, row.queue, row.state, row.offered_at, row.expires_at
    )


class SqlOffers:
    """Implements the port `Offers`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def one(self, offer: str) -> OfferRow | None:
        row = (
            await self._run("SELECT * FROM offers WHERE account = :account AND id = :id", id=offer)
        ).one_or_none()
        return _offer(row) if row else None

    async def live(self, ticket: int) -> OfferRow | None:
        row = (
            await self._run(
                "SELECT * FROM offers WHERE account = :account AND ticket = :ticket AND state = 'offered'",
                ticket=ticket,
            )
        ).one_or_none()
        return _offer(row) if row else None

    async def due(self, as_of: datetime) -> list[OfferRow]:
        rows = await self._run(
            "SELECT * FROM offers WHERE account = :account AND state = 'offered' AND expires_at <= :as_of "
            'ORDER BY offered_at, id COLLATE "C"',
            as_of=as_of,
        )
        return [_offer(row) for row in rows]

    async def missed(self, agent: int, since: datetime) -> int:
        found = await self._run(
            "WITH mine AS (SELECT state, offered_at FROM offers WHERE account = :account AND agent_id = :agent "
            "AND offered_at >= :since) SELECT count(*) FROM mine WHERE state = 'expired' AND offered_at > coalesce("
            "(SELECT max(offered_at) FROM mine WHERE state IN ('accepted', 'declined')), 'epoch')",
            agent=agent,
            since=since,
        )
        return int(found.scalar_one())

    async def accept(self, offer: OfferRow, at: datetime) -> None:
        await self._state(offer, "accepted", at)
        values = {"id": offer.id, "at": at}
        await self._run(
            "INSERT INTO assignments (account, id, ticket, agent_id, group_id, queue, mechanism, state, assigned_at) "
            "SELECT account, id, ticket, agent_id, group_id, queue, 'queue', 'committed', :at FROM offers "
            "WHERE account = :account AND id = :id",
            **values,
        )
        await self._run(
            "INSERT INTO outbox (account, id, ticket, agent_id, group_id, read_at, queue, as_of, state, attempts, "
            "fence, lease_until) SELECT account, id, ticket, agent_id, group_id, :at, queue, :at, 'pending', 0, 0, "
            "'epoch' FROM offers WHERE account = :account AND id = :id",
            **values,
        )
        await self._run(
            "UPDATE tickets t SET routing = 'assigned', assignee_id = o.agent_id, group_id = o.group_id, "
            "assigned_at = :at FROM offers o WHERE o.account = :account AND o.id = :id AND t.account = o.account "
            "AND t.ticket = o.ticket",
            **values,
        )
        await self._run(
            "UPDATE decisions SET write = 'pending' WHERE account = :account AND id = :id", id=offer.id
        )

    async def end(self, offer: OfferRow, state: str, at: datetime) -> None:
        await self._state(offer, state, at)
        # An offer that became no work costs no turn (facts: decision 14).
        await self._run(
            "INSERT INTO rotation AS r (account, queue, agent_id, balance) VALUES (:account, :queue, :agent, :turn) "
            "ON CONFLICT (account, queue, agent_id) DO UPDATE SET balance = r.balance + excluded.balance",
            queue=offer.queue,
            agent=offer.agent_id,
            turn=TURN,
        )
        await self._run(
            "UPDATE tickets SET routing = 'waiting', outcome = '' WHERE account = :account AND ticket = :ticket "
            "AND routing = 'offered'",
            ticket=offer.ticket,
        )

    async def _state(self, offer: OfferRow, state: str, at: datetime) -> None:
        await self._run(
            "UPDATE offers SET state = :state, ended_at = :at WHERE account = :account AND id = :id",
            id=offer.id,
            state=state,
            at=at,
        )

    async def decline(self, ticket: int, agent: int, kind: str, at: datetime) -> bool:
        row = await self._run(
            "INSERT INTO declines AS d (account, ticket, agent_id, kind, at, told) "
            "VALUES (:account, :ticket, :agent, :kind, :at, false) "
            "ON CONFLICT (account, ticket, agent_id) DO UPDATE SET kind = excluded.kind, at = excluded.at "
            "RETURNING told",
            ticket=ticket,
            agent=agent,
            kind=kind,
            at=at,
        )
        return not row.scalar_one()

    async def last_decline(self, ticket: int) -> datetime | None:
        found = await self._run(
            "SELECT max(at) AS at FROM declines WHERE account = :account AND ticket = :ticket", ticket=ticket
        )
        at: datetime | None = found.scalar_one()
        return at

    async def told(self, ticket: int, agent: int) -> None:
        await self._run(
            "UPDATE declines SET told = true WHERE account = :account AND ticket = :ticket AND agent_id = :agent",
            ticket=ticket,
            agent=agent,
        )

    async def unskip(self, agent: int) -> int:
        done = await self._run(
            "DELETE FROM declines WHERE account = :account AND agent_id = :agent AND kind = 'skip'",
            agent=agent,
        )
        return int(done.rowcount)

    async def forget_declines(self, before: datetime, limit: int) -> int:
        done = await self._run(
            "DELETE FROM declines WHERE account = :account AND (ticket, agent_id) IN (SELECT d.ticket, d.agent_id "
            "FROM declines d WHERE d.account = :account AND d.at < :before AND NOT EXISTS (SELECT 1 FROM tickets t "
            "WHERE t.account = d.account AND t.ticket = d.ticket AND t.routing IN ('waiting', 'offered')) LIMIT :limit)",
            before=before,
            limit=limit,
        )
        return int(done.rowcount)

    async def lift(self, tickets: Sequence[int], before: datetime) -> int:
        done = await self._run(
            "DELETE FROM declines WHERE account = :account AND ticket IN (SELECT ticket FROM declines "
            "WHERE account = :account AND ticket = ANY(:tickets) GROUP BY ticket HAVING max(at) <= :before)",
            tickets=list(tickets),
            before=before,
        )
        return int(done.rowcount)
