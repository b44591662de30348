"""A simulator on a real socket, with a clock that the test moves, and an endpoint that receives its webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from libs.kernel.clock import ManualClock
from libs.service.http import bind
from tools.zendesk_simulator.state import Account, Row, World

ADMIN, AGENT, REQUESTER = 1, 2, 3
GROUP = 20
WAIT_SECONDS = 10.0
SPEC: dict[str, Any] = {
    "subdomain": "acme",
    "plan": "unlimited",
    "job_seconds": 2,
    "oauth_clients": [
        {"identifier": "setlist", "secret": "s3", "redirect_uri": ["http://127.0.0.1/callback"]},
        {"identifier": "page", "kind": "public", "redirect_uri": ["https://example.com/back?from=zendesk"]},
    ],
    "groups": [{"id": GROUP, "name": "Support"}],
    "users": [
        {"id": ADMIN, "role": "admin", "name": "Ada", "email": "ada@example.com", "groups": [GROUP]},
        {"id": AGENT, "role": "agent", "name": "Bo", "email": "bo@example.com", "groups": [GROUP]},
        {"id": REQUESTER, "role": "end-user", "name": "Cy", "email": "cy@example.com"},
    ],
    "views": [{"title": "Waiting", "all": [{"field": "status", "operator": "less_than", "value": "solved"}]}],
    "apps": [
        {
            "id": 77,
            "url": "http://127.0.0.1:1/app",
            "domain_whitelist": ["127.0.0.1"],
            "parameters": [
                {"name": "token", "secure": True, "scopes": ["header"]},
                {"name": "secret", "secure": True, "scopes": ["jwt_secret_key"]},
                {"name": "far", "secure": True, "scopes": ["header"], "allowed_domain": "example.com"},
            ],
        }
    ],
}


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on loopback and yield its base URL."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", date_header=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started or task.done())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def until(holds: Callable[[], Any]) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it does not.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_SECONDS
    while not holds():
        assert loop.time() < end, "the condition did not come true"
        await asyncio.sleep(0.002)


@dataclass(slots=True)
class Receiver:
    """Takes webhooks and answers what it is told to, in turn; then 200."""

    answers: list[Response] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def app(self) -> Starlette:
        """Return it as an application."""

        async def take(request: Request) -> Response:
            self.bodies.append((await request.body()).decode())
            self.headers.append(dict(request.headers))
            return self.answers.pop(0) if self.answers else Response(status_code=200)

        return Starlette(routes=[Route("/{rest:path}", take, methods=["GET", "POST", "PUT"])])

    @property
    def invocations(self) -> list[str]:
        """The invocation id of each delivery, in order."""
        return [h["x-zendesk-webhook-invocation-id"] for h in self.headers]


@dataclass(slots=True)
class Machine:
    """A running simulator."""

    http: httpx2.AsyncClient
    clock: ManualClock
    world: World

    @property
    def account(self) -> Account:
        """The seeded account."""
        return self.world.accounts["acme"]

    async def control(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """Call the control API; a path without a leading slash is the account's."""
        where = path if path.startswith("/") else f"/acme/{path}".rstrip("/")
        return await self.http.request(method, f"/_control{where}", json=body)

    async def fault(self, mode: str, **options: object) -> int:
        """Switch a fault on and return its id."""
        answer = await self.control("POST", "faults", {"mode": mode, **options})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["fault"]["id"])

    async def token(self, user_id: int = ADMIN, *scopes: str) -> str:
        """Return an access token of a user."""
        body = {"user_id": user_id, "scopes": list(scopes) or ["read", "write"]}
        return str((await self.control("POST", "tokens", body)).json()["access_token"])

    async def call(
        self, method: str, path: str, body: object = None, *, user: int = ADMIN, token: str | None = None
    ) -> httpx2.Response:
        """Call Zendesk's API as a user."""
        bearer = token or await self.token(user)
        return await self.http.request(
            method, f"/api/v2/{path}", json=body, headers={"authorization": f"Bearer {bearer}"}
        )

    async def ticket(self, **values: object) -> int:
        """Make a ticket as somebody would in Zendesk, triggers included, and return its id."""
        spec = {"requester_id": REQUESTER, "group_id": GROUP, "subject": "help", **values}
        made = await self.control("POST", "tickets", {"create": [spec]})
        return int(made.json()["created"][0])

    async def webhook(self, url: str, **values: object) -> Row:
        """Make a webhook with a trigger that fires it on every ticket."""
        body = {
            "webhook": {
                "name": "Ours",
                "endpoint": f"{url}/hook",
                "http_method": "POST",
                "request_format": "json",
                "status": "active",
                "subscriptions": ["conditional_ticket_events"],
                **values,
            }
        }
        made: Row = (await self.call("POST", "webhooks", body)).json()["webhook"]
        trigger = {
            "title": "Tell us",
            "conditions": {"all": [{"field": "update_type", "operator": "is", "value": "Create"}], "any": []},
            "actions": [{"field": "notification_webhook", "value": [made["id"], "{{ticket.id}}"]}],
        }
        answer = await self.call("POST", "triggers", {"trigger": trigger})
        assert answer.status_code == 201, answer.text
        return made

    async def quiet(self, *, retries: bool = True) -> None:
        """Wait until no webhook is on its way."""
        answer = await self.control("GET", f"/quiet?retries={str(retries).lower()}")
        assert answer.status_code == 200, answer.text
