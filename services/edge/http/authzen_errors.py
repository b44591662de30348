"""AuthZEN's errors: one line of plain text (facts: policy §5.1, decision 13)."""

from __future__ import annotations

import grpc
from starlette.responses import PlainTextResponse

from libs.kernel.errors import ErrorKind, SetlistError
from libs.rpc.errors import retry_delay_seconds

REALM = "setlist"
_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
}
_BY_KIND = {
    ErrorKind.INVALID: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.EXHAUSTED: 429,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.TOO_LATE: 503,
}
_FIELDS = {"`consistency.at_least`": "`context.consistency_token`"}
"""Policy's names of fields, where the asker knows them by another."""
_OURS = {500: "internal error", 503: "the decision point cannot answer now: treat this as a deny"}


class RefusedError(Exception):
    """A request that is answered with an error of the whole payload.

    Args:
        status: HTTP status.
        message: for people; lower case, no final period, input in backticks.
        allow: for 405, what the path takes.
    """

    def __init__(self, status: int, message: str, *, allow: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.allow = allow


def text(
    status: int, message: str, *, allow: str = "", retry_after_seconds: float | None = None
) -> PlainTextResponse:
    """Return an error: what is ours says nothing of the inside."""
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = f'Bearer realm="{REALM}"'
    if allow:
        headers["allow"] = allow
    if retry_after_seconds is not None or status == 429:
        headers["retry-after"] = str(max(1, round((retry_after_seconds or 0) + 0.5)))
    line = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in _OURS.get(status, message))
    return PlainTextResponse(line, status, headers=headers)


def text_of_call(error: grpc.aio.AioRpcError) -> PlainTextResponse:
    """Return the answer to a call of ours that failed."""
    status = _BY_CODE.get(error.code(), 500)
    message = error.details() or "the request is refused"
    for policys, theirs in _FIELDS.items():
        message = message.replace(policys, theirs)
    return text(status, message, retry_after_seconds=retry_delay_seconds(error))


def text_of_error(error: SetlistError) -> PlainTextResponse:
    """Return the answer to an error of the edge itself."""
    return text(_BY_KIND.get(error.kind, 500), error.message, retry_after_seconds=error.retry_after_seconds)
