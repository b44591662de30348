"""Users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from libs.zendesk.answers import shaped
from libs.zendesk.exports import Checkpoint, Export, ExportPage
from libs.zendesk.models import CustomRole, User
from libs.zendesk.paging import Pages
from libs.zendesk.tickets import id_list
from libs.zendesk.transport import Transport


class Users:
    """`/api/v2/users` and the roles they have."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def agents(self) -> list[User]:
        """Return every agent and admin of the account, ordered by id."""
        found: dict[int, User] = {}
        for role in ("agent", "admin"):
            async for user in Pages(self._transport, "users", "users", User.of, params={"role": role}):
                found[user.id] = user
        return [found[i] for i in sorted(found)]

    async def show(self, user_id: int) -> User:
        """Return one user.

        Raises:
            RecordNotFoundError: there is none.
        """
        return await self._transport.fetch("GET", "users/{id}", "user", User.of, {"id": user_id})

    async def show_many(self, user_ids: Sequence[int]) -> list[User]:
        """Return the users among at most 100 ids that exist."""
        params = {"ids": id_list(user_ids)}
        return await self._transport.fetch_list("users/show_many", "users", User.of, params=params)

    async def me(self) -> User | None:
        """Return the token's user; None for Zendesk's anonymous answer (id null)."""
        answer = await self._transport.call("GET", "users/me")
        row = shaped("GET users/me", lambda: answer["user"])
        return shaped("GET users/me", lambda: User.of(row) if row.get("id") else None)

    async def set_user_fields(self, user_id: int, values: Mapping[str, Any]) -> User:
        """Write values of user fields by key; others stay."""
        return await self._change(user_id, {"user_fields": dict(values)})

    async def suspend(self, user_id: int, *, suspended: bool = True) -> User:
        """Set or lift the user's suspension (the right to object, facts: Zendesk §10)."""
        return await self._change(user_id, {"suspended": suspended})

    async def _change(self, user_id: int, values: Mapping[str, Any]) -> User:
        return await self._transport.fetch(
            "PUT",
            "users/{id}",
            "user",
            User.of,
            {"id": user_id},
            body={"user": dict(values)},
            idempotent=True,
        )

    async def changed(self, checkpoint: Checkpoint) -> ExportPage[User]:
        """Return one page of users changed since a checkpoint, a minute late. Admins only."""
        export = Export(self._transport, "incremental/users/cursor", "users", User.of, settled=False)
        return await export.page(checkpoint)

    async def custom_roles(self) -> list[CustomRole]:
        """Return the account's roles (Enterprise; others answer 403 or 404)."""
        return await self._transport.fetch_list("custom_roles", "custom_roles", CustomRole.of)
