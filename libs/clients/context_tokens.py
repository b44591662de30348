"""Context tokens for calls to other services, fetched from auth and reused for half their life."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.clients.channels import Channels
from libs.crypto.revocations import Revocations
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, account_name
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub

AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]
REUSE = timedelta(seconds=30)
_MAXIMUM = 10_000
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Person:
    """The two credentials of a person who acts through the edge.

    Attributes:
        installation_token: from the app's hidden setting.
        session_token: from the signed URL.
    """

    installation_token: str
    session_token: str


@dataclass(frozen=True, slots=True)
class _Known:
    since: datetime
    token: str = field(repr=False)
    account: AccountId


class ContextTokens:
    """Fetches and caches context tokens.

    Args:
        channels: to auth.
        service: our own name: the job in whose name we act.
        clock: token times.
        revocations: what is revoked, so that nobody is sent with a token that is dead already.
    """

    def __init__(
        self, channels: Channels, service: str, clock: Clock, revocations: Revocations | None = None
    ) -> None:
        self._channels = channels
        self._service = service
        self._clock = clock
        self._forgotten = 0
        if revocations is not None:
            revocations.on_revoked(self._forget)
        self._cache: OrderedDict[tuple[object, str], _Known] = OrderedDict()
        self._asking: dict[tuple[object, str], tuple[asyncio.Lock, int]] = {}

    async def job(self, account: AccountId, audience: str) -> Metadata:
        """Return metadata for a call in our own name."""
        request = messages.ExchangeContextRequest(
            account=account_name(account), job=self._service, audience=audience
        )
        token, _ = await self._token((account, audience), request)
        return (("authorization", f"Bearer {token}"),)

    async def person(self, person: Person, audience: str) -> tuple[Metadata, AccountId]:
        """Return metadata for a call in a person's name, and the person's account.

        Raises:
            grpc.aio.AioRpcError: UNAUTHENTICATED when a credential is dead.
        """
        request = messages.ExchangeContextRequest(
            installation_token=person.installation_token,
            session_token=person.session_token,
            audience=audience,
        )
        token, account = await self._token((person, audience), request)
        return (("authorization", f"Bearer {token}"),), account

    async def _token(
        self, key: tuple[object, str], request: messages.ExchangeContextRequest
    ) -> tuple[str, AccountId]:
        async with self._alone(key):
            known = self._cache.get(key)
            now = self._clock.now()
            if known is not None and now - REUSE < known.since <= now:
                return known.token, known.account
            stub = AuthServiceStub(self._channels.to("auth", [AUTH]))
            forgotten = self._forgotten
            answer = await stub.ExchangeContext(request)
            account = AccountId(answer.account.removeprefix("accounts/"))
            if self._forgotten != forgotten:  # something ended meanwhile, perhaps this: use it once
                return answer.context_token, account
            self._cache[key] = _Known(now, answer.context_token, account)
            self._cache.move_to_end(key)
            while len(self._cache) > _MAXIMUM:
                self._cache.popitem(last=False)
            return answer.context_token, account

    def _forget(self, account: AccountId | None) -> None:
        self._forgotten += 1
        for key in [k for k, known in self._cache.items() if account in (None, known.account)]:
            del self._cache[key]

    @contextlib.asynccontextmanager
    async def _alone(self, key: tuple[object, str]) -> AsyncIterator[None]:
        """Let one caller per key ask auth; nothing is kept of a key that nobody asks for.

        Strangers choose the keys: a lock per credential ever seen would fill the memory.
        """
        lock, users = self._asking.get(key, (asyncio.Lock(), 0))
        self._asking[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._asking.pop(key)
            if users > 1:
                self._asking[key] = (lock, users - 1)
