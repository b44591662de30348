"""What Zendesk answers when it refuses, as exceptions.

Zendesk spells errors three ways: `error` as a string, `error` as an object with title and message,
and `errors` as a list (facts: Zendesk §2.2). All three are read. No body is kept beyond them, so no
ticket text or person can reach a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ZendeskError(Exception):
    """Zendesk did not do what was asked.

    Attributes:
        status: HTTP status, or 0 when no answer came.
        error: Zendesk's error code or title, e.g. `RecordNotFound`.
        route: method and path template, e.g. `PUT tickets/{id}`; never an id.
        done: False when the call was certainly not carried out, None when that is unknown.
        retry_after_seconds: when Zendesk said so.
        details: names of the fields that were refused.
    """

    def __init__(
        self,
        route: str,
        status: int,
        error: str = "",
        *,
        done: bool | None = False,
        retry_after_seconds: float | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"`{route}` answered {status or 'nothing'}{f': {error}' if error else ''}")
        self.route = route
        self.status = status
        self.error = error
        self.done = done
        self.retry_after_seconds = retry_after_seconds
        self.details = details


class InvalidTokenError(ZendeskError):
    """401: the access token is dead."""


class ForbiddenError(ZendeskError):
    """403: the token's user may not do this, or its scope is too small."""


class RecordNotFoundError(ZendeskError):
    """404."""


class UpdateConflictError(ZendeskError):
    """409: safe update found a newer ticket."""


class RecordInvalidError(ZendeskError):
    """422 or 400: Zendesk refused the values."""


class TooManyRequestsError(ZendeskError):
    """429: over a rate limit or too many jobs; nothing was done."""


class ZendeskUnavailableError(ZendeskError):
    """5xx, time-out, connection lost or unreadable body: whether it was done is unknown."""


class JobFailedError(ZendeskError):
    """A background job of Zendesk ended as failed, or did not end in time."""


_BY_STATUS: dict[int, type[ZendeskError]] = {
    400: RecordInvalidError,
    401: InvalidTokenError,
    403: ForbiddenError,
    404: RecordNotFoundError,
    409: UpdateConflictError,
    422: RecordInvalidError,
    429: TooManyRequestsError,
}


def _code(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    if isinstance(error, Mapping):
        return str(error.get("title") or error.get("code") or "")
    if isinstance(error, str):
        return error
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        return str(errors[0].get("code") or errors[0].get("title") or "")
    return ""


def error_of(route: str, status: int, body: object, retry_after_seconds: float | None) -> ZendeskError:
    """Return the exception for an answer of status 400 or more."""
    code = _code(body) if isinstance(body, Mapping) else ""
    details = body.get("details") if isinstance(body, Mapping) else None
    kind = _BY_STATUS.get(status, ZendeskUnavailableError if status >= 500 else ZendeskError)
    return kind(
        route,
        status,
        code,
        done=None if status >= 500 else False,
        retry_after_seconds=retry_after_seconds,
        details=tuple(map(str, details)) if isinstance(details, Mapping) else (),
    )
