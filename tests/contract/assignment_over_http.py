"""The real assignment service behind the edge: its servicer over memory, real gRPC, real tokens, keys of programs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from libs.kernel.clock import ManualClock, SystemClock
from libs.kernel.ids import CountingIds
from libs.rpc.peers import rules
from libs.testing.rpc import Rpc, rpc_harness
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.rpc.peers import ASSIGNMENT
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import servicer
from services.assignment.tests.zendesk import LocalZendesk
from services.edge.http.api_keys import ApiKeys, KeyLimits
from services.edge.main import build_app
from services.edge.settings import EdgeSettings
from services.edge.tests.house import AUTH, KeyBook
from setlist.assignment.v1.assignment_service_pb2_grpc import add_AssignmentServiceServicer_to_server
from setlist.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server

PUBLIC_URL = "https://edge.example.com/setlist"
KEYS = {"wfm": str(ACCOUNT), "stranger": "acc-2"}


def key(name: str = "wfm") -> dict[str, str]:
    """Return the credentials of a program."""
    return {"X-API-Key": f"key of {name}"}


@dataclass(frozen=True)
class Served:
    """An account and the way to it.

    Attributes:
        http: the edge.
        house: assignment's use cases, to prepare and to compare.
        rpc: assignment's server, for calls of its own.
    """

    http: httpx2.AsyncClient
    house: House
    rpc: Rpc


@contextlib.asynccontextmanager
async def served_assignment(folder: Path) -> AsyncIterator[Served]:
    """Serve a fresh account with agents 1 and 2 in Support, 3 in Billing and 9, an admin; another one has no rows."""
    clock = ManualClock()
    zendesk = LocalZendesk(clock)
    for user, groups in {1: (SUPPORT,), 2: (SUPPORT,), 3: (BILLING,), 9: (SUPPORT, BILLING)}.items():
        zendesk.agent(user, *groups, role="admin" if user == 9 else "agent")
    house = House(MemoryStore(), zendesk, clock, CountingIds())
    entries = [
        {
            "name": name,
            "account": account,
            "key_sha256": hashlib.sha256(f"key of {name}".encode()).hexdigest(),
        }
        for name, account in KEYS.items()
    ]
    (folder / "keys.json").write_text(json.dumps(entries))
    async with contextlib.AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(
            rpc_harness(
                "assignment",
                rules(ASSIGNMENT, [m.name for m in ASSIGNMENT.methods], "ops"),
                [ASSIGNMENT],
                lambda server: add_AssignmentServiceServicer_to_server(servicer(house), server),
                clock=SystemClock(),
                tls=False,
            )
        )
        book: Any = KeyBook(rpc)  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
        auth_rpc = await stack.enter_async_context(
            rpc_harness(
                "auth",
                rules(AUTH, [m.name for m in AUTH.methods], "ops", context=False),
                [AUTH],
                lambda server: add_AuthServiceServicer_to_server(book, server),
                clock=SystemClock(),
                tls=False,
                verifies_context=False,
            )
        )
        settings = EdgeSettings(
            auth_address=auth_rpc.address,
            assignment_address=rpc.address,
            public_url=PUBLIC_URL,
            api_keys_file=folder / "keys.json",
        )
        app = build_app(settings)
        await stack.enter_async_context(app.router.lifespan_context(app))
        # Tests ask faster than a program may.
        app.state.api_keys = ApiKeys(app.state.api_keys.keys, KeyLimits(SystemClock(), per_second=1000))
        transport = httpx2.ASGITransport(app)
        http = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, base_url="http://edge")
        )
        yield Served(http, house, rpc)
