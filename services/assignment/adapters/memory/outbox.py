"""Changes on their way to Zendesk, in memory."""

from __future__ import annotations

from dataclasses import replace

from services.assignment.adapters.memory.tables import Tables
from services.assignment.app.rows import Write
from services.assignment.domain.rotation import TURN


class MemoryOutbox:
    """Implements the port `Outbox`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def take(self, limit: int, lease_seconds: float) -> list[Write]:
        now = self._tables.clock()
        due = [k for k in self._tables.outbox.values() if k.state == "pending" and k.lease_until < now]
        due.sort(key=lambda k: (k.write.as_of, k.write.id))
        taken = []
        for kept in due[:limit]:
            write = replace(kept.write, fence=kept.write.fence + 1, attempts=kept.write.attempts + 1)
            self._tables.outbox[write.id] = replace(kept, write=write, lease_until=now + lease_seconds)
            taken.append(write)
        return taken

    async def finish(self, write: Write, state: str) -> bool:
        kept = self._tables.outbox.get(write.id)
        if kept is None or kept.state != "pending" or kept.write.fence != write.fence:
            return False
        self._tables.outbox[write.id] = replace(kept, state=state)
        done = "confirmed" if state == "confirmed" else "conflict"
        self._tables.assignments[write.id] = replace(self._tables.assignments[write.id], state=done)
        self._tables.decisions[write.id] = replace(self._tables.decisions[write.id], write=state)
        if state != "confirmed":
            self._undo(write)
        return True

    def _undo(self, write: Write) -> None:
        turn = (write.queue, write.agent_id)
        if self._tables.assignments[write.id].mechanism == "queue":  # a pull took no turn
            self._tables.rotation[turn] = self._tables.rotation.get(turn, 0) + TURN
        ticket = self._tables.tickets[write.ticket]
        facts = replace(ticket.row.facts, assignee_id=None, updated_at=ticket.row.facts.created_at)
        row = replace(ticket.row, facts=facts, routing="not_routable", assigned_at=None)
        self._tables.tickets[write.ticket] = replace(ticket, row=row, outcome="")

    async def release(self, write: Write) -> None:
        kept = self._tables.outbox.get(write.id)
        if kept is not None and kept.write.fence == write.fence:
            self._tables.outbox[write.id] = replace(kept, lease_until=float("-inf"))

    async def pending(self) -> int:
        return sum(k.state == "pending" for k in self._tables.outbox.values())
