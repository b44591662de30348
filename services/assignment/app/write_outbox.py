"""Writes assignments to Zendesk: exactly once, by safe update, with the audit fields.

Every write is fenced and leased on the database's clock. Before it is sent the ticket is read: our decision
id in the audit field means that a taker before us was done already; another assignee means that somebody
was faster, and slot and turn are given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import RecordInvalidError, UpdateConflictError, ZendeskError
from libs.zendesk.models import Ticket
from libs.zendesk.tickets import custom_fields, stamp
from services.assignment.app.ports import Account, Store, Write, Zendesk
from services.assignment.domain.webhook import TicketFacts

LEASE_SECONDS = 60.0
BATCH = 100
SINGLE = 12
"""Up to this many tickets are written one by one; more by one job (`update_many`)."""
AUDIT_FIELDS = {
    "decision": "Setlist decision",
    "agent": "Setlist agent",
    "time": "Setlist assigned at",
    "queue": "Setlist queue",
}
MAXIMUM_ATTEMPTS = 8


@dataclass(slots=True)
class Written:
    """How a drain of the outbox ended."""

    confirmed: int = 0
    conflicts: int = 0
    failed: int = 0
    postponed: int = 0


def facts_of(ticket: Ticket) -> TicketFacts:
    """Return the routing facts of a ticket that was read from Zendesk."""
    return TicketFacts(
        ticket.id,
        ticket.status,
        ticket.created_at,
        ticket.updated_at,
        ticket.group_id,
        ticket.assignee_id,
        ticket.requester_id,
        ticket.priority,
    )


class WriteOutbox:
    """Drains the outbox of an account."""

    def __init__(self, store: Store, zendesk: Zendesk) -> None:
        self._store = store
        self._zendesk = zendesk

    async def __call__(self, account: AccountId) -> Written:
        """Write what is pending, batch by batch, until nothing more can be done now."""
        written = Written()
        while True:
            async with self._store.transaction(account) as tx:
                writes = await tx.decisions.take_writes(BATCH, LEASE_SECONDS)
                kept = await tx.directory.account()
            if not writes or kept is None:
                return written
            before = written.postponed
            await self._write(kept, writes, written)
            if written.postponed > before:
                return written

    async def _write(self, account: Account, writes: Sequence[Write], written: Written) -> None:
        try:
            client = await self._zendesk.of(account.account)
            present = {t.id: t for t in await client.tickets.show_many([w.ticket for w in writes])}
        except Exception as error:
            get_logger().warning(
                "zendesk is out of reach, writes wait", why=type(error).__name__, writes=len(writes)
            )
            for write in writes:
                await self._postpone(account, write, written)
            return
        due: list[tuple[Write, Ticket]] = []
        for write in writes:
            ticket = present.get(write.ticket)
            if ticket is None or ticket.assignee_id is not None or ticket.status not in ("new", "open"):
                mine = ticket is not None and self._is_mine(account, write, ticket)
                await self._finish(account, write, "confirmed" if mine else "conflict", ticket, written)
            else:
                due.append((write, ticket))
        if len(due) <= SINGLE:
            await asyncio.gather(*(self._one(client, account, w, t, written) for w, t in due))
        else:
            await self._many(client, account, due, written)

    @staticmethod
    def _is_mine(account: Account, write: Write, ticket: Ticket) -> bool:
        return ticket.custom_fields.get(account.fields.get("decision", 0)) == write.id

    @staticmethod
    def _values(account: Account, write: Write) -> dict[str, Any]:
        audit: Mapping[str, object] = {
            "decision": write.id,
            "agent": str(write.agent_id),
            "time": write.as_of.isoformat(),
            "queue": write.queue,
        }
        fields = {account.fields[key]: value for key, value in audit.items() if key in account.fields}
        # Always both: an assignee alone would also move the ticket to his default group.
        return {
            "assignee_id": write.agent_id,
            "group_id": write.group_id,
            "custom_fields": custom_fields(fields),
        }

    async def _one(
        self, client: ZendeskClient, account: Account, write: Write, ticket: Ticket, written: Written
    ) -> None:
        try:
            done = await client.tickets.update(
                write.ticket, self._values(account, write), read_at=ticket.updated_at
            )
        except UpdateConflictError:
            await self._postpone(account, write, written)
        except RecordInvalidError:
            # E.g. the agent left the group meanwhile: this assignment can never be written.
            await self._finish(account, write, "failed", ticket, written)
        except ZendeskError:
            await self._postpone(account, write, written)
        else:
            await self._finish(account, write, "confirmed", done, written)

    async def _many(
        self, client: ZendeskClient, account: Account, due: Sequence[tuple[Write, Ticket]], written: Written
    ) -> None:
        batch = [
            {
                "id": w.ticket,
                **self._values(account, w),
                "safe_update": True,
                "updated_stamp": stamp(t.updated_at),
            }
            for w, t in due
        ]
        try:
            job = await client.jobs.wait(await client.tickets.update_many(batch), poll_seconds=0.05)
        except ZendeskError:
            for write, _ in due:
                await self._postpone(account, write, written)
            return
        succeeded = {r.id for r in job.results if r.success}
        present = {t.id: t for t in await client.tickets.show_many([w.ticket for w, _ in due])}
        for write, ticket in due:
            if write.ticket in succeeded and write.ticket in present:
                await self._finish(account, write, "confirmed", present[write.ticket], written)
            else:
                await self._one(client, account, write, present.get(write.ticket, ticket), written)

    async def _finish(
        self, account: Account, write: Write, state: str, ticket: Ticket | None, written: Written
    ) -> None:
        async with self._store.transaction(account.account) as tx:
            if not await tx.decisions.finish_write(write, state):
                return
            if ticket is not None:
                await tx.tickets.store([facts_of(ticket)])
        if state == "confirmed":
            written.confirmed += 1
        elif state == "conflict":
            written.conflicts += 1
        else:
            written.failed += 1

    async def _postpone(self, account: Account, write: Write, written: Written) -> None:
        if write.attempts >= MAXIMUM_ATTEMPTS:
            await self._finish(account, write, "failed", None, written)
            return
        written.postponed += 1
        async with self._store.transaction(account.account) as tx:
            await tx.decisions.release_write(write, None)
