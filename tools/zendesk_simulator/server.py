"""The simulator as an ASGI application."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.zendesk_simulator.control import Control
from tools.zendesk_simulator.delivery import Dispatcher
from tools.zendesk_simulator.routes import ROUTES, unknown
from tools.zendesk_simulator.routing import WordRouter
from tools.zendesk_simulator.state import World

_PREFIX = re.compile(r"/_accounts/([a-z0-9-]+)(/.*)")
_HOST = re.compile(r"([a-z0-9-]+)\.zendesk\.com(?::\d+)?")


class _Accounts:
    """Finds the account by host or path prefix, takes off `.json`, and sends what triggers left."""

    def __init__(self, app: ASGIApp, world: World, dispatcher: Dispatcher) -> None:
        self._app = app
        self._world = world
        self._dispatcher = dispatcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, subdomain = scope["path"], None
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        if found := _PREFIX.fullmatch(path):
            subdomain, path = found[1], found[2]
        elif named := _HOST.fullmatch(host):
            subdomain = named[1]
        scope = {
            **scope,
            "path": path.removesuffix(".json"),
            "zendesk_account": self._world.account(subdomain),
            "zendesk_http": self._dispatcher.http,
        }
        scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)
        self._dispatcher.collect()


def build_app(world: World) -> Starlette:
    """Return the application over a world; its lifespan runs the webhook dispatcher."""
    dispatcher = Dispatcher(world)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        dispatcher.start()
        yield
        await dispatcher.stop()

    routes = [*Control(world, dispatcher).routes(), *ROUTES]
    app = Starlette(exception_handlers={404: unknown, 405: unknown})
    app.router = WordRouter(routes, lifespan)
    app.add_middleware(_Accounts, world=world, dispatcher=dispatcher)
    return app
