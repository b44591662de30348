"""From a ticket to its tombstone: trash, restore, destroy, redact (facts: Zendesk §10)."""

from __future__ import annotations

from collections.abc import Sequence

from libs.zendesk.models import DeletedTicket, Job
from libs.zendesk.paging import NumberedPages, Position
from libs.zendesk.tickets import id_list
from libs.zendesk.transport import Transport


class TicketDeletion:
    """`/api/v2/deleted_tickets`, what leads there, and redaction."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def trash(self, ticket_id: int) -> None:
        """Move one ticket to the trash, from where it is destroyed after 30 days.

        Raises:
            RecordNotFoundError: there is none, or it is in the trash already.
        """
        await self._transport.call("DELETE", "tickets/{id}", {"id": ticket_id}, idempotent=True)

    async def trash_many(self, ticket_ids: Sequence[int]) -> Job:
        """Move at most 100 tickets to the trash by one job."""
        params = {"ids": id_list(ticket_ids)}
        return await self._transport.fetch(
            "DELETE", "tickets/destroy_many", "job_status", Job.of, params=params, idempotent=True
        )

    def trashed(self, *, start: Position | None = None) -> NumberedPages[DeletedTicket]:
        """Walk through the trash: the last 30 days, without archived tickets."""
        return NumberedPages(
            self._transport, "deleted_tickets", "deleted_tickets", DeletedTicket.of, start=start
        )

    async def restore(self, ticket_id: int) -> None:
        """Bring one ticket back.

        Raises:
            RecordNotFoundError: it is not in the trash.
        """
        await self._transport.call("PUT", "deleted_tickets/{id}/restore", {"id": ticket_id})

    async def destroy(self, ticket_id: int) -> Job:
        """Destroy one ticket of the trash by one job. Not reversible."""
        return await self._transport.fetch(
            "DELETE", "deleted_tickets/{id}", "job_status", Job.of, {"id": ticket_id}
        )

    async def destroy_many(self, ticket_ids: Sequence[int]) -> Job:
        """Destroy at most 100 tickets of the trash by one job; those that are not there stay as they are.

        Not reversible.
        """
        params = {"ids": id_list(ticket_ids)}
        return await self._transport.fetch(
            "DELETE", "deleted_tickets/destroy_many", "job_status", Job.of, params=params, idempotent=True
        )

    async def redact_text(self, ticket_id: int, comment_id: int, text: str) -> None:
        """Black out a text in one comment. Not reversible; it must be written exactly as it stands there."""
        ids = {"ticket": ticket_id, "comment": comment_id}
        await self._transport.call(
            "PUT", "tickets/{ticket}/comments/{comment}/redact", ids, body={"text": text}, idempotent=True
        )

    async def redact_comment(
        self, ticket_id: int, comment_id: int, html_body: str, attachment_urls: Sequence[str] = ()
    ) -> None:
        """Black out parts of one comment, closed and archived tickets included. Not reversible.

        Args:
            html_body: the comment with `<redact>…</redact>` around what shall go.
            attachment_urls: external attachments that shall go.
        """
        body = {
            "ticket_id": ticket_id,
            "html_body": html_body,
            "external_attachment_urls": list(attachment_urls),
        }
        await self._transport.call(
            "PUT", "comment_redactions/{id}", {"id": comment_id}, body=body, idempotent=True
        )
