"""Which queue holds a ticket, as SQL: the first active one, in order, whose source has it.

What waited too long there belongs to the overflow queue, and so on along the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from services.assignment.app.rows import PREFERRING, QueueRow, before, next_queue


def held(queue: QueueRow, queues: Sequence[QueueRow], at: datetime | None = None) -> str:
    """Return the condition on `tickets t` for what a queue holds at an instant and no other active queue does.

    What its preference is still to be found for is held by none. Without an instant all that plays no part.
    """
    if at is None:
        return _first(queue, queues)
    condition = f"({_arrived(queue, queues, at, frozenset())}) AND NOT {_preferring(at)}"
    if queue.state == "active" and next_queue(queue, queues) is not None:
        condition = f"{condition} AND NOT {_late(queue, at)}"
    return condition


def _first(queue: QueueRow, queues: Sequence[QueueRow]) -> str:
    earlier = [q for q in queues if q.id != queue.id and q.state == "active" and before(q, queue)]
    return " AND ".join([_source(queue), *(f"NOT {_source(q)}" for q in earlier)])


def _arrived(queue: QueueRow, queues: Sequence[QueueRow], at: datetime, seen: frozenset[str]) -> str:
    """Return the condition for what comes to a queue, by its source or from others; `seen` guards from circles."""
    ways, seen = [f"({_first(queue, queues)})"], seen | {queue.id}
    for other in queues:
        target = next_queue(other, queues) if other.id not in seen and other.state == "active" else None
        if target is not None and target.id == queue.id:
            ways.append(f"(({_arrived(other, queues, at, seen)}) AND {_late(other, at)})")
    return " OR ".join(ways) if len(ways) == 1 else f"({' OR '.join(ways)})"


def _preferring(at: datetime) -> str:
    since = (at - PREFERRING).astimezone(UTC).isoformat()
    return (
        "EXISTS (SELECT 1 FROM preferring p WHERE p.account = t.account AND p.ticket = t.ticket "  # noqa: S608 - an instant
        f"AND p.since > CAST('{since}' AS timestamptz))"
    )


def _late(queue: QueueRow, at: datetime) -> str:
    seconds = int(queue.options.overflow_seconds or 0)
    instant = at.astimezone(UTC).isoformat()
    return f"(coalesce(t.entered_at, t.created_at) <= CAST('{instant}' AS timestamptz) - make_interval(secs => {seconds}))"


def _source(queue: QueueRow) -> str:
    number = int(queue.source)
    if number == 0:
        return "true"
    if queue.kind == "trigger":
        return f"(t.group_id IS NOT DISTINCT FROM {number})"
    return (
        "EXISTS (SELECT 1 FROM view_tickets v WHERE v.account = t.account "  # noqa: S608 - a number
        f"AND v.view = {number} AND v.ticket = t.ticket)"
    )
