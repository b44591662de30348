"""When an answer is due: Art. 12(3) GDPR, counted by Reg. 1182/71 Art. 3 (facts: privacy §11)."""

from __future__ import annotations

import calendar
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta

FIRST_MONTHS = 1
EXTENDED_MONTHS = 3


def _months_later(day: date, months: int) -> date:
    index = day.month - 1 + months
    year, month = day.year + index // 12, index % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def deadline(
    received: datetime, *, extended: bool = False, holidays: AbstractSet[date] = frozenset()
) -> datetime:
    """Return the last instant (exclusive) for the answer.

    The day of receipt is not counted; the period ends with the last hour of the same date one month later
    (three when extended: computed from receipt, once), of the month's last day when there is no such date; a
    Saturday, Sunday or holiday moves it to the next working day.
    """
    last = _months_later(received.astimezone(UTC).date(), EXTENDED_MONTHS if extended else FIRST_MONTHS)
    while last.weekday() >= 5 or last in holidays:
        last += timedelta(days=1)
    return datetime.combine(last + timedelta(days=1), time(0), UTC)
