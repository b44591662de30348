"""Zendesk's rate headers are read in every spelling, and nothing odd in them breaks a call."""

from datetime import UTC, datetime

import pytest

from libs.zendesk.rate_headers import Told, retry_after, told

NOW = datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12),
        ("0", 0),
        (" 7 ", 7),
        ("Wed, 01 Jul 2026 10:00:30 GMT", 30),
        ("Wed, 01 Jul 2026 10:00:30 -0000", 30),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("999999999999999999999999", 86_400),
        ("Fri, 01 Jul 2033 10:00:30 GMT", 86_400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("Wed, 99 Jul 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_no_retry_after_is_not_zero() -> None:
    assert retry_after({}, NOW) is None


def test_a_date_is_measured_from_the_answers_own_clock() -> None:
    wrong = {"date": "Wed, 01 Jul 2026 08:00:00 GMT", "retry-after": "Wed, 01 Jul 2026 08:00:20 GMT"}

    assert retry_after(wrong, NOW) == 20


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {"ratelimit-limit": "700", "ratelimit-remaining": "5", "ratelimit-reset": "17"},
            Told("", 700, 5, 17),
        ),
        ({"rate-limit": "400", "rate-limit-remaining": "0", "rate-limit-reset": "1"}, Told("", 400, 0, 1)),
        ({"x-rate-limit": "700", "x-rate-limit-remaining": "699"}, Told("", 700, 699, None)),
        (
            {"zendesk-ratelimit-tickets-index": "total=100; remaining=99; resets=17"},
            Told("tickets-index", 100, 99, 17),
        ),
        (
            {"Zendesk-Rate-Limit-Deleted-Tickets-Destroy": "total=1000; remaining=999; resets=12"},
            Told("deleted-tickets-destroy", 1000, 999, 12),
        ),
    ],
)
def test_every_spelling_is_read(headers: dict[str, str], expected: Told) -> None:
    assert list(told(headers)) == [expected]


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit-limit": "many", "ratelimit-remaining": "5"},
        {"ratelimit-limit": "700"},
        {"x-rate-limit": "-1", "x-rate-limit-remaining": "3"},
        {"zendesk-ratelimit-tickets-index": "nonsense"},
        {"zendesk-ratelimit-tickets-index": "total=0; remaining=0"},
        {"x-rate-limit": "7" * 40, "x-rate-limit-remaining": "1"},
    ],
)
def test_odd_headers_are_passed_over(headers: dict[str, str]) -> None:
    assert list(told(headers)) == []
