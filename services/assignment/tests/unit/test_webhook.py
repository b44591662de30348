"""A webhook is believed only with a fitting, fresh signature and the body that our trigger sends."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.errors import InvalidRequestError
from services.assignment.domain.errors import WebhookSignatureError
from services.assignment.domain.webhook import BODY_TEMPLATE, read_body, require_fresh, require_signature
from services.assignment.tests.house import sign

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2026-01-02T03:04:05Z"
# The test secret that Zendesk publishes with its documentation of signatures.
SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
BODY = b'{"ticket_id":"35436"}'


def test_the_published_vector_fits() -> None:
    require_signature(SECRET, STAMP, BODY, "U/q5LXJzAOpARZCvSd07gpm5GplExocX4GqVPqpm+eM=")


@given(st.integers(0, len(BODY) * 8 - 1))
def test_no_bit_of_the_body_may_change(bit: int) -> None:
    tampered = bytearray(BODY)
    tampered[bit // 8] ^= 1 << bit % 8

    with pytest.raises(WebhookSignatureError):
        require_signature(SECRET, STAMP, bytes(tampered), sign(SECRET, STAMP, BODY))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "not base64 at all",
        "ÄÖÜ",
        base64.b64encode(bytes(32)).decode(),
        sign(SECRET, "2026-01-02T03:04:06Z", BODY),
        sign("another secret", STAMP, BODY),
        sign(SECRET, BODY.decode(), STAMP.encode()),  # the order of 2021
        sign(SECRET, STAMP, BODY)[:-2] + "==",
    ],
)
def test_a_foreign_signature_does_not_fit(signature: str) -> None:
    with pytest.raises(WebhookSignatureError):
        require_signature(SECRET, STAMP, BODY, signature)


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(0), True),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
    ],
)
def test_a_signature_is_good_for_five_minutes(age: timedelta, *, fresh: bool) -> None:
    if fresh:
        require_fresh(STAMP, NOW + age)
    else:
        with pytest.raises(WebhookSignatureError):
            require_fresh(STAMP, NOW + age)


@pytest.mark.parametrize("timestamp", ["", "yesterday", "2026-01-02T03:04:05"])
def test_a_timestamp_without_zone_or_sense_is_refused(timestamp: str) -> None:
    with pytest.raises(WebhookSignatureError):
        require_fresh(timestamp, NOW)


def values(**changes: object) -> bytes:
    base = {
        "ticket_id": "7",
        "status": "Open",
        "priority": "High",
        "group_id": "20",
        "assignee_id": "",
        "requester_id": "901",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-02T00:00:00Z",
    }
    return json.dumps(base | changes).encode()


def test_the_body_that_our_trigger_sends_is_read() -> None:
    facts = read_body(values())

    assert (facts.id, facts.status, facts.priority, facts.group_id) == (7, "open", "high", 20)
    assert (facts.assignee_id, facts.requester_id) == (None, 901)
    assert facts.updated_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_the_template_names_exactly_what_is_read() -> None:
    assert json.loads(BODY_TEMPLATE).keys() == json.loads(values()).keys()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'"text"',
        b"{}",
        values(ticket_id="{{ticket.id}}"),
        values(updated_at="soon"),
        values(updated_at="2026-01-02T00:00:00"),
        values(group_id="Support"),
    ],
)
def test_another_body_is_refused_and_not_repeated(body: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_body(body)

    assert str(caught.value) == "the webhook's body is not the one our trigger sends"
    assert caught.value.__cause__ is None
