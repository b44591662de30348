"""AuthZEN Authorization API 1.0: its routes, and what is the same for all of them (facts: policy §5.1)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger
from services.edge.http.any_method import AnyMethod
from services.edge.http.authzen_callers import Asker, asker_of
from services.edge.http.authzen_entities import Json
from services.edge.http.authzen_errors import RefusedError, text, text_of_call, text_of_error
from services.edge.http.authzen_evaluation import evaluation, evaluations
from services.edge.http.authzen_metadata import ENDPOINTS, WELL_KNOWN, metadata
from services.edge.http.authzen_search import search_action, search_resource, search_subject
from services.edge.http.authzen_setup import MAXIMUM_DEPTH, authzen_of
from services.edge.http.bodies import TooLargeError, read_bytes
from services.edge.http.errors import Handler
from services.edge.http.strict_json import BadJsonError, parse

REQUEST_ID = "x-request-id"
Answering = Callable[[Request, Asker, Json], Awaitable[dict[str, Any]]]
_ANSWERING: dict[str, Answering] = {
    "access_evaluation_endpoint": evaluation,
    "access_evaluations_endpoint": evaluations,
    "search_subject_endpoint": search_subject,
    "search_resource_endpoint": search_resource,
    "search_action_endpoint": search_action,
}


def answering(answer: Answering) -> Handler:
    """Make an endpoint: method, credentials and body are looked at in this order."""

    async def handler(request: Request) -> Response:
        if request.method != "POST":
            raise RefusedError(405, "send POST", allow="POST")
        asker = await asker_of(request, authzen_of(request).points)
        answered = await answer(request, asker, await _body(request))
        return JSONResponse(answered, headers={"cache-control": "no-store"})

    return handler


async def _body(request: Request) -> Json:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise RefusedError(400, "the content type must be application/json")
    maximum = authzen_of(request).maximum_body_bytes
    try:
        body = parse(await read_bytes(request, maximum), MAXIMUM_DEPTH, drop_nulls=True)
    except TooLargeError:
        raise RefusedError(413, f"the body is larger than {maximum} bytes") from None
    except BadJsonError as error:
        raise RefusedError(400, str(error)) from None
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be a JSON object")
    return body


async def _not_found(request: Request) -> Response:
    raise RefusedError(404, "there is no such endpoint")


def speaking_authzen(handler: Handler) -> AnyMethod:
    """Make a route answer errors as one line of text, and every request with its own request id."""

    async def wrapped(request: Request) -> Response:
        response = await _answered(request, handler)
        # Arbitrary text: it goes back as it came and nowhere else.
        response.headers[REQUEST_ID] = request.headers.get(REQUEST_ID) or str(uuid.uuid4())
        return response

    return AnyMethod(wrapped)


async def _answered(request: Request, handler: Handler) -> Response:
    try:
        return await handler(request)
    except RefusedError as error:
        return text(error.status, error.message, allow=error.allow)
    except SetlistError as error:
        return text_of_error(error)
    except grpc.aio.AioRpcError as error:
        return text_of_call(error)
    except ClientDisconnect:
        return text(400, "the body is not whole")  # nobody reads this
    except Exception:
        get_logger().exception("unexpected error", path=request.url.path)
        return text(500, "")


def _routes(prefix: str) -> list[Route]:
    return [
        *(
            Route(prefix + path, speaking_authzen(answering(_ANSWERING[name])))
            for name, path in ENDPOINTS.items()
        ),
        Route(prefix + "/access/{rest:path}", speaking_authzen(_not_found)),
    ]


ROUTES = [
    *_routes(""),
    *_routes("/accounts/{account}"),
    Route(WELL_KNOWN, speaking_authzen(metadata)),
    Route(WELL_KNOWN + "/{rest:path}", speaking_authzen(metadata)),
]
