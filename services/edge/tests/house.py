"""The edge before a policy service and an auth service that speak the real contracts over real gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2

from libs.kernel.clock import SystemClock
from libs.kernel.errors import UnauthenticatedError
from libs.rpc.peers import rules
from libs.testing.rpc import Rpc, rpc_harness
from services.edge.main import build_app
from services.edge.settings import EdgeSettings
from setlist.auth.v1 import auth_service_pb2 as auth
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from setlist.policy.v1 import policy_service_pb2 as policy
from setlist.policy.v1.policy_service_pb2_grpc import (
    PolicyServiceServicer,
    add_PolicyServiceServicer_to_server,
)

AUTH = auth.DESCRIPTOR.services_by_name["AuthService"]
POLICY = policy.DESCRIPTOR.services_by_name["PolicyService"]
PUBLIC_URL = "https://pdp.example.com/setlist"
POINTS = {"plain": ("acc-1", False), "trusted": ("acc-1", True), "stranger": ("acc-2", False)}
PEOPLE: dict[str, dict[str, Any]] = {
    "10001": {"role": "admin"},
    "10002": {"role": "agent"},
    "10003": {"role": "end_user"},
    "10004": {"role": "agent", "custom_role_id": 8237},
}


class KeyBook(AuthServiceServicer):
    """Exchanges `session_token` `{user id}` for that person's token: signed as auth signs, with policy's keys."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def ExchangeContext(
        self, request: auth.ExchangeContextRequest, context: Any
    ) -> auth.ExchangeContextResponse:
        if request.job:
            account = request.account.removeprefix("accounts/")
            metadata = self._rpc.token(account, job=request.job)
        elif request.session_token in PEOPLE and request.installation_token == "installation":
            account, user = "acc-1", request.session_token
            metadata = self._rpc.token(account, user=int(user), **PEOPLE[user])
        else:
            raise UnauthenticatedError("the credentials are not valid")
        token = metadata[0][1].removeprefix("Bearer ")
        return auth.ExchangeContextResponse(context_token=token, account=f"accounts/{account}")

    async def WatchRevocations(
        self, request: auth.WatchRevocationsRequest, context: Any
    ) -> AsyncIterator[auth.WatchRevocationsResponse]:
        yield auth.WatchRevocationsResponse(snapshot_end=True)
        await asyncio.Event().wait()


def key(point: str = "plain") -> dict[str, str]:
    """Return the credentials of an enforcement point."""
    return {"authorization": f"Bearer key of {point}"}


def person(user: str) -> dict[str, str]:
    """Return the credentials of a person."""
    return {"authorization": "Bearer installation", "x-setlist-session": user}


@contextlib.asynccontextmanager
async def open_edge(folder: Path, servicer: PolicyServiceServicer) -> AsyncIterator[httpx2.AsyncClient]:
    """Start both services and the edge; the file of enforcement points is written to `folder`."""
    entries = [
        {
            "name": name,
            "account": account,
            "trusted": trusted,
            "key_sha256": hashlib.sha256(f"key of {name}".encode()).hexdigest(),
        }
        for name, (account, trusted) in POINTS.items()
    ]
    (folder / "points.json").write_text(json.dumps(entries))
    methods = {s: [m.name for m in s.methods] for s in (AUTH, POLICY)}
    async with contextlib.AsyncExitStack() as stack:
        policy_rpc = await stack.enter_async_context(
            rpc_harness(
                "policy",
                rules(POLICY, methods[POLICY], "ops"),
                [POLICY],
                lambda server: add_PolicyServiceServicer_to_server(servicer, server),
                clock=SystemClock(),
                tls=False,
            )
        )
        book = KeyBook(policy_rpc)  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
        auth_rpc = await stack.enter_async_context(
            rpc_harness(
                "auth",
                rules(AUTH, methods[AUTH], "ops", context=False),
                [AUTH],
                lambda server: add_AuthServiceServicer_to_server(book, server),
                clock=SystemClock(),
                tls=False,
                verifies_context=False,
            )
        )
        settings = EdgeSettings(
            auth_address=auth_rpc.address,
            policy_address=policy_rpc.address,
            public_url=PUBLIC_URL,
            enforcement_points_file=folder / "points.json",
            authzen_items=20,
            authzen_page=50,
            authzen_body_bytes=64 * 1024,
        )
        app = build_app(settings)
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx2.ASGITransport(app)
        yield await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://edge"))
