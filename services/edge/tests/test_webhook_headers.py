"""What a webhook must look like before it is passed on."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from libs.kernel.errors import InvalidRequestError, UnauthenticatedError
from services.edge.http.webhook_headers import read_webhook_headers

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
GOOD = {
    "x-zendesk-webhook-signature": base64.b64encode(bytes(32)).decode(),
    "x-zendesk-webhook-signature-timestamp": "2026-01-05T08:59:00Z",
    "x-zendesk-webhook-id": "01KE6P4YM0GK65RW3Y5Q6NKXKT",
    "x-zendesk-webhook-invocation-id": "01KE6P4YM0GK65RW3Y5Q6NKXKV",
}


def test_good_headers_are_read() -> None:
    found = read_webhook_headers(GOOD, NOW)

    assert found.timestamp == "2026-01-05T08:59:00Z"
    assert found.invocation_id == "01KE6P4YM0GK65RW3Y5Q6NKXKV"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_webhook_headers({k: v for k, v in GOOD.items() if k != name}, NOW)

    assert [v.field for v in caught.value.violations] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-zendesk-webhook-signature", "not base64!"),
        ("x-zendesk-webhook-signature", base64.b64encode(bytes(31)).decode()),
        ("x-zendesk-webhook-signature-timestamp", "yesterday"),
        ("x-zendesk-webhook-signature-timestamp", "2026-01-05T08:59:00"),
    ],
)
def test_a_malformed_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_webhook_headers({**GOOD, name: value}, NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_an_old_or_future_webhook_is_refused(off: timedelta) -> None:
    sent = datetime(2026, 1, 5, 8, 59, tzinfo=UTC)
    with pytest.raises(UnauthenticatedError):
        read_webhook_headers(GOOD, sent + off)
