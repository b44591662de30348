"""The simulator in process as the real Zendesk, on a clock that waiting moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn

from libs.kernel.clock import ManualClock
from libs.service.http import bind
from libs.zendesk.budget import Budget
from libs.zendesk.client import ZendeskClient
from libs.zendesk.tests.answering import MovingTime
from libs.zendesk.tokens import Access, StaticToken, TokenSupply
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World

IN_PROCESS = "http://acme.zendesk.com"
ADMIN, AGENT, REQUESTER = 1, 2, 3
SUPPORT, BILLING = 20, 21
SPEC: dict[str, Any] = {
    "subdomain": "acme",
    "plan": "unlimited",
    "job_seconds": 1,
    "groups": [{"id": SUPPORT, "name": "Support"}, {"id": BILLING, "name": "Billing"}],
    "users": [
        {"id": ADMIN, "role": "admin", "name": "Ada", "groups": [SUPPORT]},
        {"id": AGENT, "role": "agent", "name": "Bo", "groups": [SUPPORT]},
        {"id": REQUESTER, "role": "end-user", "name": "Cy Requester", "email": "cy@example.com"},
    ],
    "views": [{"title": "Waiting", "all": [{"field": "status", "operator": "less_than", "value": "solved"}]}],
}


class Zendesk:
    """One account of the simulator."""

    def __init__(self, http: httpx2.AsyncClient, time: MovingTime, base: str) -> None:
        self.http = http
        self.time = time
        self.base = base

    @property
    def clock(self) -> ManualClock:
        """The simulator's clock, and ours."""
        return self.time.clock

    async def token(self, user: int = ADMIN) -> str:
        """Mint an access token."""
        answer = await self.http.post("/_control/acme/tokens", json={"user_id": user})
        return str(answer.json()["access_token"])

    async def client(
        self, user: int = ADMIN, *, budget: Budget | None = None, tokens: TokenSupply | None = None
    ) -> ZendeskClient:
        """Return a client whose waiting moves the simulator's clock."""
        supply = tokens or StaticToken(await self.token(user))
        budget = budget or Budget(clock=self.clock)
        return ZendeskClient(self.base, supply, self.http, self.clock, budget, sleep=self.time.sleep)

    async def tickets(self, *specs: Mapping[str, Any]) -> list[int]:
        """Make tickets and return their ids; a requester is given."""
        create = [{"requester_id": REQUESTER, **spec} for spec in specs]
        answer = await self.http.post("/_control/acme/tickets", json={"create": create})
        return [int(i) for i in answer.json()["created"]]

    async def change(self, *changes: Mapping[str, Any]) -> None:
        """Change tickets as somebody else would."""
        answer = await self.http.post("/_control/acme/tickets", json={"update": list(changes)})
        assert answer.status_code == 200

    async def fault(self, mode: str, **options: Any) -> None:
        """Switch a fault on."""
        answer = await self.http.post("/_control/acme/faults", json={"mode": mode, **options})
        assert answer.status_code == 201, answer.text

    async def asked(self, route: str) -> int:
        """Return how often a route was served, e.g. `PUT tickets/{id:int}`."""
        return int((await self.http.get("/_control/acme/requests")).json().get(route, 0))


class Renewing:
    """A supply that mints a newer token when one was refused, and counts."""

    def __init__(self, zendesk: Zendesk) -> None:
        self._zendesk = zendesk
        self.asked: list[int | None] = []

    async def access(self, known_version: int | None = None) -> Access:
        """Mint."""
        self.asked.append(known_version)
        return Access(await self._zendesk.token(), (known_version or 0) + 1)


@asynccontextmanager
async def simulated(**spec: Any) -> AsyncIterator[Zendesk]:
    """Start an account, with members of its seed replaced."""
    time = MovingTime()
    transport = httpx2.ASGITransport(build_app(World(time.clock)))
    async with httpx2.AsyncClient(transport=transport, base_url=IN_PROCESS) as http:
        yield await _seeded(http, time, IN_PROCESS, spec)


@asynccontextmanager
async def listening(**spec: Any) -> AsyncIterator[Zendesk]:
    """The same behind a real socket, whose connections can be cut."""
    time, listener = MovingTime(), bind("127.0.0.1", 0)
    config = uvicorn.Config(build_app(World(time.clock)), log_config=None, lifespan="on", date_header=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    root = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        listener.listen()
        async with httpx2.AsyncClient(base_url=root, trust_env=False) as http:
            yield await _seeded(http, time, f"{root}/_accounts/acme", spec)
    finally:
        server.should_exit = True
        await serving


async def _seeded(http: httpx2.AsyncClient, time: MovingTime, base: str, spec: Mapping[str, Any]) -> Zendesk:
    assert (await http.post("/_control/accounts", json={**SPEC, **spec})).status_code == 201
    return Zendesk(http, time, base)


__all__ = [
    "ADMIN",
    "AGENT",
    "BILLING",
    "REQUESTER",
    "SUPPORT",
    "Renewing",
    "Zendesk",
    "listening",
    "simulated",
]
