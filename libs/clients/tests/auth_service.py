"""An auth service that signs real context tokens and serves its keys, for the clients of auth."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import grpc

from libs.clients.channels import Channels
from libs.crypto.signer import Signer
from libs.crypto.tokens import CONTEXT_TYP
from libs.kernel.clock import ManualClock
from libs.kernel.errors import UnauthenticatedError
from libs.rpc.peers import PeerTable, rules
from libs.settings.service import ServiceSettings
from libs.testing.rpc import ISSUER, Rpc, rpc_harness
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server

AUTH = messages.DESCRIPTOR.services_by_name["AuthService"]
PEERS: PeerTable = rules(AUTH, [m.name for m in AUTH.methods], "edge", "policy", context=False)


class Auth(AuthServiceServicer):
    """Signs for whoever asks; counts, and can be held up or made to refuse."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.signer = Signer.generate("ctx-1")
        self.keys: list[Signer] = [self.signer]
        self.asked: list[messages.ExchangeContextRequest] = []
        self.key_requests = 0
        self.access_requests: list[int] = []
        self.access_ends: datetime | None = None
        self.version = 1
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuses = False
        self.generation = 1
        self.watched: list[int] = []
        self.streams: list[asyncio.Queue[messages.WatchRevocationsResponse | None]] = []
        self.watching = asyncio.Event()
        self._numbers = itertools.count(1)

    async def ExchangeContext(
        self, request: messages.ExchangeContextRequest, context: Any
    ) -> messages.ExchangeContextResponse:
        self.asked.append(request)
        self.arrived.set()
        await self.gate.wait()
        if self.refuses:
            raise UnauthenticatedError("the token is not valid")
        account = request.account or "accounts/acc-9"
        now = int(self.clock.now().timestamp())
        values = {
            "iss": ISSUER,
            "aud": request.audience,
            "sub": f"service:{request.job}" if request.job else "user:7",
            "tid": account.removeprefix("accounts/"),
            "ins": "1",
            "gen": self.generation,
            "peer": request.job or "edge",
            "jti": str(next(self._numbers)),
            "iat": now,
            "exp": now + 60,
        }
        return messages.ExchangeContextResponse(
            context_token=self.signer.sign(values, CONTEXT_TYP), account=account, generation=self.generation
        )

    async def WatchRevocations(
        self, request: messages.WatchRevocationsRequest, context: Any
    ) -> AsyncIterator[messages.WatchRevocationsResponse]:
        said: asyncio.Queue[messages.WatchRevocationsResponse | None] = asyncio.Queue()
        self.watched.append(request.position)
        self.streams.append(said)
        self.watching.set()
        while (message := await said.get()) is not None:
            yield message

    async def stream(self) -> asyncio.Queue[messages.WatchRevocationsResponse | None]:
        """Return the next stream that somebody opens; None in it ends it."""
        await self.watching.wait()
        self.watching.clear()
        return self.streams[-1]

    async def GetZendeskAccess(
        self, request: messages.GetZendeskAccessRequest, context: Any
    ) -> messages.GetZendeskAccessResponse:
        self.access_requests.append(request.known_version)
        await self.gate.wait()
        if self.refuses:
            raise UnauthenticatedError("the token is not valid")
        self.version = max(self.version, request.known_version + 1)
        answer = messages.GetZendeskAccessResponse(
            access_token=f"zendesk-{self.version}", version=self.version, subdomain="widgets"
        )
        if self.access_ends is not None:
            answer.expire_time.FromDatetime(self.access_ends)
        return answer

    async def GetKeySet(self, request: messages.GetKeySetRequest, context: Any) -> messages.GetKeySetResponse:
        self.key_requests += 1
        keys = [
            resources.PublicKey(
                jwk_json=json.dumps(signer.public_key().jwk()), kind=resources.TOKEN_KIND_CONTEXT
            )
            for signer in self.keys
        ]
        installation = Signer.generate("ins-1").public_key().jwk()
        keys.append(
            resources.PublicKey(jwk_json=json.dumps(installation), kind=resources.TOKEN_KIND_INSTALLATION)
        )
        return messages.GetKeySetResponse(keys=keys)


@asynccontextmanager
async def running_auth() -> AsyncIterator[tuple[Auth, Channels, Rpc]]:
    """Serve an `Auth` and give channels to it with policy's certificate."""
    clock = ManualClock()
    auth = _Concrete(clock)

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(auth, server)

    async with rpc_harness("auth", PEERS, [AUTH], add, clock=clock, verifies_context=False) as rpc:
        channels = Channels(ServiceSettings(auth_address=rpc.address), rpc.files("policy"))
        yield auth, channels, rpc
        await channels.close()


_Concrete: Any = Auth  # what is not written above answers UNIMPLEMENTED
