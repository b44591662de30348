"""Changes on their way to Zendesk, in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.assignment.adapters.memory.tables import ROUTABLE, KeptWrite, Tables
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
        if write.kind in ("tag", "untag"):
            return True
        if write.kind == "group":
            group = write.group_id or 0
            if state != "confirmed" and self._tables.group_turns.get(group):
                self._tables.group_turns[group] -= 1
            if write.tags:
                self._read_anew(write.ticket)
            return True
        if write.kind == "release":
            self._released(write, state)
            return True
        done = "confirmed" if state == "confirmed" else "conflict"
        self._tables.assignments[write.id] = replace(self._tables.assignments[write.id], state=done)
        self._tables.decisions[write.id] = replace(self._tables.decisions[write.id], write=state)
        if state != "confirmed":
            self._undo(write)
        return True

    def _released(self, write: Write, state: str) -> None:
        if state == "confirmed":
            self._read_anew(write.ticket)

    def _read_anew(self, ticket: int) -> None:
        # Zendesk's times are whole seconds: what it says now is news, even in the second of our change.
        kept = self._tables.tickets[ticket]
        facts = replace(kept.row.facts, updated_at=datetime.fromtimestamp(0, UTC))
        self._tables.tickets[ticket] = replace(kept, row=replace(kept.row, facts=facts))

    async def release_tickets(
        self,
        agent: int,
        ids: Sequence[str],
        at: datetime,
        only: int | None = None,
        tags: tuple[str, ...] = (),
        note: str = "",
    ) -> int:
        free, _ = self._open(agent, only)
        for ticket, write_id in zip(free, ids, strict=False):
            group = self._tables.tickets[ticket].row.facts.group_id
            write = Write(write_id, ticket, agent, group, "", at, 0, 0, "release", tags, note)
            self._tables.outbox[write_id] = KeptWrite(write)
        return len(self._open(agent, only)[1])

    async def tag_tickets(
        self,
        agent: int,
        statuses: Collection[str],
        tag: str,
        new_id: Callable[[], str],
        at: datetime,
        note: str = "",
    ) -> int:
        going = {
            k.write.ticket
            for k in self._tables.outbox.values()
            if k.state == "pending" and tag in k.write.tags and k.write.kind != "untag"
        }
        mine = [
            ticket
            for ticket, kept in sorted(self._tables.tickets.items())
            if kept.row.facts.assignee_id == agent
            and kept.row.facts.status in statuses
            and ticket not in going
        ]
        return self._tags("tag", agent, mine, tag, new_id, at, note)

    async def send_to_group(
        self, ticket: int, place: int, write_id: str, at: datetime, tags: tuple[str, ...] = ()
    ) -> None:
        self._tables.outbox[write_id] = KeptWrite(
            Write(write_id, ticket, 0, place, "", at, 0, 0, "group", tags)
        )

    async def untag_tickets(self, agent: int, tag: str, new_id: Callable[[], str], at: datetime) -> int:
        tagged: dict[int, datetime] = {}
        untagged: dict[int, datetime] = {}
        for key, kept in self._tables.outbox.items():
            write = kept.write
            if tag not in write.tags:
                continue
            if write.kind == "untag":
                untagged[write.ticket] = max(write.as_of, untagged.get(write.ticket, write.as_of))
            elif write.kind in ("tag", "release") and write.agent_id == agent:
                tagged[write.ticket] = max(write.as_of, tagged.get(write.ticket, write.as_of))
                if write.kind == "tag" and kept.state == "pending":
                    self._tables.outbox[key] = replace(kept, state="conflict")
        due = sorted(t for t, when in tagged.items() if t not in untagged or untagged[t] < when)
        return self._tags("untag", agent, due, tag, new_id, at)

    def _tags(
        self,
        kind: str,
        agent: int,
        tickets: Sequence[int],
        tag: str,
        new_id: Callable[[], str],
        at: datetime,
        note: str = "",
    ) -> int:
        for ticket in tickets:
            write = Write(new_id(), ticket, agent, None, "", at, 0, 0, kind, (tag,), note)
            self._tables.outbox[write.id] = KeptWrite(write)
        return len(tickets)

    async def releasable(self, agent: int, only: int | None = None) -> tuple[int, int]:
        free, going = self._open(agent, only)
        return len(free), len(going)

    def _open(self, agent: int, only: int | None) -> tuple[list[int], list[int]]:
        """Return an agent's open tickets that no write is on its way to, and those on their way back."""
        mine = [
            ticket
            for ticket, kept in sorted(self._tables.tickets.items())
            if kept.row.facts.assignee_id == agent
            and kept.row.facts.status in ROUTABLE
            and only in (None, ticket)
        ]
        going = [t for t in mine if self._tables.pending(t, ["release"])]
        return [t for t in mine if not self._tables.pending(t)], going

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
