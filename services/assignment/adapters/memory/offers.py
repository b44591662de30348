"""Offers and declines in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.assignment.adapters.memory.tables import KeptAssignment, KeptDecline, KeptWrite, Tables
from services.assignment.app.rows import OfferRow, Write
from services.assignment.domain.rotation import TURN


class MemoryOffers:
    """Implements the port `Offers`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def one(self, offer: str) -> OfferRow | None:
        return self._tables.offers.get(offer)

    async def live(self, ticket: int) -> OfferRow | None:
        return next((o for o in self._tables.live_offers() if o.ticket == ticket), None)

    async def due(self, as_of: datetime) -> list[OfferRow]:
        due = [o for o in self._tables.live_offers() if o.expires_at <= as_of]
        return sorted(due, key=lambda o: (o.offered_at, o.id))

    async def missed(self, agent: int, since: datetime) -> int:
        mine = [o for o in self._tables.offers.values() if o.agent_id == agent and o.offered_at >= since]
        answered = [o.offered_at for o in mine if o.state in ("accepted", "declined")]
        last = max(answered, default=None)
        return sum(o.state == "expired" and (last is None or o.offered_at > last) for o in mine)

    async def accept(self, offer: OfferRow, at: datetime) -> None:
        self._state(offer, "accepted")
        self._tables.assignments[offer.id] = KeptAssignment(
            offer.ticket, offer.agent_id, offer.queue, "queue", "committed", at
        )
        write = Write(offer.id, offer.ticket, offer.agent_id, offer.group_id, offer.queue, at, 0, 0)
        self._tables.outbox[offer.id] = KeptWrite(write)
        self._tables.decisions[offer.id] = replace(self._tables.decisions[offer.id], write="pending")
        kept = self._tables.tickets[offer.ticket]
        facts = replace(kept.row.facts, assignee_id=offer.agent_id, group_id=offer.group_id)
        row = replace(kept.row, facts=facts, routing="assigned", assigned_at=at)
        self._tables.tickets[offer.ticket] = replace(kept, row=row)

    async def end(self, offer: OfferRow, state: str, at: datetime) -> None:
        self._state(offer, state)
        self._tables.give_turn_back(offer.queue, offer.agent_id, TURN)
        kept = self._tables.tickets.get(offer.ticket)
        if kept is not None and kept.row.routing == "offered":
            row = replace(kept.row, routing="waiting")
            self._tables.tickets[offer.ticket] = replace(kept, row=row, outcome="")

    def _state(self, offer: OfferRow, state: str) -> None:
        self._tables.offers[offer.id] = replace(offer, state=state)

    async def decline(self, ticket: int, agent: int, kind: str, at: datetime) -> bool:
        known = self._tables.declines.get((ticket, agent))
        told = known is not None and known.told
        self._tables.declines[ticket, agent] = KeptDecline(kind, at, told)
        return not told

    async def last_decline(self, ticket: int) -> datetime | None:
        return max((d.at for (of, _), d in self._tables.declines.items() if of == ticket), default=None)

    async def told(self, ticket: int, agent: int) -> None:
        if (known := self._tables.declines.get((ticket, agent))) is not None:
            self._tables.declines[ticket, agent] = replace(known, told=True)

    async def unskip(self, agent: int) -> int:
        return self._forget(
            [k for k, d in self._tables.declines.items() if k[1] == agent and d.kind == "skip"]
        )

    async def forget_declines(self, before: datetime, limit: int) -> int:
        def awaited(ticket: int) -> bool:
            kept = self._tables.tickets.get(ticket)
            return kept is not None and kept.row.routing in ("waiting", "offered")

        old = [k for k, d in self._tables.declines.items() if d.at < before and not awaited(k[0])]
        return self._forget(old[:limit])

    async def lift(self, tickets: Sequence[int], before: datetime) -> int:
        last: dict[int, datetime] = {}
        for (ticket, _), one in self._tables.declines.items():
            last[ticket] = max(one.at, last.get(ticket, one.at))
        old = {t for t in tickets if t in last and last[t] <= before}
        return self._forget([k for k in self._tables.declines if k[0] in old])

    def _forget(self, keys: Sequence[tuple[int, int]]) -> int:
        for key in keys:
            del self._tables.declines[key]
        return len(keys)
