"""Clocks give aware instants; the manual one moves only when told."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.kernel.clock import ManualClock, SystemClock


def test_the_machines_clock_is_aware_and_goes_on() -> None:
    clock = SystemClock()
    first = clock.now()

    assert first.tzinfo is UTC
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    assert clock.now() >= first


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    start = clock.now()

    assert start == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert clock.now() == start
    assert clock.advance(timedelta(minutes=1)) == start + timedelta(minutes=1) == clock.now()


def test_an_instant_of_another_zone_becomes_utc() -> None:
    clock = ManualClock()
    clock.set(datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2))))

    assert clock.now() == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


def test_an_instant_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - the fault that is refused
    with pytest.raises(ValueError, match="has no time zone"):
        ManualClock(naive)
    with pytest.raises(ValueError, match="has no time zone"):
        ManualClock().set(naive)
