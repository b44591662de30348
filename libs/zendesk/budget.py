"""Keeps under Zendesk's rate limits by listening to its answers (facts: Zendesk §2.1, §2.4)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_ENDPOINT = re.compile(r"zendesk-rate-?limit-(?P<name>[a-z0-9-]+)")
_PAIRS = re.compile(r"(total|remaining|resets)=(\d+)")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return `Retry-After` in seconds, given as an integer or an HTTP date; None when absent or odd."""
    value = headers.get("retry-after")
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return None


class RateBudget:
    """Holds calls back while Zendesk says that nothing is left.

    One per account and process. It only reacts to what answers say, so replicas that share an account
    converge on what is left for each.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._free_at: dict[str, float] = {}

    def learn(self, headers: Mapping[str, str]) -> None:
        """Read the rate headers of one answer, either generation, account-wide and per endpoint."""
        for remaining, reset in (
            ("ratelimit-remaining", "ratelimit-reset"),
            ("rate-limit-remaining", "rate-limit-reset"),
        ):
            if headers.get(remaining) == "0":
                self._hold("account", float(headers.get(reset, "1")))
        for name, value in headers.items():
            if found := _ENDPOINT.fullmatch(name.lower()):
                pairs = dict(_PAIRS.findall(value))
                if pairs.get("remaining") == "0":
                    self._hold(found["name"], float(pairs.get("resets", 1)))

    def hold(self, seconds: float) -> None:
        """Hold every call for `seconds` (a 429 with `Retry-After`)."""
        self._hold("account", seconds)

    def wait_seconds(self, endpoint: str | None = None) -> float:
        """Return how long a call must wait now; 0 when it may go."""
        now = self._now()
        until = max(self._free_at.get("account", 0.0), self._free_at.get(endpoint or "", 0.0))
        return max(0.0, until - now)

    def _hold(self, name: str, seconds: float) -> None:
        self._free_at[name] = max(self._free_at.get(name, 0.0), self._now() + seconds)
