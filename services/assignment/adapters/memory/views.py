"""What is known of views, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from services.assignment.adapters.memory.tables import Tables
from services.assignment.domain.view_reads import News, ViewRead
from services.assignment.domain.webhook import TicketFacts


class MemoryViews:
    """Implements the port `Views`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def reads(self) -> dict[int, ViewRead]:
        return dict(self._tables.view_reads)

    async def put(self, read: ViewRead, before: datetime) -> bool:
        known = self._tables.view_reads.get(read.view)
        if known is not None and known.read_at != before:
            return False
        self._tables.view_reads[read.view] = read
        return True

    async def forget(self, views: Collection[int]) -> None:
        for view in views:
            self._tables.view_reads.pop(view, None)
            self._tables.view_tickets.pop(view, None)

    async def amend(self, view: int, shown: Collection[int], asked: Collection[int]) -> None:
        held = self._tables.view_tickets.get(view, frozenset())
        self._tables.view_tickets[view] = (held - set(asked)) | set(shown)

    async def heard(self, facts: Sequence[TicketFacts], at: datetime) -> None:
        if not self._tables.view_reads:
            return
        for one in facts:
            known = self._tables.view_news.get(one.id)
            if known is None or known[0] < one.updated_at:
                self._tables.view_news[one.id] = (one.updated_at, at)

    async def news(self, since: datetime) -> list[News]:
        found = []
        for ticket, (_, at) in sorted(self._tables.view_news.items()):
            kept = self._tables.tickets.get(ticket)
            if at >= since and kept is not None and kept.row.routing == "waiting":
                views = frozenset(v for v, held in self._tables.view_tickets.items() if ticket in held)
                found.append(News(kept.row.facts, at, views))
        return found

    async def forget_news(self, before: datetime) -> None:
        self._tables.view_news = {t: n for t, n in self._tables.view_news.items() if n[1] >= before}
