"""When a view is read again: after a change that it may have noticed, and now and then (facts: §3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.assignment.domain.view_filter import ViewFilter
from services.assignment.domain.webhook import TicketFacts

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a view was read that was not."""
MOVING_EVERY = timedelta(minutes=5)
"""How old the content of a view may be that changes with time; ours: Zendesk's conditions count hours."""
AT_LEAST_EVERY = timedelta(hours=1)
"""How old any view's content may be: what nobody thought of comes in then; ours."""
PER_CALL = timedelta(seconds=55)
"""What a call of the reads in between takes of the time: one a minute over all views, whatever a minute job waits."""
AGAIN = (timedelta(0), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=10))
"""When, after news of a ticket, a view is read that may hold it: an answer may be ten minutes old (facts: §3)."""
AGAIN_HELD = AGAIN[:2]
"""The same for a view that shows the ticket already."""
LONGEST = AGAIN[-1]
SLACK = timedelta(minutes=1)
"""How much older than what we heard of a ticket its time may be in a view."""


@dataclass(frozen=True, slots=True)
class ViewRead:
    """What is known of a view that feeds a queue.

    Attributes:
        read_at: when its tickets were asked for last.
        whole_at: when all of them were.
        checked_at: when its conditions were.
        swept_until: until when no view is read in between, because this one was.
        gone: Zendesk does not know it any more, or does not let us see it.
    """

    view: int
    read_at: datetime = NEVER
    checked_at: datetime = NEVER
    swept_until: datetime = NEVER
    gone: bool = False
    whole_at: datetime = NEVER
    filter: ViewFilter = field(default_factory=ViewFilter)

    @property
    def next_at(self) -> datetime:
        """When all of it is read even if nothing happens, if its turn has come."""
        return self.whole_at + (MOVING_EVERY if self.filter.moves else AT_LEAST_EVERY)


@dataclass(frozen=True, slots=True)
class News:
    """A waiting ticket that changed.

    Attributes:
        at: when we heard of it, on our clock: Zendesk's may go wrong.
        views: those that showed it when they were read last.
    """

    facts: TicketFacts
    at: datetime
    views: frozenset[int]


def due(
    sources: Sequence[tuple[str, int]], reads: Mapping[int, ViewRead], news: Iterable[News], now: datetime
) -> list[tuple[int, tuple[News, ...]]]:
    """Return the views to be read now, each with the tickets that it is asked about; none = all that it holds.

    The one comes first whose content is the oldest.

    Args:
        sources: (kind, source) of the active queues, in their order. A ticket belongs to the first that has it
            (facts: decision 3), so that what comes after a queue that surely has it needs no reading.
    """
    found: dict[int, list[News]] = {}
    for one in news:
        for view in _asked(sources, reads, one, now):
            found.setdefault(view, []).append(one)
    unread = {view: list[News]() for view, read in reads.items() if read.read_at == NEVER and not read.gone}
    ordered = sorted((found | unread).items(), key=lambda item: (reads[item[0]].read_at, item[0]))
    return [(view, tuple(told)) for view, told in ordered]


def _asked(
    sources: Sequence[tuple[str, int]], reads: Mapping[int, ViewRead], one: News, now: datetime
) -> set[int]:
    """Return the views that are asked about a ticket."""
    found = set()
    for kind, source in sources:
        if not source or (kind == "trigger" and source == one.facts.group_id):
            break
        read = reads.get(source) if kind == "scheduled" else None
        if read is None or read.gone:
            continue
        shown = source in one.views
        if not shown and not read.filter.may_hold(one.facts):
            continue
        if _unsettled(read.read_at, one.at, now, AGAIN_HELD if shown else AGAIN):
            found.add(source)
        elif shown:
            break
    return found


def _unsettled(read_at: datetime, heard_at: datetime, now: datetime, again: Sequence[timedelta]) -> bool:
    # At one and the same instant nobody knows what came first; nor once our clock was set back.
    return (
        read_at == heard_at
        or read_at > now + SLACK
        or any(read_at < heard_at + after <= now for after in again)
    )


def in_turn(reads: Iterable[ViewRead], now: datetime) -> int | None:
    """Return the view that is read although nothing is known to have changed; None = none now."""
    known = list(reads)
    # What was read in the future was read before our clock was set back: it counts for nothing.
    if any(read.swept_until > now and read.read_at <= now + SLACK for read in known):
        return None
    waiting = [r for r in known if not r.gone and (r.next_at <= now or r.whole_at > now + SLACK)]
    return min(waiting, key=lambda read: (read.next_at, read.view)).view if waiting else None


def changed_since(read: ViewRead, told: Sequence[News]) -> datetime | None:
    """Return from when on a view's tickets answer what it is asked; None = it takes all of them."""
    if not told or read.whole_at == NEVER or read.filter.grouped:
        return None
    return min(one.facts.updated_at for one in told) - SLACK


def swept_until(now: datetime, calls: int) -> datetime:
    """Return until when a read of so many calls is paid for."""
    return now + calls * PER_CALL
