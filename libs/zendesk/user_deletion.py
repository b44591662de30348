"""From a user to nothing: soft deletion, permanent deletion, its progress (facts: Zendesk §10)."""

from __future__ import annotations

from libs.zendesk.errors import RecordNotFoundError
from libs.zendesk.models import ComplianceStatus, DeletedUser
from libs.zendesk.paging import Pages, Position
from libs.zendesk.transport import Transport


class UserDeletion:
    """`/api/v2/deleted_users` and what leads there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def delete(self, user_id: int) -> None:
        """Delete softly: the user becomes inactive and cannot be brought back.

        Raises:
            RecordInvalidError: the user is the requester of a ticket that is not closed.
            RecordNotFoundError: there is none.
        """
        await self._transport.call("DELETE", "users/{id}", {"id": user_id}, idempotent=True)

    async def deleted(self, user_id: int) -> DeletedUser | None:
        """Return a softly deleted user who is not yet permanently deleted, or None."""
        try:
            return await self._transport.fetch(
                "GET", "deleted_users/{id}", "deleted_user", DeletedUser.of, {"id": user_id}
            )
        except RecordNotFoundError:
            return None

    def all_deleted(self, *, start: Position | None = None) -> Pages[DeletedUser]:
        """Walk through deleted users, the permanently deleted ones among them."""
        return Pages(self._transport, "deleted_users", "deleted_users", DeletedUser.of, start=start)

    async def delete_permanently(self, user_id: int) -> None:
        """Delete a softly deleted user for good, over all of Zendesk's products. Not reversible.

        Raises:
            RecordNotFoundError: there is no such softly deleted user.
        """
        await self._transport.call("DELETE", "deleted_users/{id}", {"id": user_id}, idempotent=True)

    async def compliance(self, user_id: int) -> list[ComplianceStatus]:
        """Return how far the permanent deletion has come, per product.

        Raises:
            RecordNotFoundError: the user is not one of the account, or was not permanently deleted.
        """
        return await self._transport.fetch_list(
            "users/{id}/compliance_deletion_statuses",
            "compliance_deletion_statuses",
            ComplianceStatus.of,
            {"id": user_id},
        )
