"""Schedules: who is on shift and which queue is open, in real time zones (facts: §5.8, decision 12).

A week is wall-clock time of a zone. Every boundary of every date is turned into an instant by itself: minutes are
never added to midnight, for a day may have 23 or 25 hours. A boundary that the clocks skip is the instant of the
change; of one that comes twice, the first is a beginning and the second an end. So no minute is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.assignment.domain.zones import zone_of

MINUTES_OF_DAY = 24 * 60
LOOK_AHEAD_DAYS = 400
"""How far an opening is looked for; ours: a year of holidays, and some."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A week of hours, and the days that have none.

    Attributes:
        zone: as Zendesk spells it.
        week: (start, end) in minutes since Sunday 00:00; none crosses midnight.
        holidays: (first, last) date; both have no hours.
    """

    id: int
    zone: str
    week: tuple[tuple[int, int], ...] = ()
    holidays: tuple[tuple[date, date], ...] = ()


def fault(schedule: Schedule | None, schedule_id: int) -> str:
    """Return why nobody can go by a schedule, and what to change; empty when one can."""
    if schedule is None:
        return f"no schedule `{schedule_id}` is known: make it in Zendesk under business hours, then sync the account"
    if zone_of(schedule.zone) is None:
        return (
            f"schedule `{schedule_id}` has no time zone that we know (`{schedule.zone}`): choose one for it in "
            "Zendesk under business hours, then sync the account"
        )
    return ""


def windows(schedule: Schedule, zone: ZoneInfo, day: date) -> Iterator[tuple[datetime, datetime]]:
    """Yield the hours of a date as half-open intervals of UTC."""
    if any(first <= day <= last for first, last in schedule.holidays):
        return
    sunday = (day.weekday() + 1) % 7 * MINUTES_OF_DAY
    for start, end in schedule.week:
        if sunday <= start < sunday + MINUTES_OF_DAY and start < end:
            yield _boundary(zone, day, start - sunday, 0), _boundary(zone, day, end - sunday, 1)


def is_open(schedule: Schedule, at: datetime) -> bool:
    """Tell whether an instant is within a schedule's hours; a schedule without a zone has none."""
    zone = zone_of(schedule.zone)
    if zone is None:
        return False
    local = at.astimezone(zone).date()
    # Where clocks change at midnight, an instant may lie in the hours of the date before or after.
    days = (local + timedelta(days=n) for n in (-1, 0, 1))
    return any(start <= at < end for day in days for start, end in windows(schedule, zone, day))


def opens_at(schedule: Schedule, at: datetime) -> datetime | None:
    """Return the next instant, in UTC, at which hours begin; None when none do within `LOOK_AHEAD_DAYS`."""
    zone = zone_of(schedule.zone)
    if zone is None or not schedule.week:
        return None
    local = at.astimezone(zone).date()
    for n in range(-1, LOOK_AHEAD_DAYS):
        coming = [s for s, _ in windows(schedule, zone, local + timedelta(days=n)) if s > at]
        if coming:
            return min(coming)
    return None


def _boundary(zone: ZoneInfo, day: date, minute: int, fold: int) -> datetime:
    """Return the instant of a wall-clock time; minute 1440 is the midnight that ends the day."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - wall-clock time of the zone
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return late if fold else early
    # INVARIANT: the clocks skip this time, so the change lies between the two readings of it.
    low, high = late, early
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True, slots=True)
class Hours:
    """The schedules of an account at one instant."""

    at: datetime
    schedules: Mapping[int, Schedule] = field(default_factory=dict)

    def rests(self, schedule_id: int | None) -> bool:
        """Tell whether who goes by a schedule rests now; without one nobody does.

        A schedule that is gone has no hours: better a ticket that waits and says why than one given at night.
        """
        if schedule_id is None:
            return False
        schedule = self.schedules.get(schedule_id)
        return schedule is None or not is_open(schedule, self.at)
