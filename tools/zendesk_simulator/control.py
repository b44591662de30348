"""The control API under `/_control`: ours, not Zendesk's. Seeds, moves time, breaks things, looks inside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tools.zendesk_simulator import snapshots
from tools.zendesk_simulator.clock import OwnClock, stamp
from tools.zendesk_simulator.control_faults import ControlFaults
from tools.zendesk_simulator.delivery import Dispatcher
from tools.zendesk_simulator.errors import Refusal
from tools.zendesk_simulator.event_log import replay
from tools.zendesk_simulator.lifecycle import advance
from tools.zendesk_simulator.limits import PLANS
from tools.zendesk_simulator.resources.apps import public_pem, signed_url
from tools.zendesk_simulator.resources.oauth import issue
from tools.zendesk_simulator.resources.tickets import create, find, update
from tools.zendesk_simulator.seed import seed_account
from tools.zendesk_simulator.state import REGIMES, Account, World

QUIET_SECONDS = 30.0
Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """The handlers of the control API."""

    def __init__(self, world: World, dispatcher: Dispatcher) -> None:
        self._world = world
        self._dispatcher = dispatcher
        self._faults = ControlFaults(world)

    def routes(self) -> list[Route]:
        """Return the routes."""
        of_account = "/_control/{subdomain}"
        return [
            _route("/_control/accounts", self.seed, "POST"),
            _route("/_control/clock", self.clock, "GET PUT"),
            _route("/_control/quiet", self.quiet),
            _route("/_control/snapshot", self.snapshot, "GET PUT"),
            _route("/_control/fault_modes", self._faults.modes),
            _route(of_account, self.settings, "GET PUT"),
            _route(f"{of_account}/tokens", self.token, "POST"),
            _route(f"{of_account}/signed_url", self.signed_url, "POST"),
            _route(f"{of_account}/apps/{{id:int}}/public_key.pem", self.key),
            _route(f"{of_account}/faults", self._faults.all, "GET POST DELETE"),
            _route(f"{of_account}/faults/{{id:int}}", self._faults.one, "GET DELETE"),
            _route(f"{of_account}/requests", self.requests),
            _route(f"{of_account}/dump", self.dump),
            _route(f"{of_account}/tickets", self.tickets, "POST"),
            _route(f"{of_account}/events", self.events, "POST"),
            _route(f"{of_account}/assignments", self.assignments),
        ]

    def _account(self, request: Request) -> Account:
        return self._world.accounts[request.path_params["subdomain"]]

    async def seed(self, request: Request) -> Response:
        """Make or fill an account; answers the ids that were given."""
        return JSONResponse(seed_account(self._world, await request.json()), 201)

    async def clock(self, request: Request) -> Response:
        """Tell the time; set (`now`), move (`advance_seconds`) or stop (`frozen`) the simulator's own clock."""
        clock = self._world.clock
        if request.method == "PUT":
            if not isinstance(clock, OwnClock):
                return JSONResponse({"error": "the clock is shared with the suite: move it there"}, 409)
            spec = await request.json()
            if "frozen" in spec:
                clock.freeze(bool(spec["frozen"]))
            if "now" in spec:
                clock.set(datetime.fromisoformat(spec["now"]))
            clock.advance(float(spec.get("advance_seconds", 0)))
            for account in self._world.accounts.values():
                advance(account)
            self._dispatcher.collect()
        frozen = isinstance(clock, OwnClock) and clock.frozen
        return JSONResponse({"now": stamp(clock.now()), "frozen": frozen})

    async def quiet(self, request: Request) -> Response:
        """Answer when no webhook is on its way; 504 after half a minute.

        With `?retries=false` those that wait for their next attempt do not count: on a clock that stands still
        they would wait for ever. With `?held=false` a fault may go on holding those that it reorders.
        """
        retries = request.query_params.get("retries") != "false"
        held = request.query_params.get("held") != "false"
        self._collect(release=held)
        loop = asyncio.get_running_loop()
        end = loop.time() + QUIET_SECONDS
        while not self._dispatcher.quiet(retries=retries, held=held):
            if loop.time() > end:
                return PlainTextResponse("webhooks are still on their way", 504)
            await asyncio.sleep(0.002)
            self._collect(release=held)
        return JSONResponse({"quiet": True})

    def _collect(self, *, release: bool) -> None:
        self._dispatcher.collect()
        if release:
            self._dispatcher.release()

    async def snapshot(self, request: Request) -> Response:
        """Return the whole state, or put one back (faults, clock and what waits for delivery included)."""
        if request.method == "GET":
            return Response(snapshots.take(self._world), media_type="application/json")
        snapshots.restore(self._world, await request.body())
        return JSONResponse({"accounts": sorted(self._world.accounts)})

    async def settings(self, request: Request) -> Response:
        """Tell or change an account's plan (`plan`), job time (`job_seconds`) and token regime (`regime`)."""
        account = self._account(request)
        if request.method == "PUT":
            spec = await request.json()
            plan, regime = spec.get("plan", account.plan), spec.get("regime", account.regime)
            if plan not in PLANS or regime not in REGIMES:
                raise ValueError(
                    f"a plan is one of {', '.join(PLANS)}; a regime is one of {', '.join(REGIMES)}"
                )
            account.plan, account.regime = plan, regime
            account.job_seconds = float(spec.get("job_seconds", account.job_seconds))
        told = ("id", "subdomain", "plan", "regime", "job_seconds")
        return JSONResponse({name: getattr(account, name) for name in told})

    async def token(self, request: Request) -> Response:
        """Mint an access token of a user, for tests and players."""
        spec, account = await request.json(), self._account(request)
        scopes = spec.get("scopes", ["read", "write"])
        user = account.users[int(spec["user_id"])]
        return JSONResponse(issue(account, user["id"], "control", scopes, {"expires_in": 172_800}))

    async def signed_url(self, request: Request) -> Response:
        """Return address and form with which Zendesk would load the app for a user."""
        spec, account = await request.json(), self._account(request)
        return JSONResponse(
            signed_url(account, account.installations[int(spec["installation_id"])], int(spec["user_id"]))
        )

    async def key(self, request: Request) -> Response:
        """Return an app's public key."""
        return PlainTextResponse(public_pem(self._account(request).apps[request.path_params["id"]]))

    async def requests(self, request: Request) -> Response:
        """Count requests by route; with `?log=true` the last thousand: time, method, path, status."""
        account = self._account(request)
        if request.query_params.get("log") == "true":
            return JSONResponse({"requests": list(account.requests)})
        return JSONResponse(dict(account.counts))

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
        advance(account)
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

    async def events(self, request: Request) -> Response:
        """Play an event log (JSON lines, see `event_log`) into an account, each event at its own time."""
        text = (await request.body()).decode()
        return JSONResponse(replay(self._account(request), text.splitlines()))

    async def assignments(self, request: Request) -> Response:
        """Tell who was given which ticket, in order, after the first `after` of them."""
        after = int(request.query_params.get("after", "0"))
        return JSONResponse({"assignments": self._account(request).assignments[after:]})


def _route(path: str, handler: Handler, methods: str = "GET") -> Route:
    """Return a route whose wrong input is answered with a sentence: 422, or 404 for what is not there."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return JSONResponse({"error": refusal.body}, 422)
        except KeyError as missing:
            return JSONResponse({"error": f"there is no `{missing.args[0]}`"}, 404)
        except (ValueError, TypeError, AttributeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 422)

    return Route(path, answered, methods=methods.split())
