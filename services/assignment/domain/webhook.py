"""Zendesk's webhook: its signature, and the routing facts in its body (facts: Zendesk §9)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kernel.errors import InvalidRequestError
from services.assignment.domain.errors import WebhookSignatureError

# The text that our trigger sends. Ids and times only: no name, no subject, no comment.
BODY_TEMPLATE = json.dumps(
    {
        "ticket_id": "{{ticket.id}}",
        "status": "{{ticket.status}}",
        "priority": "{{ticket.priority}}",
        "group_id": "{{ticket.group.id}}",
        "assignee_id": "{{ticket.assignee.id}}",
        "requester_id": "{{ticket.requester.id}}",
        "created_at": "{{ticket.created_at_with_timestamp}}",
        "updated_at": "{{ticket.updated_at_with_timestamp}}",
    }
)


WINDOW = timedelta(minutes=5)
"""Zendesk states no replay window; five minutes on the signed timestamp is ours (facts: Zendesk, decision 3)."""


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """The routing facts of a ticket, from a webhook or from the export.

    Attributes:
        status: new, open, pending, hold, solved, closed or deleted.
    """

    id: int
    status: str
    created_at: datetime
    updated_at: datetime
    group_id: int | None = None
    assignee_id: int | None = None
    requester_id: int | None = None
    priority: str | None = None


def require_signature(secret: str, timestamp: str, body: bytes, signature: str) -> None:
    """Check base64(HMAC-SHA-256(secret as text, timestamp + body)), in constant time.

    Raises:
        WebhookSignatureError: it does not fit. The order body + timestamp of 2021 is refused too.
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        given = b""
    if not hmac.compare_digest(digest, given):
        raise WebhookSignatureError("the webhook's signature does not fit")


def require_fresh(timestamp: str, now: datetime) -> None:
    """Check that a webhook was signed within five minutes of `now`.

    Raises:
        WebhookSignatureError: it was not, or the timestamp is none.
    """
    try:
        sent = datetime.fromisoformat(timestamp)
    except ValueError:
        sent = None
    if sent is None or sent.tzinfo is None or abs(now - sent) > WINDOW:
        raise WebhookSignatureError(
            "the webhook was not signed within five minutes of now: set this server's clock right, if it is wrong"
        )


def read_body(body: bytes) -> TicketFacts:
    """Read the body that our trigger sends.

    Raises:
        InvalidRequestError: it is not such a body.
    """
    try:
        values = json.loads(body)
        facts = TicketFacts(
            id=int(values["ticket_id"]),
            status=str(values["status"]).lower(),
            created_at=datetime.fromisoformat(values["created_at"]),
            updated_at=datetime.fromisoformat(values["updated_at"]),
            group_id=_id(values.get("group_id")),
            assignee_id=_id(values.get("assignee_id")),
            requester_id=_id(values.get("requester_id")),
            priority=str(values.get("priority") or "").lower() or None,
        )
        if facts.created_at.tzinfo is None or facts.updated_at.tzinfo is None:
            raise ValueError("a time without zone")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidRequestError("the webhook's body is not the one our trigger sends") from None
    return facts


def _id(value: object) -> int | None:
    return int(str(value)) if value not in (None, "", "None") else None
