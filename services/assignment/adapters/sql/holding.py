"""Which queue holds a ticket, as SQL: the first active one, in order, whose source has it."""

from __future__ import annotations

from collections.abc import Sequence

from services.assignment.app.rows import QueueRow, before


def held(queue: QueueRow, queues: Sequence[QueueRow]) -> str:
    """Return the condition on `tickets t` for what a queue holds and no active queue before it."""
    earlier = [q for q in queues if q.id != queue.id and q.state == "active" and before(q, queue)]
    return " AND ".join([_source(queue), *(f"NOT {_source(q)}" for q in earlier)])


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
