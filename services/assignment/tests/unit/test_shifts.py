"""Exceptions to schedules: who is off shift, and when he is back, against a clock that goes minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.hours import Schedule, is_open, opens_at
from services.assignment.domain.shifts import LONGEST, Kind, ShiftException, back_at, fault, off_shift

T0 = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the night in which Rome's clocks go forward follows
OFFICE = Schedule(71, "Rome", tuple((day * 1440 + 540, day * 1440 + 1020) for day in range(7)))
NIGHT = Schedule(72, "Rome", tuple((day * 1440 + 120, day * 1440 + 150) for day in range(7)))


def minutes(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


def exception(kind: Kind, start: int, end: int, agent: int = 1) -> ShiftException:
    return ShiftException(agent, minutes(start), minutes(end), kind)


LEAVE, EXTRA = exception(Kind.LEAVE, 10, 20), exception(Kind.OVERTIME, 10, 20)


@pytest.mark.parametrize(
    ("exceptions", "resting", "at", "off"),
    [
        ([LEAVE], False, 9, False),
        ([LEAVE], False, 10, True),
        ([LEAVE], False, 19, True),
        ([LEAVE], False, 20, False),
        ([LEAVE], True, 20, True),
        ([EXTRA], True, 9, True),
        ([EXTRA], True, 10, False),
        ([EXTRA], True, 20, True),
        ([EXTRA], False, 10, False),
        ([EXTRA, LEAVE], True, 15, True),
        ([exception(Kind.LEAVE, 10, 20, agent=2)], False, 15, False),
    ],
)
def test_the_exception_of_the_instant_overrides_the_week_and_leave_wins(
    exceptions: list[ShiftException], resting: bool, at: int, off: bool
) -> None:
    assert (1 in off_shift([1] if resting else [], exceptions, minutes(at))) is off


SPANS = st.tuples(st.sampled_from(Kind), st.integers(-600, 1900), st.integers(1, 900)).map(
    lambda s: exception(s[0], s[1], s[1] + s[2])
)


@given(st.lists(SPANS, max_size=5), st.sampled_from([None, OFFICE, NIGHT]), st.integers(0, 1200))
@settings(max_examples=150, deadline=None)
def test_who_is_off_is_back_at_the_first_minute_at_which_he_is_not(
    exceptions: list[ShiftException], schedule: Schedule | None, at: int
) -> None:
    def off(number: int) -> bool:
        rests = schedule is not None and not is_open(schedule, minutes(number))
        return bool(off_shift([1] if rests else [], exceptions, minutes(number)))

    first = next((n for n in range(at, at + 4000) if not off(n)), None)
    found = back_at(
        exceptions,
        minutes(at),
        rests=lambda t: schedule is not None and not is_open(schedule, t),
        opens=lambda t: opens_at(schedule, t) if schedule else None,
    )

    assert first is not None
    assert found == minutes(first)


def test_who_has_no_hours_left_is_never_back_and_overtime_brings_him_back() -> None:
    def back(*exceptions: ShiftException) -> datetime | None:
        return back_at(exceptions, minutes(15), rests=lambda _: True, opens=lambda _: None)

    assert back(LEAVE) is None
    assert back(LEAVE, exception(Kind.OVERTIME, 15, 40)) == minutes(20)
    assert back(LEAVE, exception(Kind.OVERTIME, 30, 40)) == minutes(30)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(0), "must end after it starts"),
        (-timedelta(days=1), "must end after it starts"),
        (LONGEST + timedelta(seconds=1), "more than 366 days"),
        (LONGEST, ""),
        (timedelta(seconds=1), ""),
    ],
)
def test_a_stretch_that_nobody_can_mean_is_refused(length: timedelta, said: str) -> None:
    assert said in fault(ShiftException(1, T0, T0 + length, Kind.LEAVE))
    assert bool(fault(ShiftException(1, T0, T0 + length, Kind.LEAVE))) is bool(said)
