"""Sunshine's errors: an array with one entry per fault (facts: policy §1.7)."""

from __future__ import annotations

import grpc
from starlette.responses import JSONResponse

from libs.kernel.errors import UnauthenticatedError
from libs.rpc.errors import field_violations, retry_delay_seconds

_CODES = {
    grpc.StatusCode.UNAUTHENTICATED: (401, "Unauthorized"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "Forbidden"),
    grpc.StatusCode.NOT_FOUND: (404, "NotFound"),
    grpc.StatusCode.ABORTED: (412, "PreconditionFailed"),
    grpc.StatusCode.INVALID_ARGUMENT: (422, "UnprocessableEntity"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (429, "TooManyRequests"),
}


class RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status.
        code: Sunshine's word for it.
        messages: one per fault.
        headers: of the answer.
    """

    def __init__(self, status: int, code: str, *messages: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.messages = messages
        self.headers = headers


def answer_of(error: RefusedError) -> JSONResponse:
    """Return Sunshine's error array."""
    title = "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(error.code))
    common = {"code": error.code, "status": str(error.status), "title": title}
    entries = [{**common, "message": message} for message in error.messages]
    return JSONResponse({"errors": entries}, error.status, headers=error.headers)


def refusal_of_call(error: grpc.aio.AioRpcError) -> RefusedError:
    """Return what a failed call to a service means here; of what is ours the caller learns nothing."""
    status, code = _CODES.get(error.code(), (503, "ServiceUnavailable"))
    faults = [f"{v.field} {v.description}" for v in field_violations(error)] if status < 500 else []
    text = (error.details() or code) if status < 500 else "the service does not answer"
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    delay = retry_delay_seconds(error)
    if delay is not None or status == 429:
        headers["retry-after"] = str(max(1, round(delay or 0)))
    return RefusedError(status, code, *(faults or [text]), headers=headers)


def refusal_of_person(error: UnauthenticatedError) -> RefusedError:
    """Return the refusal of a request without credentials."""
    return RefusedError(401, "Unauthorized", error.message, headers={"www-authenticate": "Bearer"})
