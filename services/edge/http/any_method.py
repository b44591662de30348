"""Routes every method of a path to one handler, where the answer to a wrong method has a form of its own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from services.edge.http.errors import Handler


class AnyMethod:
    """An ASGI application around one handler: Starlette lets every method through to such an endpoint.

    Args:
        handler: looks at `request.method` itself.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handler(Request(scope, receive))
        await response(scope, receive, send)
