"""Public keys, health, static files."""

from __future__ import annotations

import json

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.edge.http.errors import answers_problems
from services.edge.http.suite import suite_of
from services.edge.pages.render import STATIC
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages


@answers_problems
async def jwks(request: Request) -> Response:
    """The public keys of installation tokens (RFC 7517)."""
    answer = await suite_of(request).auth.GetKeySet(messages.GetKeySetRequest())
    keys = [json.loads(k.jwk_json) for k in answer.keys if k.kind == resources.TOKEN_KIND_INSTALLATION]
    return JSONResponse({"keys": keys}, headers={"cache-control": "public, max-age=300"})


async def healthz(_: Request) -> Response:
    """The event loop turns."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Auth answers: without it nobody can be let in."""
    try:
        await suite_of(request).auth.GetKeySet(messages.GetKeySetRequest(), timeout=2.0)
    except grpc.aio.AioRpcError as error:
        return JSONResponse({"status": "unavailable", "why": f"auth: {error.code().name}"}, 503)
    return JSONResponse({"status": "ok"})


ROUTES = [
    Route("/.well-known/jwks.json", jwks),
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Mount("/static", StaticFiles(directory=STATIC)),
]
