"""Who is on shift: an agent's schedule, and the dated exceptions that override it (facts: §5.8, §4.4 ask 3).

Exceptions are instants, not dates: an agent on leave may have no schedule, so no zone in which a date would begin;
his schedule may change after his leave was agreed; and a leave may end at noon. Whoever writes one down knows the
zone that is meant and turns its dates into instants once. Both ends are half-open (facts: decision 20).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.assignment.domain.model import AgentId

LONGEST = timedelta(days=366)
"""Of one exception; ours: a longer absence is no exception to a week, and is more likely a wrong year."""


class Kind(StrEnum):
    """What an exception does to the week."""

    LEAVE = "leave"
    OVERTIME = "overtime"


@dataclass(frozen=True, slots=True, order=True)
class ShiftException:
    """A stretch of time in which an agent does not go by his schedule.

    Attributes:
        start: from this instant on.
        end: at this instant it is over.
    """

    agent: AgentId
    start: datetime
    end: datetime
    kind: Kind

    def covers(self, at: datetime) -> bool:
        """Tell whether an instant is within it."""
        return self.start <= at < self.end


def fault(exception: ShiftException) -> str:
    """Return why nobody can go by an exception, and what to change; empty when one can."""
    if exception.start >= exception.end:
        return f"`{exception.end.isoformat()}` is not after `{exception.start.isoformat()}`: it must end after it starts"
    if exception.end - exception.start > LONGEST:
        return (
            f"`{exception.start.isoformat()}` to `{exception.end.isoformat()}` is more than {LONGEST.days} days: "
            "give it in parts, or take the agent out of his queues"
        )
    return ""


def off_shift(
    resting: Collection[AgentId], exceptions: Collection[ShiftException], at: datetime
) -> set[AgentId]:
    """Return who gets no new ticket at an instant.

    Leave wins over overtime: better a ticket that waits than one given to somebody who is not there.

    Args:
        resting: agents outside the hours of their schedules.
    """
    now = [one for one in exceptions if one.covers(at)]
    extra = {one.agent for one in now if one.kind is Kind.OVERTIME}
    return (set(resting) - extra) | {one.agent for one in now if one.kind is Kind.LEAVE}


def back_at(
    exceptions: Sequence[ShiftException],
    at: datetime,
    *,
    rests: Callable[[datetime], bool],
    opens: Callable[[datetime], datetime | None],
) -> datetime | None:
    """Return when one agent who is off shift is back; None when no shift of his is known to begin.

    Args:
        exceptions: of this agent alone.
        rests: whether he is outside the hours of his schedule at an instant; without a schedule never.
        opens: when these hours begin next after an instant.
    """
    leaves = [one for one in exceptions if one.kind is Kind.LEAVE]
    extra = [one for one in exceptions if one.kind is Kind.OVERTIME]
    while True:  # each leave is left once, and ends before whatever comes after it
        while away := [one.end for one in leaves if one.covers(at)]:
            at = max(away)
        if not rests(at) or any(one.covers(at) for one in extra):
            return at
        begins = [*(one.start for one in extra if one.start > at), opens(at)]
        coming = [start for start in begins if start is not None]
        if not coming:
            return None
        at = min(coming)
