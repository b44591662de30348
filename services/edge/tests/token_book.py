"""An auth service that knows some tokens by heart, and the edge before it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2

from libs.kernel.clock import SystemClock
from libs.kernel.errors import DependencyUnavailableError, ErrorKind, SetlistError
from libs.rpc.peers import rules
from libs.testing.rpc import rpc_harness
from services.edge.main import build_app
from services.edge.settings import EdgeSettings
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as auth
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server

AUTH = auth.DESCRIPTOR.services_by_name["AuthService"]
PUBLIC_URL = "https://edge.example.com/setlist"
ISSUER = "https://auth.example.com"
CLIENTS: dict[str, dict[str, object]] = {
    "gateway": {"may": ["introspect"]},
    "desk": {"may": ["introspect", "revoke"]},
    "acme": {"may": ["introspect", "revoke"], "account": "acc-1"},
}


def secret(client: str) -> str:
    """Return a client's secret: with characters that Basic must encode."""
    return f"secret of {client}: 100%+"


class NotRevocableError(SetlistError):
    """As auth says it of a context token."""

    kind = ErrorKind.INVALID
    reason = "TOKEN_NOT_REVOCABLE"


class TokenBook(AuthServiceServicer):
    """Knows tokens; forgets those that are revoked."""

    def __init__(self) -> None:
        self.away = False
        self.revoked: list[str] = []
        self.keys = [{"kty": "EC", "kid": "ins-1"}, {"kty": "EC", "kid": "ctx-1"}]
        self.tokens = {"living": "acc-1", "of another": "acc-2"}

    async def VerifyToken(self, request: auth.VerifyTokenRequest, context: Any) -> auth.VerifyTokenResponse:
        if self.away:
            raise DependencyUnavailableError("the database does not answer")
        account = self.tokens.get(request.token)
        if account is None:
            return auth.VerifyTokenResponse(active=False)
        answer = auth.VerifyTokenResponse(
            active=True,
            kind=resources.TOKEN_KIND_INSTALLATION,
            issuer=ISSUER,
            subject="zendesk:acme",
            audience=f"{ISSUER}/edge",
            account=f"accounts/{account}",
            installation="55",
            token_id="tok-1",
        )
        answer.issue_time.seconds, answer.expire_time.seconds = 1_767_600_000, 1_775_376_000
        return answer

    async def RevokeToken(self, request: auth.RevokeTokenRequest, context: Any) -> auth.RevokeTokenResponse:
        if self.away:
            raise DependencyUnavailableError("the database does not answer")
        if request.token == "context":
            raise NotRevocableError("a context token cannot be revoked by itself")
        self.tokens.pop(request.token, None)
        self.revoked.append(request.token)
        return auth.RevokeTokenResponse()

    async def WatchRevocations(
        self, request: auth.WatchRevocationsRequest, context: Any
    ) -> AsyncIterator[auth.WatchRevocationsResponse]:
        yield auth.WatchRevocationsResponse(snapshot_end=True)
        await asyncio.Event().wait()

    async def GetKeySet(self, request: auth.GetKeySetRequest, context: Any) -> auth.GetKeySetResponse:
        kinds = {"ins": resources.TOKEN_KIND_INSTALLATION, "ctx": resources.TOKEN_KIND_CONTEXT}
        return auth.GetKeySetResponse(
            keys=[
                resources.PublicKey(kind=kinds[key["kid"][:3]], jwk_json=json.dumps(key)) for key in self.keys
            ]
        )


@contextlib.asynccontextmanager
async def open_edge(folder: Path, book: TokenBook) -> AsyncIterator[httpx2.AsyncClient]:
    """Start the book and the edge; the file of clients is written to `folder`."""
    entries = [
        {"client_id": name, "secret_sha256": hashlib.sha256(secret(name).encode()).hexdigest(), **rights}
        for name, rights in CLIENTS.items()
    ]
    (folder / "clients.json").write_text(json.dumps(entries))

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(book, server)

    peers = rules(AUTH, [m.name for m in AUTH.methods], "ops", context=False)
    async with rpc_harness(
        "auth", peers, [AUTH], add, clock=SystemClock(), tls=False, verifies_context=False
    ) as rpc:
        settings = EdgeSettings(
            auth_address=rpc.address,
            public_url=PUBLIC_URL,
            oauth_clients_file=folder / "clients.json",
            SETLIST_ISSUER=ISSUER,  # type: ignore[call-arg]  # the alias of `issuer`
        )
        app = build_app(settings)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://edge") as http:
                yield http
