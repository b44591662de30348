"""What all replicas share of a budget: one window per account and bucket, handed out in leases.

A lease is a small share of the window's calls that one process may spend without asking again. It is counted
as used when it is given, so a process that dies with one costs the rest of that window and nothing else: no
limit is ever passed because somebody was killed. A lease ends after a few seconds, and what is left of it is
given back with the next question.

The rules are pure; adapters only make one window's change atomic (`MemoryWindows`, `SqlWindows`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from libs.kernel.clock import Clock, SystemClock

LEASE_SECONDS = 5.0
"""How long a lease lasts: how late a process learns at most that another one was refused."""
UNMETERED = 1_000_000
"""Calls of a lease while the capacity is not known."""
SHARE = 20
"""A lease is at most this part of the capacity, and a quarter of what is left: the last calls go singly."""
LONGEST_HOLD_SECONDS = 660.0
"""A little more than Zendesk's longest window (10 min); a longer `Retry-After` is a fault of somebody's."""
_ALIGNED_SECONDS = 1.5
"""Zendesk tells the rest of its window in whole seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What Zendesk's headers said of a bucket.

    Attributes:
        capacity: calls per window.
        remaining: calls left, over all that use the account.
        ends_at: when Zendesk's window ends, Unix seconds; None where it does not say.
    """

    capacity: int
    remaining: int
    ends_at: float | None


@dataclass(frozen=True, slots=True)
class Ask:
    """A process asks for calls.

    Attributes:
        cost: least number that helps it.
        capacity: of the bucket while Zendesk has not told it; 0 = not known.
        period_seconds: length of a window.
        returned: calls left of its last lease.
        window: number of the window which that lease was of; 0 = there was none.
        seen: what Zendesk's answers said since then.
    """

    cost: int
    capacity: int
    period_seconds: float
    returned: int = 0
    window: int = 0
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer.

    Attributes:
        granted: calls that may be made; 0 = none now.
        seconds: how long they may be made.
        wait_seconds: when to ask again, if none.
        capacity: of the bucket; 0 = not known.
        window: number of the window.
        left: calls that nobody has leased yet.
    """

    granted: int
    seconds: float
    wait_seconds: float
    capacity: int
    window: int
    left: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """State of one bucket of one account. Times are Unix seconds.

    Attributes:
        number: counts windows.
        capacity: calls per window as Zendesk told it; 0 = it did not yet.
        used: calls that were leased or that Zendesk counted, whichever is more.
        ends_at: when the window ends: where Zendesk said so, its own end; else a period after its first call.
        held_until: nobody calls before (a 429).
    """

    number: int = 0
    capacity: int = 0
    used: int = 0
    ends_at: float = 0.0
    held_until: float = 0.0

    def lease(self, now: float, ask: Ask) -> tuple[Window, Lease]:
        """Return the window after a question, and the answer."""
        window = _rolled(self, now, ask.period_seconds)
        current = ask.window in (0, window.number)
        if ask.window == window.number:
            window = replace(window, used=max(0, window.used - ask.returned))
        if ask.seen is not None:
            window = _informed(window, now, ask.seen, current=current)
        capacity = window.capacity or ask.capacity
        if window.held_until > now:
            return window, Lease(0, 0.0, window.held_until - now, capacity, window.number)
        if capacity == 0:
            return window, Lease(UNMETERED, LEASE_SECONDS, 0.0, 0, window.number)
        cost, free = min(ask.cost, capacity), capacity - window.used
        if free < cost:
            return window, Lease(0, 0.0, window.ends_at - now, capacity, window.number, max(0, free))
        granted = min(free, max(cost, min(capacity // SHARE, free // 4)))
        seconds = min(LEASE_SECONDS, window.ends_at - now)
        window = replace(window, used=window.used + granted)
        return window, Lease(granted, seconds, 0.0, capacity, window.number, free - granted)

    def held(self, now: float, seconds: float) -> Window:
        """Return the window while nobody may call for `seconds`."""
        until = now + min(max(0.0, seconds), LONGEST_HOLD_SECONDS)
        return replace(self, held_until=max(self.held_until, until))


def _rolled(window: Window, now: float, period: float) -> Window:
    """Return the window that is open now."""
    # A clock that was set back must not leave a window open for ever.
    if window.number and window.ends_at - 2 * max(period, LONGEST_HOLD_SECONDS) < now < window.ends_at:
        return window
    held = min(window.held_until, now + LONGEST_HOLD_SECONDS)
    return replace(window, number=window.number + 1, used=0, ends_at=now + period, held_until=held)


def _informed(window: Window, now: float, seen: Seen, *, current: bool) -> Window:
    """Return the window with what Zendesk said of its own.

    Args:
        current: whether it was said during this window; what was said before it is over.
    """
    window, used = replace(window, capacity=seen.capacity), seen.capacity - seen.remaining
    if seen.ends_at is not None and now < seen.ends_at > window.ends_at + _ALIGNED_SECONDS:
        # Zendesk has begun another one.
        return replace(window, number=window.number + 1, used=used, ends_at=seen.ends_at)
    if not current or (seen.ends_at is not None and seen.ends_at <= now):
        return window
    if seen.ends_at is not None and seen.ends_at < window.ends_at - _ALIGNED_SECONDS:
        window = replace(window, ends_at=seen.ends_at)
    return replace(window, used=max(window.used, used))


class Windows(Protocol):
    """The windows of every account, as all replicas see them."""

    async def lease(self, account: str, bucket: str, ask: Ask) -> Lease:
        """Take calls out of a bucket, or learn how long to wait.

        Raises:
            SetlistError: the store is away.
        """
        ...

    async def hold(self, account: str, bucket: str, seconds: float) -> None:
        """Let nobody call for a time; a longer hold stays.

        Raises:
            SetlistError: the store is away.
        """
        ...


class MemoryWindows:
    """The windows in a dictionary: of one process, or of several that a test puts into one.

    Args:
        clock: whose time the windows end on.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.rows: dict[tuple[str, str], Window] = {}

    async def lease(self, account: str, bucket: str, ask: Ask) -> Lease:
        window, lease = self.rows.get((account, bucket), Window()).lease(self._now(), ask)
        self.rows[account, bucket] = window
        return lease

    async def hold(self, account: str, bucket: str, seconds: float) -> None:
        self._change(account, bucket, lambda window: window.held(self._now(), seconds))

    def _change(self, account: str, bucket: str, change: Callable[[Window], Window]) -> None:
        self.rows[account, bucket] = change(self.rows.get((account, bucket), Window()))

    def _now(self) -> float:
        return self._clock.now().timestamp()
