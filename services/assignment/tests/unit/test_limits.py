"""The grammar of limits: what is meant, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assignment.domain.limits import LONGEST_MINUTES, MOST, Limit, limit_of


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("  ", None),
        ("10", Limit(10)),
        ("10.0", Limit(10)),
        ("3 in 30m", Limit(3, 30)),
        (" 3  IN 30 min ", Limit(3, 30)),
        ("5 in 2.5h", Limit(5, 150)),
        ("1 in 1m", Limit(1, 1)),
        ("10000 in 12h", Limit(10_000, 720)),
    ],
)
def test_what_is_meant(text: str, meant: Limit | None) -> None:
    assert limit_of(text) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "`0` must let an agent have 1 to 10,000 tickets"),
        ("-3", "`-3` must let an agent have 1 to 10,000 tickets"),
        ("10001", "`10001` must let an agent have 1 to 10,000 tickets"),
        ("0 in 30m", "`0 in 30m` must let an agent have 1 to 10,000 tickets"),
        ("2.5 in 1h", "`2.5 in 1h` does not come to whole tickets"),
        ("3 in 30", "`3 in 30` has no unit: write `30m` for minutes or `30h` for hours"),
        ("3 in 30d", "`3 in 30d` has a unit that is neither `m` (minutes) nor `h` (hours)"),
        ("3 in 0m", "`3 in 0m` must look 1 minute to 12 hours back: for longer there is the daily limit"),
        ("3 in -5m", "`3 in -5m` must look 1 minute to 12 hours back: for longer there is the daily limit"),
        (
            "3 in 12.5h",
            "`3 in 12.5h` must look 1 minute to 12 hours back: for longer there is the daily limit",
        ),
        ("3 in 0.333h", "`3 in 0.333h` does not come to whole minutes"),
        ("many", "`many` is no limit: write `10` for open tickets, or a rate like `3 in 30m` or `5 in 2.5h`"),
        ("3 per hour", "`3 per hour` is no limit"),
        ("3 in", "`3 in` is no limit"),
        ("1.2.3", "`1.2.3` is no limit"),
        ("٣ in 30m", "is no limit"),
        ("9" * 40, "is no limit"),
    ],
)
def test_what_nobody_can_want_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        limit_of(text)
    assert said in str(refused.value)


@given(st.integers(1, MOST), st.none() | st.integers(1, LONGEST_MINUTES))
def test_a_limit_reads_back_as_what_it_says(most: int, minutes: int | None) -> None:
    assert limit_of(str(Limit(most, minutes))) == Limit(most, minutes)


def test_limits_are_spelled_as_an_admin_would() -> None:
    shown = [str(limit) for limit in (Limit(10), Limit(3, 30), Limit(3, 60), Limit(5, 150), Limit(5, 121))]

    assert shown == ["10", "3 in 30m", "3 in 1h", "5 in 2.5h", "5 in 121m"]
