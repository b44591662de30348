"""Changes on their way to Zendesk, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.app.rows import Write
from services.assignment.domain.rotation import TURN

_FREE = (
    "t.account = :account AND t.assignee_id = :agent AND t.status IN ('new', 'open') "
    "AND (CAST(:only AS bigint) IS NULL OR t.ticket = :only) AND NOT EXISTS (SELECT 1 FROM outbox o "
    "WHERE o.account = t.account AND o.ticket = t.ticket AND o.state = 'pending' AND o.kind IN ('assign', 'release'))"
)
"""Open tickets of an agent that no write is on its way to."""


class SqlOutbox:
    """Implements the port `Outbox`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def take(self, limit: int, lease_seconds: float) -> list[Write]:
        rows = await self._run(
            "WITH due AS MATERIALIZED (SELECT id FROM outbox "
            "WHERE account = :account AND state = 'pending' AND lease_until < clock_timestamp() "
            "ORDER BY as_of, id LIMIT :limit FOR UPDATE SKIP LOCKED) "
            "UPDATE outbox o SET fence = o.fence + 1, attempts = o.attempts + 1, "
            "lease_until = clock_timestamp() + make_interval(secs => :lease) FROM due "
            "WHERE o.account = :account AND o.id = due.id RETURNING o.*",
            lease=lease_seconds,
            limit=limit,
        )
        writes = [
            Write(
                r.id,
                r.ticket,
                r.agent_id,
                r.group_id,
                r.queue,
                r.as_of,
                r.attempts,
                r.fence,
                r.kind,
                tuple(r.tags),
                r.note,
            )
            for r in rows
        ]
        return sorted(writes, key=lambda w: (w.as_of, w.id))

    async def finish(self, write: Write, state: str) -> bool:
        done = await self._run(
            "UPDATE outbox SET state = :state WHERE account = :account AND id = :id AND fence = :fence "
            "AND state = 'pending' RETURNING id",
            id=write.id,
            fence=write.fence,
            state=state,
        )
        if done.one_or_none() is None:
            return False
        if write.kind in ("tag", "untag"):
            return True
        if write.kind == "group":
            if state != "confirmed":
                await self._run(
                    "UPDATE group_turns SET turns = turns - 1 WHERE account = :account AND group_id = :group "
                    "AND turns > 0",
                    group=write.group_id,
                )
            if write.tags:
                await self._read_anew(write.ticket)
            return True
        if write.kind == "release":
            await self._released(write, state)
            return True
        await self._run(
            "UPDATE assignments SET state = :state WHERE account = :account AND id = :id",
            id=write.id,
            state="confirmed" if state == "confirmed" else "conflict",
        )
        await self._run(
            "UPDATE decisions SET write = :state WHERE account = :account AND id = :id",
            id=write.id,
            state=state,
        )
        if state != "confirmed":
            # A turn that became no work is given back (facts: decision 14); a pull took none.
            await self._run(
                "INSERT INTO rotation AS r (account, queue, agent_id, balance) "
                "SELECT account, queue, agent_id, :turn FROM assignments "
                "WHERE account = :account AND id = :id AND mechanism = 'queue' "
                "ON CONFLICT (account, queue, agent_id) DO UPDATE SET balance = r.balance + excluded.balance",
                turn=TURN,
                id=write.id,
            )
            await self._run(
                "UPDATE tickets SET routing = 'not_routable', assignee_id = NULL, outcome = '', assigned_at = NULL, "
                "updated_at = 'epoch' WHERE account = :account AND ticket = :ticket",
                ticket=write.ticket,
            )
        return True

    async def _released(self, write: Write, state: str) -> None:
        if state == "confirmed":
            await self._read_anew(write.ticket)

    async def _read_anew(self, ticket: int) -> None:
        # Zendesk's times are whole seconds: what it says now is news, even in the second of our change.
        await self._run(
            "UPDATE tickets SET updated_at = 'epoch' WHERE account = :account AND ticket = :ticket",
            ticket=ticket,
        )

    async def release_tickets(
        self,
        agent: int,
        ids: Sequence[str],
        at: datetime,
        only: int | None = None,
        tags: tuple[str, ...] = (),
        note: str = "",
    ) -> int:
        await self._run(
            "INSERT INTO outbox (account, id, ticket, agent_id, group_id, read_at, queue, as_of, state, attempts, "  # noqa: S608 - a constant
            "fence, lease_until, kind, tags, note) SELECT :account, v.id, f.ticket, :agent, f.group_id, f.updated_at, '', :at, "
            "'pending', 0, 0, 'epoch', 'release', CAST(:tags AS text[]), :note FROM "
            f"(SELECT *, row_number() OVER (ORDER BY ticket) AS n FROM tickets t WHERE {_FREE}) f "
            "JOIN unnest(CAST(:ids AS text[])) WITH ORDINALITY AS v(id, n) USING (n)",
            agent=agent,
            only=only,
            ids=list(ids),
            at=at,
            tags=list(tags),
            note=note,
        )
        return (await self.releasable(agent, only))[1]

    async def releasable(self, agent: int, only: int | None = None) -> tuple[int, int]:
        free = await self._run(f"SELECT count(*) FROM tickets t WHERE {_FREE}", agent=agent, only=only)  # noqa: S608 - a constant
        going = await self._run(
            "SELECT count(*) FROM outbox WHERE account = :account AND agent_id = :agent AND kind = 'release' "
            "AND state = 'pending' AND (CAST(:only AS bigint) IS NULL OR ticket = :only)",
            agent=agent,
            only=only,
        )
        return int(free.scalar_one()), int(going.scalar_one())

    async def tag_tickets(
        self,
        agent: int,
        statuses: Collection[str],
        tag: str,
        new_id: Callable[[], str],
        at: datetime,
        note: str = "",
    ) -> int:
        rows = await self._run(
            "SELECT ticket FROM tickets t WHERE account = :account AND assignee_id = :agent "
            "AND status = ANY(:statuses) AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.account = t.account "
            "AND o.ticket = t.ticket AND o.state = 'pending' AND :tag = ANY(o.tags) AND o.kind <> 'untag') "
            "ORDER BY ticket",
            agent=agent,
            statuses=list(statuses),
            tag=tag,
        )
        return await self._tags("tag", agent, [row.ticket for row in rows], tag, new_id, at, note)

    async def send_to_group(
        self, ticket: int, place: int, write_id: str, at: datetime, tags: tuple[str, ...] = ()
    ) -> None:
        await self._run(
            "INSERT INTO outbox (account, id, ticket, agent_id, group_id, read_at, queue, as_of, state, attempts, "
            "fence, lease_until, kind, tags) VALUES (:account, :id, :ticket, 0, :group, :at, '', :at, 'pending', 0, "
            "0, 'epoch', 'group', CAST(:tags AS text[]))",
            id=write_id,
            ticket=ticket,
            group=place,
            at=at,
            tags=list(tags),
        )

    async def untag_tickets(self, agent: int, tag: str, new_id: Callable[[], str], at: datetime) -> int:
        await self._run(
            "UPDATE outbox SET state = 'conflict' WHERE account = :account AND agent_id = :agent AND kind = 'tag' "
            "AND state = 'pending' AND :tag = ANY(tags)",
            agent=agent,
            tag=tag,
        )
        # Given up or not, a writer may have one in hand: every ticket is untagged.
        rows = await self._run(
            "SELECT DISTINCT o.ticket FROM outbox o WHERE o.account = :account AND o.agent_id = :agent "
            "AND :tag = ANY(o.tags) AND o.kind IN ('tag', 'release') AND NOT EXISTS (SELECT 1 FROM outbox u "
            "WHERE u.account = o.account AND u.ticket = o.ticket AND u.kind = 'untag' AND :tag = ANY(u.tags) "
            "AND u.as_of >= o.as_of) ORDER BY o.ticket",
            agent=agent,
            tag=tag,
        )
        return await self._tags("untag", agent, [row.ticket for row in rows], tag, new_id, at)

    async def _tags(
        self,
        kind: str,
        agent: int,
        tickets: Sequence[int],
        tag: str,
        new_id: Callable[[], str],
        at: datetime,
        note: str = "",
    ) -> int:
        await self._run(
            "INSERT INTO outbox (account, id, ticket, agent_id, group_id, read_at, queue, as_of, state, attempts, "
            "fence, lease_until, kind, tags, note) SELECT :account, v.id, v.ticket, :agent, NULL, :at, '', :at, 'pending', "
            "0, 0, 'epoch', :kind, ARRAY[:tag], :note FROM unnest(CAST(:ids AS text[]), CAST(:tickets AS bigint[])) "
            "AS v(id, ticket)",
            kind=kind,
            agent=agent,
            tag=tag,
            at=at,
            note=note,
            ids=[new_id() for _ in tickets],
            tickets=list(tickets),
        )
        return len(tickets)

    async def release(self, write: Write) -> None:
        await self._run(
            "UPDATE outbox SET lease_until = 'epoch' WHERE account = :account AND id = :id AND fence = :fence",
            id=write.id,
            fence=write.fence,
        )

    async def pending(self) -> int:
        found = await self._run("SELECT count(*) FROM outbox WHERE account = :account AND state = 'pending'")
        return int(found.scalar_one())
