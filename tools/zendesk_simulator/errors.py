"""What Zendesk answers when it refuses (facts: Zendesk §2.2).

Where the facts give no words, they are those of live answers that others published with their clients: the closed
ticket, the blank description, a value of the wrong type, the depth of offset pages, the limit of search.
"""

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

    @property
    def code(self) -> str:
        """The `error` member of the body, as failed rows of a job show it."""
        error = self.body.get("error") if isinstance(self.body, dict) else self.body
        return str(error.get("title")) if isinstance(error, dict) else str(error)

    @property
    def details(self) -> str:
        """The reasons in words, as failed rows of a job show them."""
        if not isinstance(self.body, dict):
            return str(self.body)
        faults = self.body.get("details")
        if not isinstance(faults, dict):
            return str(self.body.get("description", self.code))
        return " ".join(str(fault["description"]) for rows in faults.values() for fault in rows)


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


def invalid(error: str = "InvalidValue", /, **faults: str) -> Refusal:
    """Values were refused: `field="what is wrong"`; `error` is BlankValue, DuplicateValue, InvalidValue …"""
    details = {field: [{"description": text, "error": error}] for field, text in faults.items()}
    return Refusal(
        422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
    )


def wrong_type(attribute: str, kind: str, action: str) -> Refusal:
    """A value has the wrong type.

    Args:
        attribute: e.g. `ticket.tags`.
        kind: what it must be, e.g. `an integer`.
        action: controller and action, e.g. `api/v2/tickets/create`.
    """
    text = (
        f"You passed an invalid value for the {attribute} attribute. "
        f"Invalid parameter: {attribute} must be {kind} from {action}"
    )
    return Refusal(400, {"error": {"title": "Invalid attribute", "message": text}})


def missing(attribute: str) -> Refusal:
    """A member of the body is missing."""
    text = f"Parameter {attribute} is required"
    return Refusal(400, {"error": "ParameterMissing", "description": text})


def conflict() -> Refusal:
    """Safe update met a newer ticket."""
    text = "Safe Update prevented the update due to outdated ticket data."
    return Refusal(409, {"error": "UpdateConflict", "description": text})


def too_many_values(limit: int) -> Refusal:
    """More ids than one call takes."""
    text = f"Parameter  cannot specify more than {limit} values"
    return Refusal(400, {"error": "TooManyValues", "description": text, "max_count": limit})


def too_many_created(limit: int, what: str) -> Refusal:
    """More rows than one call creates."""
    return Refusal(
        400, {"error": "TooManyValues", "description": f"Maximum {limit} {what} may be created per call"}
    )


def bad_request(error: str, description: str) -> Refusal:
    """A malformed request."""
    return Refusal(400, {"error": error, "description": description})


def newer(status: int, code: str, title: str, detail: str = "") -> Refusal:
    """The shape of the newer APIs: an array of errors."""
    row = {"code": code, "title": title, "detail": detail or title, "status": str(status)}
    return Refusal(status, {"errors": [row]})


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
