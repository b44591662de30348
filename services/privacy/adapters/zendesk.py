"""Erasure at Zendesk (facts: Zendesk §10). Every call may be repeated: gone already is as good as done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from libs.clients.zendesk_access import ZendeskClients
from libs.kernel.ids import AccountId
from libs.zendesk.errors import RecordNotFoundError

BATCH = 100


class ZendeskErasure:
    """Implements the port `Zendesk`."""

    def __init__(self, clients: ZendeskClients) -> None:
        self._clients = clients

    async def tickets(self, account: AccountId, user: int) -> list[int]:
        client = await self._clients.of(account)
        try:
            return [t.id for t in await client.tickets.requested(user)]
        except RecordNotFoundError:
            return []

    async def trash(self, account: AccountId, ticket: int) -> None:
        client = await self._clients.of(account)
        with suppress(RecordNotFoundError):
            await client.tickets.delete(ticket)

    async def destroy(self, account: AccountId, tickets: Sequence[int]) -> None:
        client = await self._clients.of(account)
        for begin in range(0, len(tickets), BATCH):
            await client.jobs.wait(await client.tickets.delete_permanently(tickets[begin : begin + BATCH]))

    async def role(self, account: AccountId, user: int) -> str | None:
        client = await self._clients.of(account)
        try:
            return (await client.users.show(user)).role
        except RecordNotFoundError:
            return None

    async def delete_user(self, account: AccountId, user: int) -> None:
        client = await self._clients.of(account)
        with suppress(RecordNotFoundError):
            if (await client.users.show(user)).active:
                await client.users.delete(user)

    async def destroy_user(self, account: AccountId, user: int) -> None:
        client = await self._clients.of(account)
        if await client.users.deleted(user) is not None:
            await client.users.delete_permanently(user)

    async def compliance(self, account: AccountId, user: int) -> dict[str, bool]:
        client = await self._clients.of(account)
        try:
            statuses = await client.users.compliance(user)
        except RecordNotFoundError:
            return {}
        done = {s.application for s in statuses if s.action == "complete"}
        return {s.application: s.application in done for s in statuses if s.action == "started"}

    async def left(self, account: AccountId, user: int) -> int:
        client = await self._clients.of(account)
        found = 0
        with suppress(RecordNotFoundError):
            await client.users.show(user)
            found += 1
        if await client.users.deleted(user) is not None:
            found += 1
        return found + len(await self.tickets(account, user))
