"""Writes assignments to Zendesk: exactly once, by safe update, with the audit fields.

Every write is fenced and leased on the database's clock. Before it is sent the ticket is read: our decision
id in the audit field means that it was carried out already, whatever came after; another assignee means that
somebody was faster, and slot and turn are given back. While Zendesk is out of reach writes wait, without end:
nothing is known of a write until Zendesk has answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import (
    RecordInvalidError,
    RecordNotFoundError,
    UpdateConflictError,
    ZendeskError,
)
from libs.zendesk.models import Ticket
from libs.zendesk.tickets import custom_fields, stamp
from services.assignment.app.copies import agent_of, facts_of, read_agent
from services.assignment.app.ports import Store, Zendesk
from services.assignment.app.rows import Account, Write

LEASE_SECONDS = 60.0
JOB_SECONDS = LEASE_SECONDS / 2
"""How long a job is waited for: a job that never ends must leave us time to give its writes back."""
BATCH = 100
SINGLE = 12
"""Up to this many tickets are written one by one; more by one job (`update_many`)."""
AUDIT_FIELDS = {
    "decision": "Setlist decision",
    "agent": "Setlist agent",
    "time": "Setlist assigned at",
    "queue": "Setlist queue",
}
STAMPS = 3
"""How often a ticket that keeps changing is read anew before its write waits for the next drain."""


@dataclass(slots=True)
class Written:
    """How a drain of the outbox ended."""

    confirmed: int = 0
    conflicts: int = 0
    failed: int = 0
    postponed: int = 0


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
                kept = await tx.directory.account()
                writes = await tx.outbox.take(BATCH, LEASE_SECONDS) if kept is not None else []
            if not writes or kept is None:
                return written
            before = written.postponed
            await self._write(kept, writes, written)
            if written.postponed > before:
                return written

    async def _write(self, account: Account, writes: Sequence[Write], written: Written) -> None:
        try:
            client = await self._zendesk.of(account.account)
            present = await _read(client, account, writes)
        except Exception as error:
            get_logger().warning(
                "zendesk is out of reach, writes wait", why=type(error).__name__, writes=len(writes)
            )
            for write in writes:
                await self._postpone(account, write, written)
            return
        due: list[tuple[Write, Ticket]] = []
        assigned = {w.ticket for w in writes if w.kind == "assign"}
        tags: list[Write] = []
        for write in writes:
            ticket = await self._unsettled(account, write, present.get(write.ticket), written)
            if ticket is not None and write.kind in ("tag", "untag") and not _with_note(write, ticket):
                tags.append(write)
            elif ticket is not None and write.kind == "group" and write.ticket in assigned:
                await self._postpone(
                    account, write, written
                )  # the assignment takes it there, or it comes again
            elif ticket is not None:
                due.append((write, ticket))
        await _all(self._tag(client, account, write, written) for write in tags)
        if len(due) <= SINGLE:
            await _all(self._one(client, account, w, t, written) for w, t in due)
        else:
            await self._many(client, account, due, written)

    async def _unsettled(
        self, account: Account, write: Write, ticket: Ticket | None, written: Written
    ) -> Ticket | None:
        """Return the ticket if the write is still to be sent; otherwise record how it ended."""
        if write.kind in ("tag", "untag"):
            if ticket is not None and ticket.status != "closed" and _to_tag(write, ticket):
                return ticket
            done = ticket is not None and (write.tags[0] in ticket.tags) == (write.kind == "tag")
            await self._finish(account, write, "confirmed" if done else "conflict", ticket, written)
            return None
        if write.kind == "group":
            tagged = ticket is not None and write.tags and write.tags[0] in ticket.tags
            if (
                ticket is not None
                and ticket.status in ("new", "open")
                and ticket.group_id is None
                and not tagged
            ):
                return ticket
            there = ticket is not None and ticket.group_id == write.group_id
            if write.tags:
                there = ticket is not None and write.tags[0] in ticket.tags
            await self._finish(account, write, "confirmed" if there else "conflict", ticket, written)
            return None
        if write.kind == "release":
            return await self._unreleased(account, write, ticket, written)
        if ticket is not None and ticket.custom_fields.get(account.fields.get("decision", 0)) == write.id:
            await self._finish(account, write, "confirmed", ticket, written)
        elif ticket is None or ticket.assignee_id is not None or ticket.status not in ("new", "open"):
            await self._finish(account, write, "conflict", ticket, written)
        else:
            return ticket
        return None

    async def _tag(self, client: ZendeskClient, account: Account, write: Write, written: Written) -> None:
        """Put a tag on a ticket, or take it off; twice is as good as once, so that no stamp is needed."""
        change = client.tickets.add_tags if write.kind == "tag" else client.tickets.remove_tags
        try:
            await change(write.ticket, write.tags)
        except (RecordNotFoundError, RecordInvalidError):
            await self._finish(account, write, "failed", None, written)
        except ZendeskError as error:
            get_logger().warning("a tag waits", write=write.id, status=error.status, route=error.route)
            await self._postpone(account, write, written)
        except Exception:
            await self._postpone(account, write, written)
            raise
        else:
            await self._finish(account, write, "confirmed", None, written)

    async def _unreleased(
        self, account: Account, write: Write, ticket: Ticket | None, written: Written
    ) -> Ticket | None:
        """Return the ticket if it is still to be given back: it is open, and his who gives it back."""
        if ticket is not None and ticket.status in ("new", "open"):
            if ticket.assignee_id == write.agent_id:
                return ticket
            if ticket.assignee_id is None:
                await self._finish(account, write, "confirmed", ticket, written)
                return None
        await self._finish(account, write, "conflict", ticket, written)
        return None

    @staticmethod
    def _values(account: Account, write: Write) -> dict[str, Any]:
        if write.kind == "group":
            return {"additional_tags": list(write.tags)} if write.tags else {"group_id": write.group_id}
        note = {"comment": {"body": write.note, "public": False}} if write.note else {}
        if write.kind == "tag":
            # INVARIANT: one change, so that the tag tells whether the note is there (facts: §2.8; nothing else would).
            return {"additional_tags": list(write.tags), **note}
        if write.kind == "release":
            tags = {"additional_tags": list(write.tags)} if write.tags else {}
            return {"assignee_id": None, **tags, **note}
        audit: Mapping[str, object] = {
            "decision": write.id,
            "agent": str(write.agent_id),
            "time": write.as_of.isoformat(),
            "queue": write.queue,
        }
        fields = {account.fields[key]: value for key, value in audit.items() if key in account.fields}
        # Always both: an assignee alone would also move the ticket to his default group.
        values = {
            "assignee_id": write.agent_id,
            "group_id": write.group_id,
            "custom_fields": custom_fields(fields),
        }
        return values | {"additional_tags": list(write.tags)} if write.tags else values

    async def _one(
        self, client: ZendeskClient, account: Account, write: Write, ticket: Ticket, written: Written
    ) -> None:
        values = self._values(account, write)
        try:
            for _ in range(STAMPS):
                try:
                    done = await client.tickets.update(write.ticket, values, read_at=ticket.updated_at)
                except UpdateConflictError:
                    fresh = (await _read(client, account, [write])).get(write.ticket)
                    still = await self._unsettled(account, write, fresh, written)
                    if still is None:
                        return
                    ticket = still
                else:
                    await self._finish(account, write, "confirmed", done, written)
                    return
        except RecordNotFoundError:
            await self._finish(account, write, "conflict", None, written)
            return
        except RecordInvalidError:
            if write.kind == "tag":  # better the tag alone than neither
                await self._tag(client, account, write, written)
            else:
                await self._refused(client, account, write, written)
            return
        except ZendeskError as error:
            get_logger().warning("a write waits", decision=write.id, status=error.status, route=error.route)
        except Exception:  # no token, say: it is told, and the write is free at once
            await self._postpone(account, write, written)
            raise
        await self._postpone(account, write, written)

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
            job = await client.tickets.update_many(batch)
            job = await client.jobs.wait(job, seconds=JOB_SECONDS, poll_seconds=0.05)
            present = await _read(client, account, [w for w, _ in due])
        except ZendeskError as error:
            get_logger().warning("writes wait", writes=len(due), status=error.status, route=error.route)
            for write, _ in due:
                await self._postpone(account, write, written)
            return
        except Exception:
            for write, _ in due:
                await self._postpone(account, write, written)
            raise
        succeeded = {row.id for row in job.results if row.success}
        rest = []
        for write, _ in due:
            ticket = present.get(write.ticket)
            if write.ticket in succeeded:
                await self._finish(account, write, "confirmed", ticket, written)
                continue
            # A row that the job refused is judged by what the ticket says now, as before it was sent.
            ticket = await self._unsettled(account, write, ticket, written)
            if ticket is not None:
                rest.append((write, ticket))
        await _all(self._one(client, account, w, t, written) for w, t in rest)

    async def _refused(self, client: ZendeskClient, account: Account, write: Write, written: Written) -> None:
        """Zendesk refused the values (422): learn why, so that the next round does not decide the same again."""
        try:
            ticket = (await _read(client, account, [write])).get(write.ticket)
            still = await self._unsettled(account, write, ticket, written)
            if still is None:
                return
            user, groups = await read_agent(client, write.agent_id)
        except ZendeskError:
            await self._postpone(account, write, written)
            return
        except Exception:
            await self._postpone(account, write, written)
            raise
        async with self._store.transaction(account.account) as tx:
            await tx.decisions.lock()
            known = await tx.directory.agent(write.agent_id)
            changed = fit = False
            if known is not None:
                fresh = (
                    agent_of(user, groups, known.status, known.status_at)
                    if user is not None
                    else replace(known, active=False, groups=())
                )
                changed = await tx.directory.refresh_agent(fresh)
                fit = fresh.active and not fresh.suspended and write.group_id in fresh.groups
            if not await tx.outbox.finish(write, "failed"):
                return
            await tx.tickets.store([facts_of(still)])
            # Nobody knew worse of the agent, nor does anybody now: it is the ticket. It waits until it is changed.
            if not changed and fit:
                await tx.tickets.park(write.ticket)
        written.failed += 1

    async def _finish(
        self, account: Account, write: Write, state: str, ticket: Ticket | None, written: Written
    ) -> None:
        async with self._store.transaction(account.account) as tx:
            if state != "confirmed":
                await tx.decisions.lock()
            if not await tx.outbox.finish(write, state):
                return
            if ticket is not None:
                await tx.tickets.store([facts_of(ticket)])
                if write.kind == "release" and state == "confirmed":
                    await tx.returns.forget_last(write.ticket)  # who gave it back is not preferred
            elif write.kind in ("tag", "untag"):
                pass  # the ticket was not read again
            elif (known := await tx.tickets.one(write.ticket)) is not None:
                await tx.tickets.store([replace(known.facts, status="deleted")])
        if state == "confirmed":
            written.confirmed += 1
        else:
            written.conflicts += 1

    async def _postpone(self, account: Account, write: Write, written: Written) -> None:
        written.postponed += 1
        async with self._store.transaction(account.account) as tx:
            await tx.outbox.release(write)


async def _read(client: ZendeskClient, account: Account, writes: Sequence[Write]) -> dict[int, Ticket]:
    """Read the tickets of some writes, with our own audit fields and no other."""
    ids, fields = [w.ticket for w in writes], account.fields.values()
    return {t.id: t for t in await client.tickets.show_many(ids, fields=fields)}


def _with_note(write: Write, ticket: Ticket) -> bool:
    """Tell whether a tag comes with a note: only on open tickets does anybody wait for the agent."""
    return write.kind == "tag" and bool(write.note) and ticket.status in ("new", "open")


def _to_tag(write: Write, ticket: Ticket) -> bool:
    """Tell whether a ticket still is to be tagged: it is his, and has not the tag; or untagged: it has it."""
    tagged = write.tags[0] in ticket.tags
    return not tagged and ticket.assignee_id == write.agent_id if write.kind == "tag" else tagged


async def _all(calls: Any) -> None:
    """Await every call, and only then raise the first failure: none goes on unwatched."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
