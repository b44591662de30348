"""The account's Zendesk access, from auth: only auth refreshes."""

from __future__ import annotations

import httpx2

from libs.clients.channels import Channels
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, account_name
from libs.zendesk.budget import Budget
from libs.zendesk.client import ZendeskClient, new_pool
from libs.zendesk.tokens import Access, SharedToken
from libs.zendesk.windows import MemoryWindows, Windows
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub

AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]
REUSE_SECONDS = 60.0


class AuthTokens:
    """Implements `libs.zendesk.TokenSupply` for one account: one question to auth answers all who wait."""

    def __init__(self, channels: Channels, account: AccountId, clock: Clock) -> None:
        self._source = _Auth(channels, account, clock)
        self._shared = SharedToken(self._source)
        self._clock = clock

    async def access(self, known_version: int | None = None) -> Access:
        if self._clock.now().timestamp() >= self._source.until:
            self._shared.forget()
        return await self._shared.access(known_version)

    async def subdomain(self) -> str:
        """Return the account's subdomain."""
        return (await self._source.ask(None)).subdomain


class _Auth:
    """Auth's answers, and until when the last one may be used."""

    def __init__(self, channels: Channels, account: AccountId, clock: Clock) -> None:
        self._channels = channels
        self._account = account
        self._clock = clock
        self.until = 0.0

    async def access(self, known_version: int | None = None) -> Access:
        now = self._clock.now().timestamp()
        answer = await self.ask(known_version)
        ends = answer.expire_time.ToNanoseconds() / 1e9 if answer.HasField("expire_time") else now + 3600
        self.until = min(now + REUSE_SECONDS, ends)
        return Access(answer.access_token, answer.version)

    async def ask(self, known_version: int | None) -> messages.GetZendeskAccessResponse:
        stub = AuthServiceStub(self._channels.to("auth", [AUTH]))
        return await stub.GetZendeskAccess(
            messages.GetZendeskAccessRequest(
                account=account_name(self._account), known_version=known_version or 0
            )
        )


class ZendeskClients:
    """One Zendesk client per account and process.

    Args:
        channels: to auth.
        url_template: base URL with `{subdomain}`.
        clock: business time.
        windows: what the replicas of this service share of Zendesk's limits; without it each replica counts
            for itself.
        share: of an account's plan that this service takes at most.
    """

    def __init__(
        self,
        channels: Channels,
        url_template: str,
        clock: Clock,
        windows: Windows | None = None,
        share: float = 1.0,
    ) -> None:
        self._share = share
        self._channels = channels
        self._windows = windows or MemoryWindows(clock)
        self._template = url_template
        self._clock = clock
        self._pool: httpx2.AsyncClient = new_pool()
        self._clients: dict[AccountId, ZendeskClient] = {}

    async def of(self, account: AccountId) -> ZendeskClient:
        """Return the account's client.

        Raises:
            grpc.aio.AioRpcError: auth holds no working grant for the account.
        """
        if account not in self._clients:
            tokens = AuthTokens(self._channels, account, self._clock)
            base = self._template.format(subdomain=await tokens.subdomain())
            budget = Budget(account, self._windows, self._clock, self._share)
            made = ZendeskClient(base, tokens, self._pool, self._clock, budget)
            return self._clients.setdefault(account, made)  # one budget, whoever was first meanwhile
        return self._clients[account]

    async def close(self) -> None:
        """Close the connection pool."""
        await self._pool.aclose()
