"""Rounds, decisions and writes in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.chain import GENESIS, chain_hash
from libs.db.locks import advisory_lock
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.directory import SqlDirectory
from services.assignment.adapters.sql.tickets import queue_condition
from services.assignment.app.chained import chained
from services.assignment.app.ports import Account, DecisionRow, QueueRow, Round, SummaryRow, Write
from services.assignment.domain.model import (
    Agent,
    Code,
    Decision,
    Model,
    Outcome,
    Plan,
    Queue,
    Snapshot,
    Ticket,
)
from services.assignment.domain.rotation import TURN

_LIGHT = 1
DAILY_WINDOW = timedelta(hours=12)
"""The daily limit is not a day: it looks 12 hours back (facts: §2.2)."""


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
        rejected=row.detail,
        candidates=row.candidates,
        rule_version=row.rule_version,
        rank=row.rank,
        write=row.write,
        hash=row.hash,
    )


class SqlDecisions:
    """Implements the port `Decisions`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def lock(self) -> None:
        await advisory_lock(self._connection, f"round/{self._account}")

    async def snapshot(
        self, account: Account, queue: QueueRow, as_of: datetime, only: int | None
    ) -> Snapshot:
        limit = f" LIMIT {int(queue.scan_limit)}" if queue.scan_limit else ""
        waiting = await self._run(
            "SELECT ticket, created_at, group_id, priority FROM tickets WHERE account = :account "  # noqa: S608 - constants only
            f"AND routing = 'waiting' AND {queue_condition(queue)} ORDER BY created_at, ticket{limit}",
            source=queue.source,
        )
        tickets = [Ticket(r.ticket, r.created_at, r.group_id, r.priority) for r in waiting]
        if not tickets:
            return Snapshot([], [], _rules(queue), account.restrictions)
        recent = await self._run(
            "SELECT agent_id, count(*) AS n, count(*) FILTER (WHERE queue = :queue) AS q, max(assigned_at) AS last "
            "FROM assignments WHERE account = :account AND mechanism = 'queue' AND state <> 'conflict' "
            "AND assigned_at > :since GROUP BY agent_id",
            queue=queue.id,
            since=as_of - DAILY_WINDOW,
        )
        counts = {r.agent_id: (r.n, r.q, r.last) for r in recent}
        turns = await self._run(
            "SELECT agent_id, balance FROM rotation WHERE account = :account AND queue = :queue",
            queue=queue.id,
        )
        balance = {r.agent_id: r.balance for r in turns}
        agents = []
        for row in await SqlDirectory(self._connection, self._account).agents():
            if only is not None and row.user_id != only:
                continue
            n, q, last = counts.get(row.user_id, (0, 0, None))
            agents.append(
                Agent(
                    id=row.user_id,
                    groups=frozenset(row.groups),
                    role=row.role,
                    custom_role_id=row.custom_role_id,
                    status=row.status,
                    active=row.active,
                    light=row.role_type == _LIGHT,
                    suspended=row.suspended,
                    open_count=row.open_count,
                    assigned_12h=n,
                    assigned_12h_queue=q,
                    inbox_limit=row.inbox_limit if row.inbox_limit is not None else account.inbox_limit,
                    daily_limit=row.daily_limit if row.daily_limit is not None else account.daily_limit,
                    last_assigned_at=last,
                    credit=balance.get(row.user_id, 0),
                )
            )
        return Snapshot(agents, tickets, _rules(queue), account.restrictions)

    async def keep(self, account: Account, round_: Round, plan: Plan, ids: Sequence[str]) -> list[Decision]:
        known = await self._run(
            "SELECT ticket, outcome FROM tickets WHERE account = :account AND ticket = ANY(:tickets)",
            tickets=[d.ticket for d in plan.decisions],
        )
        before = {r.ticket: r.outcome for r in known}
        news = [d for d in plan.decisions if d.agent is not None or before.get(d.ticket) != d.outcome.value]
        if not news:
            return []
        await self._chain(account, round_, news, ids)
        assigned = [(d, i) for d, i in zip(news, ids, strict=False) if d.outcome is Outcome.ASSIGNED]
        await self._assign(round_, assigned)
        await self._run(
            "UPDATE tickets t SET outcome = v.outcome FROM unnest(CAST(:tickets AS bigint[]), CAST(:outcomes AS text[])) "
            "AS v(ticket, outcome) WHERE t.account = :account AND t.ticket = v.ticket",
            tickets=[d.ticket for d in news],
            outcomes=[d.outcome.value for d in news],
        )
        await self._run(
            "INSERT INTO rotation (account, queue, agent_id, balance) SELECT :account, :queue, a, b "
            "FROM unnest(CAST(:agents AS bigint[]), CAST(:balances AS bigint[])) AS v(a, b) "
            "ON CONFLICT (account, queue, agent_id) DO UPDATE SET balance = excluded.balance",
            queue=round_.queue.id,
            agents=list(plan.balances),
            balances=list(plan.balances.values()),
        )
        return news

    async def _chain(
        self, account: Account, round_: Round, news: Sequence[Decision], ids: Sequence[str]
    ) -> None:
        last = (
            await self._run(
                "SELECT sequence, hash FROM decisions WHERE account = :account ORDER BY sequence DESC LIMIT 1"
            )
        ).one_or_none()
        sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
        rows = []
        for decision, decision_id in zip(news, ids, strict=False):
            sequence += 1
            row = _row_of(account, round_, decision, decision_id, sequence)
            previous = chain_hash(previous, chained(self._account, row))
            rows.append(
                {
                    "account": self._account,
                    "id": row.id,
                    "sequence": row.sequence,
                    "ticket": row.ticket,
                    "outcome": row.outcome,
                    "agent_id": row.agent_id,
                    "group_id": row.group_id,
                    "queue": row.queue,
                    "mechanism": row.mechanism,
                    "model": row.model,
                    "command": row.command,
                    "as_of": row.as_of,
                    "detail": json.dumps(row.rejected),
                    "candidates": row.candidates,
                    "rule_version": row.rule_version,
                    "rank": row.rank,
                    "write": row.write,
                    "hash": previous,
                }
            )
        await self._connection.execute(
            text(
                "INSERT INTO decisions (account, id, sequence, ticket, outcome, agent_id, group_id, queue, mechanism, "
                "model, command, as_of, detail, candidates, rule_version, rank, write, hash) VALUES (:account, :id, "
                ":sequence, :ticket, :outcome, :agent_id, :group_id, :queue, :mechanism, :model, :command, :as_of, "
                "CAST(:detail AS jsonb), :candidates, :rule_version, :rank, :write, :hash)"
            ),
            rows,
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
        await self._run(
            "INSERT INTO assignments (account, id, ticket, agent_id, group_id, queue, mechanism, state, assigned_at) "  # noqa: S608 - constants only
            f"SELECT :account, v.id, v.ticket, v.agent, v.grp, :queue, :mechanism, 'committed', :as_of FROM {unnest}",
            **values,
        )
        await self._run(
            "INSERT INTO outbox (account, id, ticket, agent_id, group_id, read_at, queue, as_of, state, attempts, fence, "  # noqa: S608 - constants only
            "lease_until) SELECT :account, v.id, v.ticket, v.agent, v.grp, t.updated_at, :queue, :as_of, 'pending', 0, 0, "
            f"'-infinity' FROM {unnest} JOIN tickets t ON t.account = :account AND t.ticket = v.ticket",
            **values,
        )
        await self._run(
            "UPDATE tickets t SET routing = 'assigned', assignee_id = v.agent, group_id = v.grp, assigned_at = :as_of "  # noqa: S608 - constants only
            f"FROM {unnest} WHERE t.account = :account AND t.ticket = v.ticket",
            **values,
        )

    async def take_writes(self, limit: int, lease_seconds: float) -> list[Write]:
        rows = await self._run(
            "UPDATE outbox o SET fence = o.fence + 1, attempts = o.attempts + 1, "
            "lease_until = clock_timestamp() + make_interval(secs => :lease) FROM (SELECT id FROM outbox "
            "WHERE account = :account AND state = 'pending' AND lease_until < clock_timestamp() "
            "ORDER BY as_of, id LIMIT :limit FOR UPDATE SKIP LOCKED) due "
            "WHERE o.account = :account AND o.id = due.id RETURNING o.*",
            lease=lease_seconds,
            limit=limit,
        )
        return [
            Write(r.id, r.ticket, r.agent_id, r.group_id, r.read_at, r.queue, r.as_of, r.attempts, r.fence)
            for r in rows
        ]

    async def finish_write(self, write: Write, state: str) -> bool:
        done = await self._run(
            "UPDATE outbox SET state = :state WHERE account = :account AND id = :id AND fence = :fence "
            "AND state = 'pending' RETURNING id",
            id=write.id,
            fence=write.fence,
            state=state,
        )
        if done.one_or_none() is None:
            return False
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
            # A turn that became no work is given back (facts: decision 14).
            await self._run(
                "UPDATE rotation SET balance = balance + :turn WHERE account = :account AND queue = :queue "
                "AND agent_id = :agent",
                turn=TURN,
                queue=write.queue,
                agent=write.agent_id,
            )
            await self._run(
                "UPDATE tickets SET routing = 'not_routable', assignee_id = NULL, outcome = '', assigned_at = NULL, "
                "updated_at = '-infinity' WHERE account = :account AND ticket = :ticket",
                ticket=write.ticket,
            )
        return True

    async def release_write(self, write: Write, read_at: datetime | None) -> None:
        await self._run(
            "UPDATE outbox SET lease_until = '-infinity', read_at = coalesce(CAST(:read_at AS timestamptz), read_at) "
            "WHERE account = :account AND id = :id AND fence = :fence",
            id=write.id,
            fence=write.fence,
            read_at=read_at,
        )

    async def pending(self) -> int:
        found = await self._run("SELECT count(*) FROM outbox WHERE account = :account AND state = 'pending'")
        return int(found.scalar_one())

    async def one(self, decision: str) -> DecisionRow | None:
        found = await self._run("SELECT * FROM decisions WHERE account = :account AND id = :id", id=decision)
        row = found.one_or_none()
        return _decision(row) if row else None

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


def _rules(queue: QueueRow) -> Queue:
    return Queue(
        id=queue.id,
        model=Model(queue.model),
        agents=frozenset(queue.agents),
        use_sla=queue.use_sla,
        batch_size=queue.batch_size,
        daily_limit=queue.daily_limit,
        scheduled=queue.kind == "scheduled",
    )


def _row_of(
    account: Account, round_: Round, decision: Decision, decision_id: str, sequence: int
) -> DecisionRow:
    rejected: dict[str, list[int]] = {}
    for agent, code in sorted(decision.codes.items()):
        if code is not Code.CHOSEN:
            rejected.setdefault(code.value, []).append(agent)
    assigned = decision.outcome is Outcome.ASSIGNED
    return DecisionRow(
        id=decision_id,
        sequence=sequence,
        ticket=decision.ticket,
        outcome=decision.outcome.value,
        agent_id=decision.agent,
        group_id=decision.group,
        queue=round_.queue.id,
        mechanism=round_.mechanism,
        model=round_.queue.model,
        command=round_.command,
        as_of=round_.as_of,
        rejected=rejected,
        candidates=len(decision.codes),
        rule_version=account.rule_version,
        rank=decision.rank,
        write="pending" if assigned else "none",
        hash=b"",
    )
