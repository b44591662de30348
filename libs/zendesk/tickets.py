"""Tickets: reading and changing safely."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from libs.zendesk.answers import shaped
from libs.zendesk.errors import RecordNotFoundError
from libs.zendesk.exports import Checkpoint, Export, ExportPage
from libs.zendesk.models import Audit, Job, Json, Skip, Ticket
from libs.zendesk.paging import Pages, Position
from libs.zendesk.transport import Transport


def stamp(updated_at: datetime) -> str:
    """Return an `updated_stamp` in Zendesk's spelling."""
    return updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def custom_fields(values: Mapping[int, Any]) -> list[Json]:
    """Return `custom_fields` of a request."""
    return [{"id": key, "value": value} for key, value in values.items()]


def id_list(ids: Sequence[int]) -> str:
    """Return ids as the `ids` parameter takes them."""
    return ",".join(map(str, ids))


class Tickets:
    """`/api/v2/tickets`.

    Where a method takes `fields`, these are ids of the custom fields whose values are kept; all others are
    dropped, because end users fill them in.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, ticket_id: int, *, fields: Collection[int] = ()) -> Ticket:
        """Return one ticket.

        Raises:
            RecordNotFoundError: there is none, or it is deleted.
        """
        return await self._transport.fetch(
            "GET", "tickets/{id}", "ticket", lambda row: Ticket.of(row, fields), {"id": ticket_id}
        )

    async def show_many(self, ticket_ids: Sequence[int], *, fields: Collection[int] = ()) -> list[Ticket]:
        """Return the tickets among at most 100 ids that exist."""
        return await self._transport.fetch_list(
            "tickets/show_many",
            "tickets",
            lambda row: Ticket.of(row, fields),
            params={"ids": id_list(ticket_ids)},
        )

    async def breaches(self, ticket_ids: Sequence[int], *, alone: int = 20) -> dict[int, datetime | None]:
        """Return when the SLA of each of at most 100 tickets is breached next; None = no SLA runs.

        Args:
            alone: how many are at most asked for one by one, where Zendesk leaves SLAs out of a list (its
                documents are thin, facts: Zendesk, decision 19). Those beyond it are not in the answer.
        """
        params = {"ids": id_list(ticket_ids), "include": "slas"}
        answer = await self._transport.call("GET", "tickets/show_many", params=params)
        rows = shaped("GET tickets/show_many", lambda: list(answer["tickets"]))
        found = [row for row in rows if "slas" in row]
        left_out = [row for row in rows if "slas" not in row]
        for row in left_out[:alone]:
            with contextlib.suppress(RecordNotFoundError):
                one = await self._transport.call(
                    "GET", "tickets/{id}", {"id": row["id"]}, params={"include": "slas"}
                )
                found.append(shaped("GET tickets/{id}", lambda one=one: one["ticket"]))  # type: ignore[misc]  # bound at once
        tickets = shaped("GET tickets/show_many", lambda: [Ticket.of(row) for row in found])
        return {ticket.id: ticket.next_breach_at for ticket in tickets}

    async def requested(self, user_id: int, *, fields: Collection[int] = ()) -> list[Ticket]:
        """Return every ticket that the user requested, the deleted ones not among them."""
        return await Pages(
            self._transport,
            "users/{id}/tickets/requested",
            "tickets",
            lambda row: Ticket.of(row, fields),
            {"id": user_id},
        ).all()

    async def of_view(self, view_id: int) -> list[Ticket]:
        """Return the tickets of a view; rows may repeat or be missing when it changes meanwhile."""
        pages = Pages(self._transport, "views/{id}/tickets", "tickets", Ticket.of, {"id": view_id})
        return list({t.id: t async for t in pages}.values())

    async def of_view_since(self, view_id: int, since: datetime) -> tuple[list[Ticket], bool]:
        """Return the tickets of a view that changed at an instant or later, and maybe more; the latest first.

        For a view without groups: these come before the order. Rows may repeat, but for these none is missing: what
        changes meanwhile moves to the front, and others back.

        Returns:
            The tickets, and whether these are all that the view holds.
        """
        route, sorting = "views/{id}/tickets", {"sort_by": "updated", "sort_order": "desc"}
        pages = Pages(self._transport, route, "tickets", Ticket.of, {"id": view_id}, params=sorting)
        found: dict[int, Ticket] = {}
        latest, sorted_so_far = datetime.max.replace(tzinfo=UTC), True
        async for ticket in pages:
            sorted_so_far = sorted_so_far and ticket.updated_at <= latest
            latest = ticket.updated_at
            if sorted_so_far and latest < since and not pages.on_last_page:
                return list(found.values()), False
            found.setdefault(ticket.id, ticket)
        return list(found.values()), True

    async def changed(self, checkpoint: Checkpoint, *, fields: Collection[int] = ()) -> ExportPage[Ticket]:
        """Return one page of tickets changed since a checkpoint; never the last minute. Admins only."""
        export = Export(
            self._transport,
            "incremental/tickets/cursor",
            "tickets",
            lambda row: Ticket.of(row, fields),
            settled=True,
        )
        return await export.page(checkpoint)

    async def create(self, values: Mapping[str, Any], *, idempotency_key: str) -> Ticket:
        """Create one ticket; repeating the call with the same key within 2 h makes no second one.

        Args:
            values: members of Zendesk's `ticket` object.
            idempotency_key: of this creation, e.g. a ULID.
        """
        body = {"ticket": dict(values)}
        answer = await self._transport.call("POST", "tickets", body=body, idempotency_key=idempotency_key)
        return shaped("POST tickets", lambda: Ticket.of(answer["ticket"]))

    async def update(
        self,
        ticket_id: int,
        values: Mapping[str, Any],
        *,
        read_at: datetime | None = None,
        fields: Collection[int] = (),
    ) -> Ticket:
        """Change one ticket. Not repeated when its outcome is unknown: read the ticket and judge.

        Args:
            values: members of Zendesk's `ticket` object.
            read_at: the `updated_at` that was read: the change is refused when the ticket is newer.

        Raises:
            UpdateConflictError: the ticket changed since `read_at`.
        """
        ticket = dict(values)
        if read_at is not None:
            ticket |= {"safe_update": True, "updated_stamp": stamp(read_at)}
        return await self._transport.fetch(
            "PUT",
            "tickets/{id}",
            "ticket",
            lambda row: Ticket.of(row, fields),
            {"id": ticket_id},
            body={"ticket": ticket},
        )

    async def update_many(self, tickets: Sequence[Mapping[str, Any]]) -> Job:
        """Change at most 100 tickets by one job, each with its own `id` and values. Always safe.

        Raises:
            TooManyJobsError: 30 jobs of the account are queued or running.
        """
        return await self._transport.fetch(
            "PUT",
            "tickets/update_many",
            "job_status",
            Job.of,
            body={"tickets": [dict(t) for t in tickets]},
            cost=len(tickets),
        )

    def audits(self, ticket_id: int, *, start: Position | None = None) -> Pages[Audit]:
        """Walk through who changed which fields and when, oldest first."""
        ids = {"id": ticket_id}
        return Pages(self._transport, "tickets/{id}/audits", "audits", Audit.of, ids, start=start)

    async def tags(self, ticket_id: int) -> tuple[str, ...]:
        """Return a ticket's tags."""
        return await self._transport.fetch("GET", "tickets/{id}/tags", "tags", tuple, {"id": ticket_id})

    async def add_tags(self, ticket_id: int, tags: Collection[str]) -> None:
        """Add tags; those that are there stay."""
        await self._tag("PUT", ticket_id, tags)

    async def remove_tags(self, ticket_id: int, tags: Collection[str]) -> None:
        """Take tags away; others stay."""
        await self._tag("DELETE", ticket_id, tags)

    async def _tag(self, method: str, ticket_id: int, tags: Collection[str]) -> None:
        body = {"tags": sorted(tags)}
        await self._transport.call(method, "tickets/{id}/tags", {"id": ticket_id}, body=body, idempotent=True)

    async def skip(self, ticket_id: int, reason: str = "") -> Skip:
        """Let the token's user pass a ticket over in guided mode."""
        body = {"skip": {"ticket_id": ticket_id, "reason": reason}}
        return await self._transport.fetch("POST", "skips", "skip", Skip.of, body=body)

    def skips(self, *, user_id: int | None = None, start: Position | None = None) -> Pages[Skip]:
        """Walk through skips, of one agent or of all."""
        if user_id is None:
            return Pages(self._transport, "skips", "skips", Skip.of, start=start)
        return Pages(self._transport, "users/{id}/skips", "skips", Skip.of, {"id": user_id}, start=start)
