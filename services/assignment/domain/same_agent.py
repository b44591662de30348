"""Same agent: a requester's new ticket goes to who has his earlier ones (facts: §2.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Anchor(StrEnum):
    """From which ticket of the unbroken run the window counts; `oldest` is the vendor's."""

    OLDEST = "oldest"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier ticket of the requester.

    Attributes:
        agent: its present assignee; None = nobody, which neither breaks nor extends a run.
    """

    requested_at: datetime
    agent: int | None


def same_agent(
    earlier: Iterable[Earlier], now: datetime, window_hours: int, anchor: Anchor = Anchor.OLDEST
) -> int | None:
    """Return the agent of the newest earlier ticket, if his run with the requester is inside the window.

    The run is his unbroken sequence of the requester's tickets up to the newest. A run exactly as old as the
    window counts: the one inclusive boundary (facts: decisions 7 and 20). Hours are real hours, over clock
    changes too.
    """
    known = [(one.requested_at.astimezone(UTC), one.agent) for one in earlier if one.agent is not None]
    known.sort(reverse=True)
    if not known:
        return None
    agent = known[0][1]
    at = known[0][0]
    if anchor is Anchor.OLDEST:
        for requested_at, other in known:
            if other != agent:
                break
            at = requested_at
    return agent if now.astimezone(UTC) - at <= timedelta(hours=window_hours) else None
