"""Deadlines, hop by hop: Python's gRPC does not pass them on (grpc #17489), so we do."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

KEPT_BACK_SECONDS = 0.02
"""What each hop keeps, so that it can still report the time-out of its callee."""
HOPELESS_SECONDS = 0.1
"""With less than this left, work is refused instead of begun."""
DEFAULT_SECONDS = 10.0

_deadline: ContextVar[float] = ContextVar("deadline")


def set_deadline(seconds_left: float | None) -> None:
    """Remember for this task when the current call ends (the chain does this)."""
    if seconds_left is not None:
        _deadline.set(asyncio.get_running_loop().time() + seconds_left)


def remaining_seconds() -> float | None:
    """Return how long a call to another service may take for the current call to end in time; None = no end."""
    end = _deadline.get(None)
    return None if end is None else end - asyncio.get_running_loop().time() - KEPT_BACK_SECONDS


def budget_seconds(own: float | None = DEFAULT_SECONDS) -> float | None:
    """Return how long an outgoing call may take: its own budget, at most what is left of the current call.

    Args:
        own: None for a stream that has no end of its own.
    """
    bounds = [bound for bound in (own, remaining_seconds()) if bound is not None]
    return min(bounds, default=None)
