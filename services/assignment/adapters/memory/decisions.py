"""Rounds and decisions in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from libs.crypto.chain import GENESIS
from services.assignment.adapters.memory.skills import MemorySkills
from services.assignment.adapters.memory.tables import KeptAssignment, KeptWrite, Tables
from services.assignment.app.rounds import DAILY_WINDOW, candidate, link, needs, news, rules, run_start
from services.assignment.app.rows import (
    Account,
    AgentRow,
    DecisionRow,
    OfferRow,
    QueueRow,
    Round,
    SummaryRow,
    Write,
)
from services.assignment.domain.inputs import digest, dump, load
from services.assignment.domain.model import Agent, Decision, Outcome, Plan, Snapshot, Ticket


class MemoryDecisions:
    """Implements the port `Decisions`. A transaction has its account for itself, so locks are held already."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def lock(self) -> None:
        return None

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
        waiting = [
            kept.row.facts
            for number, kept in self._tables.tickets.items()
            if ticket in (None, number) and self._tables.holds(queue, number, as_of)
        ]
        breaches = {i: at for i, (_, at) in self._tables.slas.items() if at} if queue.use_sla else {}
        far = datetime.max.replace(tzinfo=UTC)
        waiting.sort(key=lambda f: (breaches.get(f.id, far), f.created_at, f.id))
        declined: dict[int, set[int]] = {}
        for number, agent in self._tables.declines:
            declined.setdefault(number, set()).add(agent)
        tickets = [
            Ticket(
                f.id,
                f.created_at,
                f.group_id,
                f.priority,
                next_breach_at=breaches.get(f.id),
                declined=frozenset(declined.get(f.id, ())),
                dedicated=self._tables.tickets[f.id].dedicated,
                entered_at=self._tables.tickets[f.id].entered_at,
            )
            for f in waiting[: queue.scan_limit]
        ]
        if queue.model == "skills":
            skilled = MemorySkills(self._tables)
            asked, known = await skilled.of_waiting(), self._tables.skills
            tickets = [replace(t, needs=needs(asked.get(t.id, ()), known)) for t in tickets]
            held = await skilled.of_agents()
        else:
            held = {}
        rows = (
            [self._tables.agents[i] for i in sorted(self._tables.agents)] if tickets or agents_anyway else []
        )
        agents = [
            self._candidate(account, self._tables.full_agent(row), queue, as_of, held.get(row.user_id))
            for row in rows
            if row.active and (only is None or row.user_id == only)
        ]
        return Snapshot(agents, tickets, rules(queue, pull=only is not None), account.restrictions, as_of)

    def _candidate(
        self,
        account: Account,
        row: AgentRow,
        queue: QueueRow,
        as_of: datetime,
        skills: Mapping[str, int] | None,
    ) -> Agent:
        mine = [
            a for a in self._tables.assignments.values() if a.agent == row.user_id and a.state != "conflict"
        ]
        recent = [(a.queue, a.at) for a in mine if a.mechanism == "queue" and a.at > as_of - DAILY_WINDOW] + [
            (o.queue, o.offered_at) for o in self._tables.live_offers() if o.agent_id == row.user_id
        ]
        batched = {
            q.id for q in self._tables.queues.values() if (q.kind, q.model) == ("scheduled", "round_robin")
        }
        return candidate(
            account,
            row,
            recent=(
                len(recent),
                sum(of == queue.id for of, _ in recent),
                sum(of in batched and at >= run_start(as_of) for of, at in recent),
            ),
            last=max((a.at for a in mine), default=None) if queue.model == "longest_idle" else None,
            skills=skills,
            credit=self._tables.rotation.get((queue.id, row.user_id), 0),
        )

    async def claim(self, tickets: Sequence[int]) -> dict[int, int | None]:
        known = {t: self._tables.tickets[t].row for t in sorted(tickets) if t in self._tables.tickets}
        return {t: row.facts.group_id for t, row in known.items() if row.routing == "waiting"}

    async def keep(
        self, account: Account, round_: Round, snapshot: Snapshot, plan: Plan, ids: Sequence[str]
    ) -> list[Decision]:
        kept = news(plan, {t: k.outcome for t, k in self._tables.tickets.items()})
        if not kept:
            return []
        facts = dump(snapshot)
        self._tables.inputs[digest(facts)] = (facts, round_.as_of)
        rows = link(account, round_, kept, ids, inputs=digest(facts), head=self._head())
        self._tables.decisions |= {row.id: row for row in rows}
        for decision, row in zip(kept, rows, strict=True):
            ticket = self._tables.tickets[decision.ticket]
            self._tables.tickets[decision.ticket] = replace(ticket, outcome=row.outcome)
            if decision.agent is None:
                continue
            if decision.outcome is Outcome.OFFERED:
                self._offer(round_, row, decision.agent)
            else:
                self._assign(round_, row, decision.agent)
        self._tables.rotation |= {(round_.queue.id, a): balance for a, balance in plan.balances.items()}
        return kept

    def _head(self) -> tuple[int, bytes]:
        last = max(self._tables.decisions.values(), key=lambda d: d.sequence, default=None)
        return (last.sequence, last.hash) if last else (0, GENESIS)

    def _offer(self, round_: Round, row: DecisionRow, agent: int) -> None:
        if any(o.ticket == row.ticket for o in self._tables.live_offers()):
            raise ValueError("a ticket has at most one live offer")
        self._tables.offers[row.id] = OfferRow(
            row.id,
            row.ticket,
            agent,
            row.group_id,
            round_.queue.id,
            "offered",
            round_.as_of,
            round_.expires_at,
        )
        ticket = self._tables.tickets[row.ticket]
        self._tables.tickets[row.ticket] = replace(ticket, row=replace(ticket.row, routing="offered"))

    def _assign(self, round_: Round, row: DecisionRow, agent: int) -> None:
        if any(a.ticket == row.ticket and a.live for a in self._tables.assignments.values()):
            raise ValueError("a ticket has at most one live assignment")
        self._tables.assignments[row.id] = KeptAssignment(
            row.ticket, agent, round_.queue.id, round_.mechanism, "committed", round_.as_of
        )
        write = Write(
            row.id, row.ticket, agent, row.group_id, round_.queue.id, round_.as_of, 0, 0, tags=round_.tags
        )
        self._tables.outbox[row.id] = KeptWrite(write)
        ticket = self._tables.tickets[row.ticket]
        facts = replace(ticket.row.facts, assignee_id=agent, group_id=row.group_id)
        self._tables.tickets[row.ticket] = replace(
            ticket, row=replace(ticket.row, facts=facts, routing="assigned", assigned_at=round_.as_of)
        )

    async def inputs(self, digest: str) -> Snapshot | None:
        kept = self._tables.inputs.get(digest)
        return load(kept[0]) if kept is not None else None

    async def forget_changes(self) -> int:
        return 0  # there are no copies

    async def forget_inputs(self, before: datetime, limit: int) -> int:
        old = [key for key, (_, at) in self._tables.inputs.items() if at < before][:limit]
        for key in old:
            del self._tables.inputs[key]
        return len(old)

    async def one(self, decision: str) -> DecisionRow | None:
        return self._tables.decisions.get(decision)

    async def given(self, agents: Collection[int], since: datetime) -> list[tuple[int, str, datetime]]:
        found = [
            (a.agent, a.queue, a.at)
            for a in self._tables.assignments.values()
            if a.agent in agents and a.mechanism == "queue" and a.state != "conflict" and a.at > since
        ]
        offers = [o for o in self._tables.live_offers() if o.agent_id in agents]
        return sorted(found + [(o.agent_id, o.queue, o.offered_at) for o in offers])

    async def live(self, ticket: int) -> str:
        offered = [o.id for o in self._tables.live_offers() if o.ticket == ticket]
        given = [
            i for i, a in self._tables.assignments.items() if (a.ticket, a.state) == (ticket, "committed")
        ]
        return next(iter((*given, *offered)), "")

    async def head(self) -> int:
        return self._head()[0]

    async def page(self, after: int, limit: int, ticket: int | None) -> list[DecisionRow]:
        rows = sorted(self._tables.decisions.values(), key=lambda d: d.sequence)
        return [r for r in rows if r.sequence > after and (ticket is None or r.ticket == ticket)][:limit]

    async def summary(self) -> SummaryRow:
        states = [a.state for a in self._tables.assignments.values()]
        done = [a.agent for a in self._tables.assignments.values() if a.state in ("confirmed", "ended")]
        return SummaryRow(
            tickets_in=len(self._tables.tickets),
            assigned=len(done),
            waiting=sum(k.row.routing == "waiting" for k in self._tables.tickets.values()),
            per_agent=dict(sorted(Counter(done).items())),
            decisions=len(self._tables.decisions),
            pending=sum(k.state == "pending" for k in self._tables.outbox.values()),
            conflicts=states.count("conflict"),
        )
