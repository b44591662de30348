"""Rounds and decisions in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.chain import GENESIS
from libs.db.locks import advisory_lock
from libs.db.notify import notify
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.inputs import Bases, SqlInputs
from services.assignment.adapters.sql.snapshots import read_snapshot
from services.assignment.adapters.sql.waiting import THESE, Boards, forget_changes
from services.assignment.app.rounds import link, news
from services.assignment.app.rows import Account, DecisionRow, QueueRow, Round, SummaryRow
from services.assignment.domain.model import Decision, Outcome, Plan, Snapshot

DECISIONS_CHANNEL = "assignment_decisions"
"""Where a notice with the account is sent when decisions were kept."""
ROUNDS_CHANNEL = "assignment_rounds"
"""Where a notice with the account is sent when there may be something to give (triggers of migration 0018)."""


def _decision(row: Row[Any]) -> DecisionRow:
    return DecisionRow(
        id=row.id,
        sequence=row.sequence,
        ticket=row.ticket,
        outcome=row.outcome,
        agent_id=row.agent_id,
        group_id=row.group_id,
        queue=row.queue,
        mechanism=row.mechanism,
        model=row.model,
        command=row.command,
        as_of=row.as_of,
        rejected={code: n if isinstance(n, int) else len(n) for code, n in row.detail.items()},
        named={code: n for code, n in row.detail.items() if not isinstance(n, int)},
        candidates=row.candidates,
        rule_version=row.rule_version,
        rank=row.rank,
        write=row.write,
        hash=row.hash,
        inputs=row.inputs,
    )


class SqlDecisions:
    """Implements the port `Decisions`."""

    def __init__(
        self, connection: AsyncConnection, account: AccountId, bases: Bases, boards: Boards | None
    ) -> None:
        self._connection = connection
        self._account = account
        self._inputs = SqlInputs(connection, account, bases)
        self._boards = boards

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def lock(self) -> None:
        await advisory_lock(self._connection, f"round/{self._account}")

    async def snapshot(
        self,
        account: Account,
        queue: QueueRow,
        as_of: datetime,
        only: int | None,
        ticket: int | None = None,
        *,
        agents_anyway: bool = False,
        heads: bool = False,
    ) -> Snapshot:
        return await read_snapshot(
            self._connection,
            account,
            queue,
            as_of,
            only,
            ticket,
            agents_anyway=agents_anyway,
            boards=self._boards if heads else None,
        )

    async def claim(self, tickets: Sequence[int]) -> dict[int, int | None]:
        rows = await self._run(
            f"SELECT t.ticket, t.group_id FROM {THESE} WHERE t.account = :account AND t.routing = 'waiting' "  # noqa: S608 - a constant
            "ORDER BY t.ticket FOR UPDATE OF t",
            tickets=list(tickets),
        )
        return {r.ticket: r.group_id for r in rows}

    async def keep(
        self, account: Account, round_: Round, snapshot: Snapshot, plan: Plan, ids: Sequence[str]
    ) -> list[Decision]:
        known = await self._run(
            f"SELECT t.ticket, t.outcome FROM {THESE} WHERE t.account = :account",  # noqa: S608 - a constant
            tickets=[d.ticket for d in plan.decisions],
        )
        kept = news(plan, {r.ticket: r.outcome for r in known})
        if not kept:
            return []
        await self._decide(account, round_, kept, ids, await self._inputs.keep(snapshot, round_.as_of))
        given = list(zip(kept, ids, strict=False))
        await self._assign(round_, [(d, i) for d, i in given if d.outcome is Outcome.ASSIGNED])
        await self._offer(round_, [(d, i) for d, i in given if d.outcome is Outcome.OFFERED])
        await notify(self._connection, DECISIONS_CHANNEL, self._account)
        await self._run(
            "WITH v AS (SELECT * FROM unnest(CAST(:tickets AS bigint[]), CAST(:outcomes AS text[])) AS v(ticket, outcome)), "
            # The assigned ones are ours by now. What somebody else is changing is left to the next round: who
            # waited for it with rows in hand could be waited for.
            "held AS MATERIALIZED (SELECT t.ticket FROM tickets t JOIN v USING (ticket) WHERE t.account = :account "
            "FOR UPDATE OF t SKIP LOCKED) "
            "UPDATE tickets t SET outcome = v.outcome FROM v JOIN held USING (ticket) "
            "WHERE t.account = :account AND t.ticket = v.ticket",
            tickets=[d.ticket for d in kept],
            outcomes=[d.outcome.value for d in kept],
        )
        await self._run(
            "INSERT INTO rotation (account, queue, agent_id, balance) SELECT :account, :queue, a, b "
            "FROM unnest(CAST(:agents AS bigint[]), CAST(:balances AS bigint[])) AS v(a, b) "
            "ON CONFLICT (account, queue, agent_id) DO UPDATE SET balance = excluded.balance",
            queue=round_.queue.id,
            agents=list(plan.balances),
            balances=list(plan.balances.values()),
        )
        return kept

    async def forget_inputs(self, before: datetime, limit: int) -> int:
        return await self._inputs.forget(before, limit)

    async def forget_changes(self) -> int:
        return await forget_changes(self._connection, self._account)

    async def inputs(self, digest: str) -> Snapshot | None:
        return await self._inputs.load(digest)

    async def _decide(
        self, account: Account, round_: Round, kept: Sequence[Decision], ids: Sequence[str], inputs: str
    ) -> None:
        last = (
            await self._run(
                "SELECT sequence, hash FROM decisions WHERE account = :account ORDER BY sequence DESC LIMIT 1"
            )
        ).one_or_none()
        head = (last.sequence, last.hash) if last else (0, GENESIS)
        rows = link(account, round_, kept, ids, inputs=inputs, head=head)
        columns = [f.name for f in fields(DecisionRow) if f.name not in ("rejected", "named")]
        places = ", ".join(f":{name}" for name in columns)
        await self._connection.execute(
            text(
                f"INSERT INTO decisions (account, detail, {', '.join(columns)}) "  # noqa: S608 - names of our own class
                f"VALUES (:account, CAST(:detail AS jsonb), {places})"
            ),
            [
                {"account": self._account, "detail": json.dumps(row.rejected)}
                | {name: getattr(row, name) for name in columns}
                for row in rows
            ],
        )

    async def _assign(self, round_: Round, assigned: Sequence[tuple[Decision, str]]) -> None:
        if not assigned:
            return
        columns: dict[str, list[Any]] = {
            "tickets": [d.ticket for d, _ in assigned],
            "agents": [d.agent for d, _ in assigned],
            "groups": [d.group for d, _ in assigned],
            "ids": [i for _, i in assigned],
        }
        unnest = (
            "unnest(CAST(:ids AS text[]), CAST(:tickets AS bigint[]), CAST(:agents AS bigint[]), "
            "CAST(:groups AS bigint[])) AS v(id, ticket, agent, grp)"
        )
        values = {**columns, "queue": round_.queue.id, "mechanism": round_.mechanism, "as_of": round_.as_of}
        tags = list(round_.tags)
        await self._run(
            "INSERT INTO assignments (account, id, ticket, agent_id, group_id, queue, mechanism, state, assigned_at) "  # noqa: S608 - constants only
            f"SELECT :account, v.id, v.ticket, v.agent, v.grp, :queue, :mechanism, 'committed', :as_of FROM {unnest}",
            **values,
        )
        await self._run(
            "INSERT INTO outbox (account, id, ticket, agent_id, group_id, read_at, queue, as_of, state, attempts, fence, "  # noqa: S608 - constants only
            "lease_until, tags) SELECT :account, v.id, v.ticket, v.agent, v.grp, t.updated_at, :queue, :as_of, 'pending', 0, 0, "
            f"'epoch', CAST(:tags AS text[]) FROM {unnest} JOIN tickets t ON t.account = :account AND t.ticket = v.ticket",
            **values,
            tags=tags,
        )
        await self._run(
            "UPDATE tickets t SET routing = 'assigned', assignee_id = v.agent, group_id = v.grp, assigned_at = :as_of "  # noqa: S608 - constants only
            f"FROM {unnest} WHERE t.account = :account AND t.ticket = v.ticket",
            **values,
        )

    async def _offer(self, round_: Round, offered: Sequence[tuple[Decision, str]]) -> None:
        if not offered:
            return
        await self._connection.execute(
            text(
                "INSERT INTO offers (account, id, ticket, agent_id, group_id, queue, state, offered_at, expires_at) "
                "VALUES (:account, :id, :ticket, :agent, :group, :queue, 'offered', :at, :expires_at)"
            ),
            [
                {
                    "account": self._account,
                    "id": i,
                    "ticket": d.ticket,
                    "agent": d.agent,
                    "group": d.group,
                    "queue": round_.queue.id,
                    "at": round_.as_of,
                    "expires_at": round_.expires_at,
                }
                for d, i in offered
            ],
        )
        await self._run(
            "UPDATE tickets SET routing = 'offered' WHERE account = :account AND ticket = ANY(:tickets)",
            tickets=[d.ticket for d, _ in offered],
        )

    async def one(self, decision: str) -> DecisionRow | None:
        found = await self._run("SELECT * FROM decisions WHERE account = :account AND id = :id", id=decision)
        row = found.one_or_none()
        return _decision(row) if row else None

    async def given(self, agents: Collection[int], since: datetime) -> list[tuple[int, str, datetime]]:
        rows = await self._run(
            "SELECT agent_id, queue, assigned_at AS at FROM assignments WHERE account = :account "
            "AND mechanism = 'queue' AND state <> 'conflict' AND assigned_at > :since AND agent_id = ANY(:agents) "
            "UNION ALL SELECT agent_id, queue, offered_at FROM offers WHERE account = :account "
            "AND state = 'offered' AND agent_id = ANY(:agents)",
            agents=sorted(agents),
            since=since,
        )
        return sorted((r.agent_id, r.queue, r.at) for r in rows)

    async def live(self, ticket: int) -> str:
        found = await self._run(
            "SELECT id FROM assignments WHERE account = :account AND ticket = :ticket AND state = 'committed' "
            "UNION ALL SELECT id FROM offers WHERE account = :account AND ticket = :ticket AND state = 'offered'",
            ticket=ticket,
        )
        return found.scalars().first() or ""

    async def head(self) -> int:
        found = await self._run("SELECT max(sequence) FROM decisions WHERE account = :account")
        return found.scalar_one() or 0

    async def page(self, after: int, limit: int, ticket: int | None) -> list[DecisionRow]:
        rows = await self._run(
            "SELECT * FROM decisions WHERE account = :account AND sequence > :after "
            "AND (CAST(:ticket AS bigint) IS NULL OR ticket = :ticket) ORDER BY sequence LIMIT :limit",
            after=after,
            limit=limit,
            ticket=ticket,
        )
        return [_decision(row) for row in rows]

    async def summary(self) -> SummaryRow:
        tickets = (
            await self._run(
                "SELECT count(*) AS n, count(*) FILTER (WHERE routing = 'waiting') AS w FROM tickets "
                "WHERE account = :account"
            )
        ).one()
        agents = await self._run(
            "SELECT agent_id, count(*) AS n FROM assignments WHERE account = :account "
            "AND state IN ('confirmed', 'ended') GROUP BY agent_id ORDER BY agent_id"
        )
        per_agent = {r.agent_id: r.n for r in agents}
        more = (
            await self._run(
                "SELECT (SELECT count(*) FROM decisions WHERE account = :account) AS d, "
                "(SELECT count(*) FROM outbox WHERE account = :account AND state = 'pending') AS p, "
                "(SELECT count(*) FROM assignments WHERE account = :account AND state = 'conflict') AS c"
            )
        ).one()
        return SummaryRow(tickets.n, sum(per_agent.values()), tickets.w, per_agent, more.d, more.p, more.c)
