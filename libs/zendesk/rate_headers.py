"""Zendesk's rate headers of three generations, and `Retry-After` (facts: Zendesk §2.1, §2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_ENDPOINT = re.compile(r"zendesk-rate-?limit-(?P<name>[a-z0-9-]{1,64})")
_PAIRS = re.compile(r"(total|remaining|resets)=(\d{1,9})")
_GENERATIONS = ("ratelimit", "rate-limit", "x-rate-limit")
LONGEST_RETRY_AFTER_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one header said.

    Attributes:
        bucket: empty for the account's own.
        resets_seconds: rest of the window; None where it is not said.
    """

    bucket: str
    capacity: int
    remaining: int
    resets_seconds: float | None


def told(headers: Mapping[str, str]) -> Iterator[Told]:
    """Yield what an answer says of the account's limit and of its endpoint's.

    Args:
        headers: with lower-case names; odd values are passed over.
    """
    for name in _GENERATIONS:
        capacity = _number(headers.get(f"{name}-limit") or headers.get(name))
        remaining = _number(headers.get(f"{name}-remaining"))
        if capacity and remaining is not None:
            yield Told("", capacity, min(remaining, capacity), _number(headers.get(f"{name}-reset")))
            break
    for header, value in headers.items():
        if found := _ENDPOINT.fullmatch(header.lower()):
            pairs = {key: int(number) for key, number in _PAIRS.findall(value)}
            if (total := pairs.get("total", 0)) and "remaining" in pairs:
                yield Told(found["name"], total, min(pairs["remaining"], total), pairs.get("resets"))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return `Retry-After` in seconds, at most a day; 0 means at once, None that it is absent or odd.

    Args:
        headers: with lower-case names. A date is measured from the answer's own `Date`, so that a clock
            that goes wrong, ours or theirs, changes nothing.
        now: taken where there is no `Date`; the machine's clock by default.
    """
    value = (headers.get("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_RETRY_AFTER_SECONDS)
    until = _date(value)
    if until is None:
        return None
    since = _date(headers.get("date") or "") or now or datetime.now(UTC)
    return min(max(0.0, (until - since).total_seconds()), LONGEST_RETRY_AFTER_SECONDS)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)  # `-0000` is read as no zone


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
