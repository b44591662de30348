"""Tickets: reading, changing safely, deleting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from libs.zendesk.models import Job, Ticket
from libs.zendesk.paging import ExportPage, cursor_pages, export_page
from libs.zendesk.transport import Json, Transport


def stamp(updated_at: datetime) -> str:
    """Return an `updated_stamp` in Zendesk's spelling."""
    return updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def custom_fields(values: Mapping[int, Any]) -> list[Json]:
    """Return `custom_fields` of a request."""
    return [{"id": key, "value": value} for key, value in values.items()]


class Tickets:
    """`/api/v2/tickets` and `/api/v2/deleted_tickets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def show(self, ticket_id: int) -> Ticket:
        """Return one ticket.

        Raises:
            RecordNotFoundError: there is none, or it is deleted.
        """
        answer = await self._transport.call("GET", "tickets/{id}", {"id": ticket_id})
        return Ticket.of(answer["ticket"])

    async def show_many(self, ticket_ids: Sequence[int]) -> list[Ticket]:
        """Return the tickets among at most 100 ids that exist."""
        page = await self._transport.call(
            "GET", "tickets/show_many", params={"ids": ",".join(map(str, ticket_ids))}
        )
        return [Ticket.of(row) for row in page["tickets"]]

    async def requested(self, user_id: int) -> list[Ticket]:
        """Return every ticket that the user requested, the deleted ones not among them."""
        pages = cursor_pages(
            self._transport, "users/{id}/tickets/requested", "tickets", Ticket.of, {"id": user_id}
        )
        return [t async for t in pages]

    async def of_view(self, view_id: int) -> list[Ticket]:
        """Return the tickets of a view; rows may repeat or be missing when it changes meanwhile."""
        pages = cursor_pages(self._transport, "views/{id}/tickets", "tickets", Ticket.of, {"id": view_id})
        return list({t.id: t async for t in pages}.values())

    async def changed(self, *, cursor: str | None, start_time: int) -> ExportPage[Ticket]:
        """Return one page of tickets changed since a cursor or a Unix time; never the last minute."""
        return await export_page(
            self._transport,
            "incremental/tickets/cursor",
            "tickets",
            Ticket.of,
            cursor=cursor,
            start_time=start_time,
        )

    async def update(
        self, ticket_id: int, values: Mapping[str, Any], *, read_at: datetime | None = None
    ) -> Ticket:
        """Change one ticket.

        Args:
            values: members of Zendesk's `ticket` object.
            read_at: the `updated_at` that was read: the change is refused when the ticket is newer.

        Raises:
            UpdateConflictError: the ticket changed since `read_at`.
        """
        ticket = dict(values)
        if read_at is not None:
            ticket |= {"safe_update": True, "updated_stamp": stamp(read_at)}
        answer = await self._transport.call("PUT", "tickets/{id}", {"id": ticket_id}, body={"ticket": ticket})
        return Ticket.of(answer["ticket"])

    async def update_many(self, tickets: Sequence[Mapping[str, Any]]) -> Job:
        """Change at most 100 tickets by one job, each with its own `id` and values. Always safe."""
        answer = await self._transport.call(
            "PUT", "tickets/update_many", body={"tickets": [dict(t) for t in tickets]}
        )
        return Job.of(answer["job_status"])

    async def delete(self, ticket_id: int) -> None:
        """Move one ticket to the trash."""
        await self._transport.call("DELETE", "tickets/{id}", {"id": ticket_id}, idempotent=True)

    async def delete_permanently(self, ticket_ids: Sequence[int]) -> Job:
        """Destroy at most 100 tickets of the trash by one job. Not reversible."""
        ids = ",".join(map(str, ticket_ids))
        answer = await self._transport.call("DELETE", "deleted_tickets/destroy_many", params={"ids": ids})
        return Job.of(answer["job_status"])
