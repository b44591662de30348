"""Finds a route by the first words of its path, so that a request is not compared with hundreds of patterns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
_WORDS = {"api": 3}
"""How many words tell routes apart: `/api/v2/tickets`, but `/oauth`."""


def words(path: str) -> tuple[str, ...]:
    """Return the words of a path by which its route is found."""
    parts = path.split("/", 4)[1:]
    return tuple(parts[: _WORDS.get(parts[0], 1)]) if parts else ()


class WordRouter(Router):
    """A router of routers, one for each beginning; within it the order of the routes counts, as ever.

    Args:
        routes: whose paths begin with plain words.
        lifespan: of the application.

    Raises:
        ValueError: a path begins with a parameter.
    """

    def __init__(self, routes: Sequence[Route], lifespan: Lifespan) -> None:
        super().__init__(routes, lifespan=lifespan)
        groups: dict[tuple[str, ...], list[Route]] = {}
        for route in routes:
            key = words(route.path)
            if any("{" in word for word in key):
                raise ValueError(f"`{route.path}` begins with a parameter")
            groups.setdefault(key, []).append(route)
        self._routers = {key: Router(group) for key, group in groups.items()}
        self._nothing = Router([])

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the router of its beginning."""
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        scope.setdefault("router", self)
        await self._routers.get(words(scope["path"]), self._nothing)(scope, receive, send)
