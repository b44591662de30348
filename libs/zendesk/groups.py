"""Groups and group memberships."""

from __future__ import annotations

from libs.zendesk.models import Group, Membership
from libs.zendesk.paging import cursor_pages
from libs.zendesk.transport import Transport


class Groups:
    """`/api/v2/groups`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Group]:
        """Return every group that is not deleted."""
        rows = [g async for g in cursor_pages(self._transport, "groups", "groups", Group.of)]
        return [g for g in rows if not g.deleted]


class Memberships:
    """`/api/v2/group_memberships`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Membership]:
        """Return every membership of the account."""
        pages = cursor_pages(self._transport, "group_memberships", "group_memberships", Membership.of)
        return [m async for m in pages]

    async def of_user(self, user_id: int) -> list[Membership]:
        """Return one agent's memberships."""
        pages = cursor_pages(
            self._transport,
            "users/{id}/group_memberships",
            "group_memberships",
            Membership.of,
            {"id": user_id},
        )
        return [m async for m in pages]
