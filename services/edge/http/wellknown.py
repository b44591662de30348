"""Public keys, health, static files."""

from __future__ import annotations

import hashlib
import json

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.edge.http.errors import answers_problems
from services.edge.http.etags import BadConditionError, condition
from services.edge.http.suite import suite_of
from services.edge.pages.render import STATIC
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages

MAXIMUM_AGE_SECONDS = 300


@answers_problems
async def jwks(request: Request) -> Response:
    """The public keys of installation tokens (RFC 7517).

    A key is published for at least twice this max-age before it signs, so a cache never lacks one.
    """
    answer = await suite_of(request).auth.GetKeySet(messages.GetKeySetRequest())
    keys = [json.loads(k.jwk_json) for k in answer.keys if k.kind == resources.TOKEN_KIND_INSTALLATION]
    body = json.dumps({"keys": keys}, separators=(",", ":")).encode()
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"cache-control": f"public, max-age={MAXIMUM_AGE_SECONDS}", "etag": f'"{tag}"'}
    if _is_known(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/jwk-set+json")


def _is_known(request: Request, tag: str) -> bool:
    try:
        known = condition(request, "if-none-match")
    except BadConditionError:
        return False  # a cache that cannot say what it has gets it all
    return known is not None and (known.any or tag in known.strong or tag in known.weak)


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
