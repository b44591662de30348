"""Tickets that came back, in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from services.assignment.adapters.memory.tables import Tables
from services.assignment.app.rows import Returned


class MemoryReturns:
    """Implements the port `Returns`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def last_agents(self, since: datetime) -> dict[int, tuple[int, datetime]]:
        return {
            ticket: (kept.last_agent, kept.last_agent_at)
            for ticket, kept in self._tables.tickets.items()
            if kept.row.routing == "waiting"
            and kept.last_agent is not None
            and kept.last_agent_at is not None
            and kept.last_agent_at > since
        }

    async def forget_last(self, ticket: int) -> None:
        if (kept := self._tables.tickets.get(ticket)) is not None:
            self._tables.tickets[ticket] = replace(kept, last_agent=None, last_agent_at=None)

    async def open_again(self) -> list[Returned]:
        found = []
        for ticket, kept in sorted(self._tables.tickets.items()):
            facts = kept.row.facts
            if kept.returned_at is not None and facts.assignee_id is not None:
                found.append(Returned(ticket, facts.assignee_id, facts.group_id))
        return found

    async def settle(self, tickets: Collection[int]) -> None:
        for ticket in tickets:
            if (kept := self._tables.tickets.get(ticket)) is not None:
                self._tables.tickets[ticket] = replace(kept, returned_at=None)
