"""Erasure at Zendesk (facts: Zendesk §10). Every call may be repeated: gone already is as good as done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import grpc

from libs.clients.zendesk_access import ZendeskClients
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.rpc.errors import reason_of
from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import (
    JobFailedError,
    RecordNotFoundError,
    TooManyRequestsError,
    ZendeskError,
    ZendeskUnavailableError,
)
from services.privacy.app.ports import ParticipantMissingError, StepRefusedError

NAME = "zendesk"
_AWAY = (ZendeskUnavailableError, TooManyRequestsError, JobFailedError)


class ZendeskErasure:
    """Implements the port `Zendesk`."""

    def __init__(self, clients: ZendeskClients) -> None:
        self._clients = clients

    @asynccontextmanager
    async def _client(self, account: AccountId) -> AsyncIterator[ZendeskClient]:
        """Give the account's client, and translate what goes wrong within the block."""
        try:
            yield await self._clients.of(account)
        except _AWAY as error:
            raise ParticipantMissingError(
                NAME, str(error), retry_after_seconds=error.retry_after_seconds or 0.0
            ) from error
        except ZendeskError as error:
            raise StepRefusedError(f"ZENDESK_REFUSED: {error}") from error
        except grpc.aio.AioRpcError as error:
            raise ParticipantMissingError(NAME, reason_of(error) or error.code().name) from error
        except DependencyUnavailableError as error:
            raise ParticipantMissingError(NAME, error.reason) from error

    async def tickets(self, account: AccountId, user: int) -> list[int]:
        async with self._client(account) as client:
            return await _requested(client, user)

    async def trash(self, account: AccountId, ticket: int) -> None:
        async with self._client(account) as client:
            with suppress(RecordNotFoundError):
                await client.ticket_deletion.trash(ticket)

    async def destroy(self, account: AccountId, tickets: Sequence[int]) -> None:
        async with self._client(account) as client:
            await client.jobs.wait(await client.ticket_deletion.destroy_many(tickets))

    async def role(self, account: AccountId, user: int) -> str | None:
        async with self._client(account) as client:
            try:
                return (await client.users.show(user)).role
            except RecordNotFoundError:
                return None

    async def delete_user(self, account: AccountId, user: int) -> None:
        async with self._client(account) as client:
            with suppress(RecordNotFoundError):
                if (await client.users.show(user)).active:
                    await client.user_deletion.delete(user)

    async def destroy_user(self, account: AccountId, user: int) -> None:
        async with self._client(account) as client:
            if await client.user_deletion.deleted(user) is not None:
                await client.user_deletion.delete_permanently(user)

    async def compliance(self, account: AccountId, user: int) -> dict[str, bool] | None:
        async with self._client(account) as client:
            try:
                statuses = await client.user_deletion.compliance(user)
            except RecordNotFoundError:
                return None
        done = {s.application for s in statuses if s.action == "complete"}
        return {s.application: s.application in done for s in statuses if s.action == "started"}

    async def left(self, account: AccountId, user: int) -> int:
        async with self._client(account) as client:
            found = 0
            with suppress(RecordNotFoundError):
                await client.users.show(user)
                found += 1
            if await client.user_deletion.deleted(user) is not None:
                found += 1
            return found + len(await _requested(client, user))


async def _requested(client: ZendeskClient, user: int) -> list[int]:
    try:
        return [ticket.id for ticket in await client.tickets.requested(user)]
    except RecordNotFoundError:
        return []
