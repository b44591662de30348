"""What Zendesk answers when it refuses (facts: Zendesk §2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """An answer of status 400 or more.

    Attributes:
        status: HTTP status.
        body: JSON body, or text.
        headers: further headers.
    """

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def not_found() -> Refusal:
    """No such record."""
    return Refusal(404, {"error": "RecordNotFound", "description": "Not found"})


def forbidden() -> Refusal:
    """The user has no right to do this."""
    text = "You do not have access to this page. Please contact the account owner of this help desk for further help."
    return Refusal(403, {"error": {"title": "Forbidden", "message": text}})


def scope_missing() -> Refusal:
    """The token's scopes do not allow this."""
    return Refusal(403, {"error": "Forbidden"})


def invalid_token() -> Refusal:
    """The access token is dead."""
    text = "The access token provided is expired, revoked, malformed or invalid for other reasons."
    return Refusal(401, {"error": "invalid_token", "error_description": text})


def no_credentials() -> Refusal:
    """Nobody is signed in."""
    return Refusal(401, {"error": "Couldn't authenticate you"})


def invalid(**faults: str) -> Refusal:
    """Values were refused: `field="what is wrong"`."""
    details = {field: [{"description": text, "error": "InvalidValue"}] for field, text in faults.items()}
    return Refusal(
        422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
    )


def conflict() -> Refusal:
    """Safe update met a newer ticket."""
    text = "Safe Update prevented the update due to outdated ticket data."
    return Refusal(409, {"error": "UpdateConflict", "description": text})


def too_many_values(limit: int) -> Refusal:
    """More ids than one call takes."""
    text = f"Parameter  cannot specify more than {limit} values"
    return Refusal(400, {"error": "TooManyValues", "description": text, "max_count": limit})


def bad_request(error: str, description: str) -> Refusal:
    """A malformed request."""
    return Refusal(400, {"error": error, "description": description})


def too_many_requests(seconds: int, headers: Mapping[str, str]) -> Refusal:
    """Over a rate limit."""
    text = "Number of allowed API requests per minute exceeded"
    return Refusal(429, text, {**headers, "retry-after": str(max(1, seconds))})


def number(value: Any) -> int:
    """Return an id from a path or body; anything else is not found."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise not_found() from None
