"""Groups, group memberships, organisations."""

from __future__ import annotations

from collections.abc import Sequence

from libs.zendesk.models import Group, Job, Membership, Organization
from libs.zendesk.paging import Pages, Position
from libs.zendesk.tickets import id_list
from libs.zendesk.transport import Transport


class Groups:
    """`/api/v2/groups`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Group]:
        """Return every group that is not deleted."""
        rows = await Pages(self._transport, "groups", "groups", Group.of).all()
        return [g for g in rows if not g.deleted]

    async def show(self, group_id: int) -> Group:
        """Return one group.

        Raises:
            RecordNotFoundError: there is none.
        """
        return await self._transport.fetch("GET", "groups/{id}", "group", Group.of, {"id": group_id})


class Memberships:
    """`/api/v2/group_memberships`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self) -> list[Membership]:
        """Return every membership of the account."""
        return await Pages(self._transport, "group_memberships", "group_memberships", Membership.of).all()

    async def of_user(self, user_id: int) -> list[Membership]:
        """Return one agent's memberships."""
        return await self._of("users/{id}/group_memberships", user_id)

    async def of_group(self, group_id: int) -> list[Membership]:
        """Return one group's memberships."""
        return await self._of("groups/{id}/memberships", group_id)

    async def _of(self, template: str, owner: int) -> list[Membership]:
        pages = Pages(self._transport, template, "group_memberships", Membership.of, {"id": owner})
        return await pages.all()

    async def create(self, user_id: int, group_id: int) -> Membership:
        """Put an agent into a group."""
        body = {"group_membership": {"user_id": user_id, "group_id": group_id}}
        return await self._transport.fetch(
            "POST", "group_memberships", "group_membership", Membership.of, body=body
        )

    async def delete(self, membership_id: int) -> None:
        """Take an agent out of a group; a job of Zendesk's gives his working tickets back to it."""
        await self._transport.call("DELETE", "group_memberships/{id}", {"id": membership_id}, idempotent=True)

    async def delete_many(self, membership_ids: Sequence[int]) -> Job:
        """Delete at most 100 memberships by one job."""
        params = {"ids": id_list(membership_ids)}
        return await self._transport.fetch(
            "DELETE", "group_memberships/destroy_many", "job_status", Job.of, params=params, idempotent=True
        )


class Organizations:
    """`/api/v2/organizations`: ids alone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, *, start: Position | None = None) -> Pages[Organization]:
        """Walk through the account's organisations."""
        return Pages(self._transport, "organizations", "organizations", Organization.of, start=start)
