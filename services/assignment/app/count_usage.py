"""Usage figures: counted once a day, kept without a person, shown to admins."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.domain.usage import UsageDay, published

SETTLED = timedelta(hours=1)
"""How long after a day it is counted: what was decided at its end is written or refused by then."""
DAYS_AT_ONCE = 7
"""How many days one run counts, where many are missing."""
LOOK_BACK = timedelta(days=90)
"""How far back the first run goes."""
LONGEST_RANGE = timedelta(days=366)
DEFAULT_RANGE = timedelta(days=30)
DAY = timedelta(days=1)


class CountUsage:
    """Counts days that are over; safe to repeat and to run at once: a day is kept once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._done: dict[AccountId, date] = {}

    async def __call__(self, account: AccountId) -> int:
        """Count what is missing, the oldest day first; return how many days were counted."""
        newest = (self._clock.now() - SETTLED).astimezone(UTC).date() - DAY
        if self._done.get(account, date.min) >= newest:
            return 0
        async with self._store.transaction(account) as tx:
            last, began = await tx.usage.last(), await tx.usage.begin()
        if last is None and began is None:
            return 0
        earliest = newest - LOOK_BACK
        day, sequence = (last[0] + DAY, last[1]) if last else (earliest, 0)
        if last is None and began is not None:
            day = max(earliest, began.astimezone(UTC).date())
        counted = 0
        while day <= newest and counted < DAYS_AT_ONCE:
            sequence = await self._day(account, day, sequence)
            day, counted = day + DAY, counted + 1
        self._done[account] = day - DAY
        return counted

    async def _day(self, account: AccountId, day: date, after: int) -> int:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        async with self._store.transaction(account) as tx:
            found = await tx.usage.count(start, start + DAY, after)
            await tx.usage.put(published(day, found), found.sequence)
        return found.sequence


class GetUsage:
    """Returns figures by day."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, account: AccountId, first: str, last: str) -> list[UsageDay]:
        """Return the days of a range that were counted.

        Args:
            first: ISO date; empty = thirty days before the last.
            last: ISO date; empty = today (UTC).

        Raises:
            InvalidRequestError: a date is none, or the range is empty or longer than a year.
        """
        end = _date("last_day", last) or self._clock.now().astimezone(UTC).date()
        begin = _date("first_day", first) or end - DEFAULT_RANGE
        if not timedelta(0) <= end - begin <= LONGEST_RANGE:
            wrong = f"ends before it begins, or is longer than {LONGEST_RANGE.days} days"
            raise InvalidRequestError(
                "the range of days cannot be used", violations=[FieldViolation("first_day", wrong)]
            )
        async with self._store.transaction(account) as tx:
            return await tx.usage.days(begin, end)


def _date(field: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        violation = FieldViolation(field, f"`{text}` is no date of the form 2026-01-05")
    raise InvalidRequestError("the range of days cannot be used", violations=[violation])
