"""The control API under `/_control`: ours, not Zendesk's. Seeds, moves time, breaks things, looks inside."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tools.zendesk_simulator.clock import OwnClock, stamp
from tools.zendesk_simulator.delivery import Dispatcher
from tools.zendesk_simulator.resources.apps import public_pem, signed_url
from tools.zendesk_simulator.resources.oauth import issue
from tools.zendesk_simulator.resources.tickets import create, find, update
from tools.zendesk_simulator.seed import seed_account
from tools.zendesk_simulator.state import Account, World

QUIET_SECONDS = 30.0


class Control:
    """The handlers of the control API."""

    def __init__(self, world: World, dispatcher: Dispatcher) -> None:
        self._world = world
        self._dispatcher = dispatcher

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/_control/accounts", self.seed, methods=["POST"]),
            Route("/_control/clock", self.clock, methods=["GET", "PUT"]),
            Route("/_control/quiet", self.quiet),
            Route("/_control/{subdomain}/tokens", self.token, methods=["POST"]),
            Route("/_control/{subdomain}/signed_url", self.signed_url, methods=["POST"]),
            Route("/_control/{subdomain}/apps/{id:int}/public_key.pem", self.key),
            Route("/_control/{subdomain}/faults", self.faults, methods=["POST", "DELETE"]),
            Route("/_control/{subdomain}/requests", self.requests),
            Route("/_control/{subdomain}/dump", self.dump),
            Route("/_control/{subdomain}/tickets", self.tickets, methods=["POST"]),
            Route("/_control/{subdomain}/assignments", self.assignments),
        ]

    def _account(self, request: Request) -> Account:
        return self._world.accounts[request.path_params["subdomain"]]

    async def seed(self, request: Request) -> Response:
        """Make or fill an account; answers the ids that were given."""
        return JSONResponse(seed_account(self._world, await request.json()), 201)

    async def clock(self, request: Request) -> Response:
        """Tell the time, or set the simulator's own clock (`{"now": "…Z"}`)."""
        clock = self._world.clock
        if request.method == "PUT":
            if not isinstance(clock, OwnClock):
                return JSONResponse({"error": "the clock is shared with the suite: move it there"}, 409)
            clock.set(datetime.fromisoformat((await request.json())["now"]))
        return JSONResponse({"now": stamp(clock.now())})

    async def quiet(self, request: Request) -> Response:
        """Answer when no webhook is on its way; 504 after half a minute."""
        self._dispatcher.collect()
        loop = asyncio.get_running_loop()
        end = loop.time() + QUIET_SECONDS
        while not self._dispatcher.quiet:
            if loop.time() > end:
                return PlainTextResponse("webhooks are still on their way", 504)
            await asyncio.sleep(0.002)
            self._dispatcher.collect()
        return JSONResponse({"quiet": True})

    async def token(self, request: Request) -> Response:
        """Mint an access token of a user, for tests and players."""
        spec = await request.json()
        scopes = spec.get("scopes", ["read", "write"])
        return JSONResponse(
            issue(self._account(request), int(spec["user_id"]), "control", scopes, {"expires_in": 172_800})
        )

    async def signed_url(self, request: Request) -> Response:
        """Return address and form with which Zendesk would load the app for a user."""
        spec, account = await request.json(), self._account(request)
        return JSONResponse(
            signed_url(account, account.installations[int(spec["installation_id"])], int(spec["user_id"]))
        )

    async def key(self, request: Request) -> Response:
        """Return an app's public key."""
        return PlainTextResponse(public_pem(self._account(request).apps[request.path_params["id"]]))

    async def faults(self, request: Request) -> Response:
        """Add a fault: `{method?, path, when: before|after, times, status?, retry_after?, delay_seconds?, drop?}`."""
        account = self._account(request)
        if request.method == "DELETE":
            account.faults.clear()
        else:
            account.faults.append(await request.json())
        return JSONResponse({"faults": account.faults})

    async def requests(self, request: Request) -> Response:
        """Count requests by route."""
        return JSONResponse(dict(self._account(request).counts))

    async def dump(self, request: Request) -> Response:
        """Return users, tickets and audits, for assertions."""
        account = self._account(request)
        return JSONResponse(
            {
                "users": list(account.users.values()),
                "tickets": list(account.tickets.values()),
                "audits": {str(k): v for k, v in account.audits.items()},
                "invocations": account.invocations,
                "installations": list(account.installations.values()),
            }
        )

    async def tickets(self, request: Request) -> Response:
        """Play a batch at once: `{"create": [ticket…], "update": [{id, author_id, …}…]}`.

        Triggers fire, except for a ticket with `"imported": true`: Zendesk's ticket import runs none.
        """
        account, spec = self._account(request), json.loads(await request.body())
        made = [
            create(account, t, t.get("requester_id"), quiet=bool(t.get("imported")))[0]["id"]
            for t in spec.get("create", ())
        ]
        for values in spec.get("update", ()):
            row = find(account, values["id"])
            update(
                account,
                row,
                {k: v for k, v in values.items() if k not in ("id", "author_id")},
                values.get("author_id"),
            )
        self._dispatcher.collect()
        return JSONResponse({"created": made})

    async def assignments(self, request: Request) -> Response:
        """Tell who was given which ticket, in order, after the first `after` of them."""
        after = int(request.query_params.get("after", "0"))
        return JSONResponse({"assignments": self._account(request).assignments[after:]})
