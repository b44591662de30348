"""gRPC errors as HTTP answers (RFC 9457 problem details; statuses as `google.rpc.Code` maps them)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from libs.kernel.errors import ErrorKind, SetlistError
from libs.rpc.errors import error_info, field_violations, retry_delay_seconds

_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_KIND = {
    ErrorKind.INVALID: 400,
    ErrorKind.WRONG_STATE: 400,
    ErrorKind.OUT_OF_RANGE: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 409,
    ErrorKind.STALE: 409,
    ErrorKind.EXHAUSTED: 429,
    ErrorKind.NOT_BUILT: 501,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.TOO_LATE: 504,
}
UNAVAILABLE_SECONDS = 1.0
"""Told with a 503 that names no time: Zendesk sends a webhook again only then (facts: zendesk, webhooks)."""
Handler = Callable[[Request], Awaitable[Response]]


def problem(
    status: int,
    reason: str,
    detail: str,
    *,
    metadata: Mapping[str, str] | None = None,
    fields: list[dict[str, str]] | None = None,
    retry_after_seconds: float | None = None,
) -> JSONResponse:
    """Return a problem document.

    Args:
        status: HTTP status.
        reason: the service's `ErrorReason`, for programs.
        detail: one sentence for people.
        metadata: the variable parts of `detail`.
        fields: `{field, description}` of each bad field.
        retry_after_seconds: sets `Retry-After`, rounded up.
    """
    body: dict[str, object] = {"status": status, "reason": reason, "detail": detail}
    if metadata:
        body["metadata"] = dict(metadata)
    if fields:
        body["fields"] = fields
    headers = {"cache-control": "no-store"}
    if status == 503 and retry_after_seconds is None:
        retry_after_seconds = UNAVAILABLE_SECONDS
    if retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, math.ceil(retry_after_seconds)))
    if status == 401:
        headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def problem_of(error: grpc.aio.AioRpcError, status: int | None = None) -> JSONResponse:
    """Return the problem document of a failed call to a service.

    Args:
        status: HTTP status; by default what the code maps to.
    """
    info = error_info(error)
    return problem(
        status or _BY_CODE.get(error.code(), 500),
        info.reason if info else error.code().name,
        error.details() or "" if info else "the service did not answer",
        metadata={k: v for k, v in info.metadata.items() if k != "retry"} if info else None,
        fields=[{"field": v.field, "description": v.description} for v in field_violations(error)],
        retry_after_seconds=retry_delay_seconds(error),
    )


def answers_problems(handler: Handler) -> Handler:
    """Make a route answer failed calls, and errors of its own, as problem documents."""

    @wraps(handler)
    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except grpc.aio.AioRpcError as error:
            return problem_of(error)
        except SetlistError as error:
            return problem(
                _BY_KIND[error.kind],
                error.reason,
                error.message,
                metadata=error.metadata,
                fields=[{"field": v.field, "description": v.description} for v in error.violations],
                retry_after_seconds=error.retry_after_seconds,
            )

    return wrapped
