"""Tickets in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.assignment.adapters.memory.tables import ROUTABLE, KeptTicket, Tables
from services.assignment.app.rows import PARKED, SLA_SETTLES, QueueRow, TicketRow
from services.assignment.domain.rotation import TURN
from services.assignment.domain.webhook import TicketFacts


class MemoryTickets:
    """Implements the port `Tickets`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def store(self, facts: Sequence[TicketFacts]) -> int:
        stored = 0
        for one in sorted(facts, key=lambda f: f.id):
            known = self._tables.tickets.get(one.id)
            if known is not None and not _is_news(known, one):
                continue
            self._tables.tickets[one.id] = self._merged(known, one)
            stored += 1
        self._withdraw({f.id for f in facts})
        for key, kept in self._tables.assignments.items():
            ticket = self._tables.tickets.get(kept.ticket)
            if (
                kept.state == "confirmed"
                and kept.ticket in {f.id for f in facts}
                and (ticket is None or ticket.row.routing != "assigned")
            ):
                self._tables.assignments[key] = replace(kept, state="ended")
        return stored

    def _withdraw(self, tickets: set[int]) -> None:
        for offer in self._tables.live_offers():
            if offer.ticket in tickets and self._tables.tickets[offer.ticket].row.routing != "offered":
                self._tables.offers[offer.id] = replace(offer, state="withdrawn")
                self._tables.give_turn_back(offer.queue, offer.agent_id, TURN)

    def _merged(self, known: KeptTicket | None, facts: TicketFacts) -> KeptTicket:
        free = facts.assignee_id is None and facts.status in ROUTABLE
        if known is None:
            return KeptTicket(TicketRow(facts, "waiting" if free else "not_routable", None))
        before = known.row.facts
        known = replace(known, outcome="") if known.outcome == PARKED else known
        if facts.group_id is None and self._tables.pending(facts.id, ["group"]):
            facts = replace(facts, group_id=before.group_id)
        if before.requester_id is None:
            facts = replace(facts, requester_id=None)
        if self._tables.pending(facts.id):
            known = _returned(known, facts)
            # Whose it is said to be meanwhile is news again once our change has ended.
            at = facts.updated_at if facts.assignee_id == before.assignee_id else before.updated_at
            facts = replace(facts, assignee_id=before.assignee_id, updated_at=at)
            return replace(known, row=replace(known.row, facts=facts))
        if known.row.routing == "offered" and free:
            return replace(known, row=replace(known.row, facts=facts))
        known = _returned(known, facts)
        ours = known.row.routing == "assigned" and facts.assignee_id == before.assignee_id
        if facts.assignee_id is None and before.assignee_id is not None:
            known = replace(known, last_agent=before.assignee_id, last_agent_at=facts.updated_at)
        if not free:
            known = replace(known, dedicated=None)
        elif before.assignee_id is not None or before.status not in ROUTABLE:
            known = replace(known, entered_at=facts.updated_at)
        routing = "waiting" if free else "assigned" if ours and facts.status in ROUTABLE else "not_routable"
        return replace(known, row=replace(known.row, facts=facts, routing=routing))

    async def park(self, ticket: int) -> None:
        kept = self._tables.tickets.get(ticket)
        if kept is not None and kept.row.routing == "waiting":
            row = replace(kept.row, routing="not_routable")
            self._tables.tickets[ticket] = replace(kept, row=row, outcome=PARKED)

    async def put_group(self, ticket: int, group: int) -> None:
        kept = self._tables.tickets.get(ticket)
        if kept is not None and kept.row.routing == "waiting":
            facts = replace(kept.row.facts, group_id=group)
            self._tables.tickets[ticket] = replace(kept, row=replace(kept.row, facts=facts))

    async def dedicate(self, ticket: int, agent: int) -> None:
        if (kept := self._tables.tickets.get(ticket)) is not None:
            self._tables.tickets[ticket] = replace(kept, dedicated=agent)

    async def take_invocation(self, invocation: str, at: datetime) -> bool:
        if invocation in self._tables.invocations:
            return False
        self._tables.invocations[invocation] = at
        return True

    async def forget_invocations(self, before: datetime) -> int:
        old = [key for key, at in self._tables.invocations.items() if at < before]
        for key in old:
            del self._tables.invocations[key]
        return len(old)

    async def unread_slas(self, queue: QueueRow, limit: int, at: datetime) -> list[int]:
        held = [k.row.facts for i, k in self._tables.tickets.items() if self._tables.holds(queue, i, at)]
        unread = [f for f in held if self._unread(f)]
        return [f.id for f in sorted(unread, key=lambda f: (f.created_at, f.id))][:limit]

    def _unread(self, facts: TicketFacts) -> bool:
        known = self._tables.slas.get(facts.id)
        return known is None or known[0] < facts.updated_at + SLA_SETTLES

    async def put_slas(self, breaches: Mapping[int, datetime | None], at: datetime) -> None:
        read = self._tables.slas | {ticket: (at, breach) for ticket, breach in breaches.items()}
        kept = self._tables.tickets
        self._tables.slas = {
            i: sla for i, sla in read.items() if i in kept and kept[i].row.routing in ("waiting", "offered")
        }

    async def unknown(self, tickets: Collection[int]) -> set[int]:
        return set(tickets) - self._tables.tickets.keys()

    async def known(self, tickets: Collection[int]) -> set[int]:
        found = {i: self._tables.tickets[i].row.facts for i in tickets if i in self._tables.tickets}
        return {i for i, facts in found.items() if facts.status not in ("closed", "deleted")}

    async def one(self, ticket: int) -> TicketRow | None:
        kept = self._tables.tickets.get(ticket)
        return kept.row if kept else None

    async def page(self, after: int, limit: int, routing: str | None) -> list[TicketRow]:
        rows = [self._tables.tickets[i].row for i in sorted(self._tables.tickets) if i > after]
        return [r for r in rows if routing is None or r.routing == routing][:limit]

    async def waiting(self) -> int:
        return sum(k.row.routing == "waiting" for k in self._tables.tickets.values())

    async def holder(self, ticket: int, at: datetime) -> QueueRow | None:
        active = (q for q in self._tables.ordered_queues() if q.state == "active")
        return next((q for q in active if self._tables.holds(q, ticket, at)), None)


def _returned(known: KeptTicket, facts: TicketFacts) -> KeptTicket:
    """Return a ticket that knows whether, by these facts, it came back to who has it."""
    before = known.row.facts
    if facts.assignee_id is None or facts.assignee_id != before.assignee_id or facts.status not in ROUTABLE:
        return replace(known, returned_at=None)
    return known if before.status in ROUTABLE else replace(known, returned_at=facts.updated_at)


def _is_news(known: KeptTicket, facts: TicketFacts) -> bool:
    before = known.row.facts.updated_at
    if known.row.facts.status == "closed" and facts.status not in ("closed", "deleted"):
        return False
    if facts.updated_at != before:
        return facts.updated_at > before
    settled = known.row.routing == "assigned" or known.outcome == PARKED
    return not (settled and facts.assignee_id is None)
