"""A simulator that listens on loopback, and the two strangers pointed at it by their own options."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx  # pants: no-infer-dep - comes with the generated client, whose HTTP library it is
import httpx2
import uvicorn
from zendesk import Zendesk, models

from libs.service.http import bind
from tools.zendesk_simulator.clock import OwnClock
from tools.zendesk_simulator.server import build_app
from tools.zendesk_simulator.state import World
from tools.zendesk_simulator.tests.strangers.the_zenpy import HTTPAdapter, Zenpy, requests

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=400)
"""In the past: zenpy asks for no page of an export that ends within five minutes of the machine's time."""
ADMIN, AGENT, OTHER, ASKER, SECOND_ASKER = 1, 2, 3, 10, 11
SUPPORT, BILLING = 20, 21
JOB_SECONDS = 60.0
"""So long that a slow machine does not finish a job by itself."""


def account_spec(subdomain: str) -> dict[str, Any]:
    """Return an account with staff, requesters and two groups."""
    return {
        "subdomain": subdomain,
        "plan": "unlimited",
        "job_seconds": JOB_SECONDS,
        "groups": [{"id": SUPPORT, "name": "Support"}, {"id": BILLING, "name": "Billing"}],
        "custom_roles": [{"id": 77, "name": "Advisor"}],
        "users": [
            {
                "id": ADMIN,
                "role": "admin",
                "name": "Ada Admin",
                "email": "ada@example.com",
                "groups": [SUPPORT],
            },
            {
                "id": AGENT,
                "role": "agent",
                "name": "Bo Agent",
                "email": "bo@example.com",
                "groups": [SUPPORT],
            },
            {
                "id": OTHER,
                "role": "agent",
                "name": "Di Agent",
                "email": "di@example.com",
                "groups": [BILLING],
            },
            {"id": ASKER, "role": "end-user", "name": "Cy Asker", "email": "cy@example.com"},
            {"id": SECOND_ASKER, "role": "end-user", "name": "Ed Asker", "email": "ed@example.com"},
        ],
        "user_fields": [{"key": "shift", "type": "text", "title": "Shift"}],
        "ticket_fields": [{"id": 500, "type": "text", "title": "Origin"}],
    }


class LocalHost(HTTPAdapter):  # type: ignore[misc]  # of a library without types here
    """Zenpy's own HTTP library (requests) carries its calls for `*.zendesk.com` to the simulator."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a copy to the simulator, and answer for the original."""
        sent, parts = request.copy(), urlsplit(str(request.url))
        sent.url = f"{self._base}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        sent.headers["Host"] = parts.netloc
        answer = super().send(sent, *args, **kwargs)
        answer.request, answer.url = request, str(request.url)
        return answer


class Bodies(httpx.BaseTransport):
    """The generated client's own HTTP library (httpx), which puts in bodies.

    The description that the client was made from has no request body for some calls that need one (views,
    attributes, roles …), so its methods take none: what they would send is put in here, by test.
    """

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.next: dict[str, Any] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, with the body that waits for it."""
        if self.next is not None:
            body, self.next = self.next, None
            kept = {k: v for k, v in request.headers.items() if k not in ("content-length", "content-type")}
            request = httpx.Request(request.method, request.url, headers=kept, json=body)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class Generated:
    """The client that was generated from Zendesk's own API description, and its transport.

    `api` has no static type here: every member of its models may be absent, so types would prove nothing. The
    client itself checks each answer against the description when it arrives.
    """

    def __init__(self, base: str, email: str) -> None:
        self._bodies = Bodies()
        self._http = httpx.Client(transport=self._bodies)
        self.api: Any = Zendesk(
            server_url=base,
            security=models.Security(username=f"{email}/token", password="x"),
            client=self._http,
        )

    def sending(self, **body: Any) -> Any:
        """Return the client; its next request carries a body."""
        self._bodies.next = body
        return self.api

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class Account:
    """One account on a running simulator."""

    def __init__(self, base: str, subdomain: str, world: World) -> None:
        self.base = base
        self.subdomain = subdomain
        self._world = world

    @property
    def now(self) -> datetime:
        """The simulator's time."""
        return self._world.clock.now()

    def advance(self, **span: float) -> None:
        """Let time pass."""
        clock = self._world.clock
        assert isinstance(clock, OwnClock)
        clock.set(clock.now() + timedelta(**span))

    def finish_jobs(self) -> None:
        """Let so much time pass that all jobs are done."""
        self.advance(seconds=JOB_SECONDS + 1)

    def play(self, **what: Any) -> list[int]:
        """Make and change tickets by the control API; return the ids of the new ones."""
        url = f"{self.base}/_control/{self.subdomain}/tickets"
        with httpx2.Client(trust_env=False) as http:
            made: list[int] = http.post(url, json=what).raise_for_status().json()["created"]
        return made

    def session(self) -> Any:
        """Return a session of zenpy's HTTP library that reaches the simulator."""
        session = requests.Session()
        session.mount("https://", LocalHost(self.base))
        session.trust_env = False
        return session

    def zenpy(self, email: str = "ada@example.com") -> Zenpy:
        """Return zenpy, signed in; its cache is off so that every question is asked."""
        return Zenpy(
            subdomain=self.subdomain, email=email, token="x", session=self.session(), disable_cache=True
        )

    def generated(self, email: str = "ada@example.com") -> Generated:
        """Return the generated client, signed in."""
        return Generated(f"{self.base}/_accounts/{self.subdomain}", email)


class Running:
    """A simulator in a thread."""

    def __init__(self) -> None:
        clock = OwnClock()
        clock.set(START)
        self._world = World(clock)
        self._listener = bind("127.0.0.1", 0)
        self._listener.listen()
        self._server = uvicorn.Server(
            uvicorn.Config(build_app(self._world), log_config=None, lifespan="on", date_header=False)
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._number = 0
        self.base = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])

    def start(self) -> None:
        """Start, and return when it answers; the listening socket keeps what comes before."""
        self._thread.start()
        with httpx2.Client(trust_env=False, timeout=10.0) as http:
            http.get(f"{self.base}/_control/clock").raise_for_status()

    def stop(self) -> None:
        """Stop and wait for it."""
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def account(self) -> Account:
        """Make another account."""
        self._number += 1
        spec = account_spec(f"acme{self._number}")
        with httpx2.Client(trust_env=False) as http:
            http.post(f"{self.base}/_control/accounts", json=spec).raise_for_status()
        return Account(self.base, spec["subdomain"], self._world)
