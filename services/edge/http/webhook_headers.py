"""What a Zendesk webhook must look like before it is passed on (facts: Zendesk §9).

The signature itself is checked by the assignment service, which alone holds the webhook's secret:
the edge owns nothing. Here: size, shape and age.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.kernel.errors import FieldViolation, InvalidRequestError, UnauthenticatedError

MAXIMUM_BODY_BYTES = 64 * 1024
WINDOW = timedelta(minutes=5)
"""Zendesk states no replay window; five minutes, with invocation ids remembered longer, is ours."""

_PREFIX = "x-zendesk-webhook-"


@dataclass(frozen=True, slots=True)
class WebhookHeaders:
    """The signed parts of a webhook's request.

    Attributes:
        signature: base64 of 32 bytes.
        timestamp: as received; part of what is signed.
        webhook_id: ULID.
        invocation_id: ULID; the same on a retry.
    """

    signature: str
    timestamp: str
    webhook_id: str
    invocation_id: str


def read_webhook_headers(headers: Mapping[str, str], now: datetime) -> WebhookHeaders:
    """Read and check the headers.

    Raises:
        InvalidRequestError: one is missing or malformed.
        UnauthenticatedError: the timestamp is further than five minutes from `now`.
    """
    names = ("signature", "signature-timestamp", "id", "invocation-id")
    values = {name: headers.get(_PREFIX + name, "") for name in names}
    missing = [
        FieldViolation(_PREFIX + name, "is missing or longer than 200 characters")
        for name, value in values.items()
        if not 0 < len(value) <= 200
    ]
    if missing:
        raise InvalidRequestError("the request is not a signed Zendesk webhook", violations=missing)
    try:
        sent = datetime.fromisoformat(values["signature-timestamp"])
        size = len(base64.b64decode(values["signature"], validate=True))
    except (ValueError, binascii.Error):
        raise InvalidRequestError("the webhook's signature or timestamp is malformed") from None
    if sent.tzinfo is None or size != 32:
        raise InvalidRequestError("the webhook's signature or timestamp is malformed")
    if abs(now - sent) > WINDOW:
        raise UnauthenticatedError("the webhook's timestamp is too far from now")
    return WebhookHeaders(
        values["signature"], values["signature-timestamp"], values["id"], values["invocation-id"]
    )
