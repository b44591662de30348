"""Schedules across daylight saving and holidays: golden instants (facts: §5.8)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assignment.domain.hours import Hours, Schedule, fault, is_open, opens_at, windows
from services.assignment.domain.zones import zone_of

NIGHTS = tuple((day * 1440 + s, day * 1440 + e) for day in range(7) for s, e in ((0, 360), (1320, 1440)))
OFFICE = tuple((day * 1440 + 540, day * 1440 + 1020) for day in range(1, 6))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Hours of every day, in minutes."""
    return tuple((day * 1440 + start, day * 1440 + end) for day in range(7))


def open_seconds(schedule: Schedule, start: datetime, end: datetime, step: int = 60) -> int:
    """Return how long a schedule is open between two instants, by asking for each step."""
    seconds = int((end - start).total_seconds())
    return sum(step for n in range(0, seconds, step) if is_open(schedule, start + timedelta(seconds=n)))


@pytest.mark.parametrize(
    ("first", "hours"),
    [(date(2026, 3, 21), 8), (date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 10, 25), 8)],
)
def test_a_night_shift_in_rome_has_8_hours_7_in_march_and_9_in_october(first: date, hours: int) -> None:
    rome = ZoneInfo("Europe/Rome")
    noon = datetime(first.year, first.month, first.day, 12, tzinfo=rome).astimezone(UTC)

    assert open_seconds(Schedule(1, "Rome", NIGHTS), noon, noon + timedelta(hours=24)) == hours * 3600


@pytest.mark.parametrize(
    ("zone", "week", "day", "expected"),
    [
        # 02:30 does not exist on 29 March: the instant of the change, 01:00 UTC.
        ("Europe/Rome", every(150, 300), date(2026, 3, 29), ("2026-03-29T01:00", "2026-03-29T03:00")),
        ("Europe/Rome", every(0, 150), date(2026, 3, 29), ("2026-03-28T23:00", "2026-03-29T01:00")),
        # 02:30 comes twice on 25 October: begins at the first, ends at the second.
        ("Europe/Rome", every(150, 300), date(2026, 10, 25), ("2026-10-25T00:30", "2026-10-25T04:00")),
        ("Europe/Rome", every(0, 150), date(2026, 10, 25), ("2026-10-24T22:00", "2026-10-25T01:30")),
        ("Eastern Time (US & Canada)", every(150, 180), date(2026, 3, 8), ("2026-03-08T07:00",) * 2),
        ("America/New_York", every(60, 120), date(2026, 11, 1), ("2026-11-01T05:00", "2026-11-01T07:00")),
        # Clocks that change at midnight: 00:00 does not exist in Santiago on 6 September.
        ("Santiago", every(0, 60), date(2026, 9, 6), ("2026-09-06T04:00",) * 2),
        ("Santiago", every(1380, 1440), date(2026, 4, 4), ("2026-04-05T02:00", "2026-04-05T04:00")),
        # Half an hour, in Lord Howe.
        ("Australia/Lord_Howe", every(120, 180), date(2026, 10, 4), ("2026-10-03T15:30", "2026-10-03T16:00")),
        ("Asia/Kathmandu", every(540, 1020), date(2026, 1, 5), ("2026-01-05T03:15", "2026-01-05T11:15")),
    ],
)
def test_boundaries_on_days_when_clocks_change(
    zone: str, week: tuple[tuple[int, int], ...], day: date, expected: tuple[str, str]
) -> None:
    known = zone_of(zone)
    assert known is not None
    (found,) = windows(Schedule(1, zone, week), known, day)

    assert found == (utc(expected[0]), utc(expected[1]))


def test_edges_are_half_open_and_sunday_is_the_first_day() -> None:
    office = Schedule(1, "Europe/Rome", OFFICE)

    assert not is_open(office, utc("2026-07-05T10:00"))  # a Sunday
    assert not is_open(office, utc("2026-07-06T06:59:59"))
    assert is_open(office, utc("2026-07-06T07:00"))
    assert is_open(office, utc("2026-07-06T14:59:59"))
    assert not is_open(office, utc("2026-07-06T15:00"))


def test_holidays_override_the_week_from_local_midnight_to_local_midnight() -> None:
    always = Schedule(1, "Tokyo", every(0, 1440), ((date(2026, 1, 1), date(2026, 1, 3)),))

    assert is_open(always, utc("2025-12-31T14:59:59"))
    assert not is_open(always, utc("2025-12-31T15:00"))
    assert not is_open(always, utc("2026-01-03T14:59:59"))
    assert is_open(always, utc("2026-01-03T15:00"))
    assert opens_at(always, utc("2026-01-01T00:00")) == utc("2026-01-03T15:00")


def test_when_hours_begin_next() -> None:
    office = Schedule(1, "Europe/Rome", OFFICE, ((date(2026, 7, 6), date(2026, 7, 7)),))

    assert opens_at(office, utc("2026-07-03T15:00")) == utc("2026-07-08T07:00")
    assert opens_at(office, utc("2026-03-27T16:00")) == utc(
        "2026-03-30T07:00"
    )  # an hour earlier than on Friday
    assert opens_at(Schedule(1, "Europe/Rome"), utc("2026-07-03T15:00")) is None
    for_ever = Schedule(1, "Europe/Rome", OFFICE, ((date(2026, 1, 1), date(2028, 1, 1)),))
    assert opens_at(for_ever, utc("2026-07-03T15:00")) is None


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Rome", "Europe/Rome"),
        ("Europe/Rome", "Europe/Rome"),
        ("Pacific Time (US & Canada)", "America/Los_Angeles"),
        ("Hong Kong", "Asia/Hong_Kong"),
        ("Melbourne", "Australia/Melbourne"),
        ("UTC", "UTC"),
        ("Nuku'alofa", "Pacific/Tongatapu"),
        ("", None),
        ("Europe", None),
        ("../etc", None),
        ("GMT plus five", None),
    ],
)
def test_zendesks_names_of_zones(name: str, zone: str | None) -> None:
    found = zone_of(name)

    assert (found.key if found else None) == zone


def test_a_schedule_that_nobody_can_go_by_says_what_to_change() -> None:
    assert fault(Schedule(7, "Europe/Rome"), 7) == ""
    assert fault(None, 7).startswith("no schedule `7` is known: make it in Zendesk")
    assert "(`Atlantis`): choose one for it in Zendesk" in fault(Schedule(7, "Atlantis"), 7)


def test_without_a_schedule_nobody_rests_and_a_schedule_that_is_gone_or_has_no_zone_has_no_hours() -> None:
    hours = Hours(
        utc("2026-07-06T07:00"), {1: Schedule(1, "UTC", every(0, 1440)), 2: Schedule(2, "", every(0, 1440))}
    )

    assert [hours.rests(i) for i in (None, 1, 2, 3)] == [False, False, True, True]


@given(
    st.sampled_from(
        ["Europe/Rome", "America/New_York", "Santiago", "Australia/Lord_Howe", "Africa/Casablanca"]
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 - hypothesis wants naive ones
)
def test_around_the_clock_no_instant_is_lost_and_an_opening_is_open(zone: str, when: datetime) -> None:
    at = when.replace(tzinfo=UTC)
    opening = opens_at(Schedule(1, zone, every(150, 151)), at)

    assert is_open(Schedule(1, zone, every(0, 720) + every(720, 1440)), at)
    assert opening is not None
    assert opening > at
