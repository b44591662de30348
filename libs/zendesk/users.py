"""Users, and the deletion of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from libs.zendesk.errors import RecordNotFoundError
from libs.zendesk.models import ComplianceStatus, User
from libs.zendesk.paging import ExportPage, cursor_pages, export_page
from libs.zendesk.transport import Transport


class Users:
    """`/api/v2/users` and what hangs on it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def agents(self) -> list[User]:
        """Return every agent and admin of the account, ordered by id."""
        found: dict[int, User] = {}
        for role in ("agent", "admin"):
            async for user in cursor_pages(self._transport, "users", "users", User.of, params={"role": role}):
                found[user.id] = user
        return [found[i] for i in sorted(found)]

    async def show(self, user_id: int) -> User:
        """Return one user.

        Raises:
            RecordNotFoundError: there is none.
        """
        return User.of((await self._transport.call("GET", "users/{id}", {"id": user_id}))["user"])

    async def show_many(self, user_ids: Sequence[int]) -> list[User]:
        """Return the users among at most 100 ids that exist."""
        page = await self._transport.call(
            "GET", "users/show_many", params={"ids": ",".join(map(str, user_ids))}
        )
        return [User.of(row) for row in page["users"]]

    async def me(self) -> User | None:
        """Return the token's user; None for Zendesk's anonymous answer (id null)."""
        row = (await self._transport.call("GET", "users/me"))["user"]
        return User.of(row) if row.get("id") else None

    async def set_user_fields(self, user_id: int, values: Mapping[str, Any]) -> User:
        """Write values of user fields by key; others stay."""
        body = {"user": {"user_fields": dict(values)}}
        answer = await self._transport.call("PUT", "users/{id}", {"id": user_id}, body=body, idempotent=True)
        return User.of(answer["user"])

    async def suspend(self, user_id: int, *, suspended: bool = True) -> User:
        """Set or lift the user's suspension."""
        body = {"user": {"suspended": suspended}}
        answer = await self._transport.call("PUT", "users/{id}", {"id": user_id}, body=body, idempotent=True)
        return User.of(answer["user"])

    async def delete(self, user_id: int) -> User:
        """Delete softly: the user becomes inactive and cannot be brought back.

        Raises:
            RecordInvalidError: the user is the requester of a ticket that is not closed.
        """
        answer = await self._transport.call("DELETE", "users/{id}", {"id": user_id}, idempotent=True)
        return User.of(answer["user"])

    async def delete_permanently(self, user_id: int) -> None:
        """Delete a softly deleted user for good, over all of Zendesk's products. Not reversible."""
        await self._transport.call("DELETE", "deleted_users/{id}", {"id": user_id})

    async def deleted(self, user_id: int) -> User | None:
        """Return a softly deleted user who is not yet permanently deleted, or None."""
        try:
            answer = await self._transport.call("GET", "deleted_users/{id}", {"id": user_id})
        except RecordNotFoundError:
            return None
        return User.of({"role": "end-user", **answer["deleted_user"]})

    async def compliance(self, user_id: int) -> list[ComplianceStatus]:
        """Return how far the permanent deletion has come, per product."""
        page = await self._transport.call("GET", "users/{id}/compliance_deletion_statuses", {"id": user_id})
        return [ComplianceStatus.of(row) for row in page["compliance_deletion_statuses"]]

    async def changed(self, *, cursor: str | None, start_time: int) -> ExportPage[User]:
        """Return one page of users changed since a cursor or a Unix time."""
        return await export_page(
            self._transport,
            "incremental/users/cursor",
            "users",
            User.of,
            cursor=cursor,
            start_time=start_time,
        )
