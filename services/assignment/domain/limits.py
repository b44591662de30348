"""Limits as an admin writes them: `10` open tickets, `3 in 30m`, `5 in 2.5h` (facts: §4.1, limit grammar)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

MOST = 10_000
"""Tickets; as the other limits have it (facts: §2.2)."""
LONGEST_MINUTES = 12 * 60
"""As far back as the daily limit looks; ours: what is longer is a daily limit."""
_HOUR = 60
_SHAPE = re.compile(r"(-?[0-9.]{1,12})(?: in (-?[0-9.]{1,12}) ?([a-z]*))?")
_UNITS = {"m": 1, "min": 1, "h": _HOUR}
_HOW = "write `10` for open tickets, or a rate like `3 in 30m` or `5 in 2.5h`"


@dataclass(frozen=True, slots=True)
class Limit:
    """How many tickets an agent may have, or get.

    Attributes:
        most: tickets.
        minutes: in which he may get as many; None = that he may have open at once.
    """

    most: int
    minutes: int | None = None

    def __str__(self) -> str:
        """Return it as an admin would write it."""
        if self.minutes is None:
            return str(self.most)
        hours = Decimal(self.minutes) / _HOUR
        if self.minutes < _HOUR or hours != round(hours, 2):
            return f"{self.most} in {self.minutes}m"
        return f"{self.most} in {hours.normalize():f}h"


@lru_cache(maxsize=1024)
def limit_of(text: str) -> Limit | None:
    """Return what a text means; None for an empty one: no limit.

    Raises:
        ValueError: it means nothing, or nothing that anybody can want; the message says what to write.
    """
    text = " ".join(text.lower().split())
    if not text:
        return None
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError(f"`{text}` is no limit: {_HOW}")
    tickets, window, unit = shape.groups()
    most = _whole(_number(tickets, text), "tickets", text)
    if not 1 <= most <= MOST:
        raise ValueError(f"`{text}` must let an agent have 1 to {MOST:,} tickets")
    return Limit(most) if window is None else Limit(most, _minutes(window, unit, text))


def _minutes(window: str, unit: str, text: str) -> int:
    if not unit:
        raise ValueError(f"`{text}` has no unit: write `{window}m` for minutes or `{window}h` for hours")
    if unit not in _UNITS:
        raise ValueError(f"`{text}` has a unit that is neither `m` (minutes) nor `h` (hours)")
    minutes = _whole(_number(window, text) * _UNITS[unit], "minutes", text)
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise ValueError(
            f"`{text}` must look 1 minute to {LONGEST_MINUTES // _HOUR} hours back: for longer there is the daily limit"
        )
    return minutes


def _number(text: str, whole: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"`{whole}` is no limit: {_HOW}") from None


def _whole(number: Decimal, what: str, text: str) -> int:
    if number != int(number):
        raise ValueError(f"`{text}` does not come to whole {what}")
    return int(number)
