"""User fields and ticket fields."""

from __future__ import annotations

from libs.zendesk.models import CustomField
from libs.zendesk.paging import Pages
from libs.zendesk.transport import Transport


class Fields:
    """`/api/v2/user_fields` or `/api/v2/ticket_fields`.

    Args:
        kind: `user_field` or `ticket_field`.
    """

    def __init__(self, transport: Transport, kind: str) -> None:
        self._transport = transport
        self._kind = kind

    async def all(self) -> list[CustomField]:
        """Return every field."""
        plural = f"{self._kind}s"
        return await Pages(self._transport, plural, plural, CustomField.of).all()

    async def create(self, *, type: str, title: str, key: str | None = None) -> CustomField:  # noqa: A002 - Zendesk's word
        """Create a field; `key` names a user field's value."""
        body = {self._kind: {"type": type, "title": title} | ({"key": key} if key else {})}
        return await self._transport.fetch("POST", f"{self._kind}s", self._kind, CustomField.of, body=body)
