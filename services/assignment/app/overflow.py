"""Overflow: who helps a ticket that waited too long, and whose it becomes (facts: §4.1, decision 17)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.assignment.app.rows import QueueRow, next_queue
from services.assignment.domain.model import GIVEN, Decision, Snapshot, Ticket


def applied(queue: QueueRow, snapshot: Snapshot, as_of: datetime) -> Snapshot:
    """Return a snapshot whose tickets know which groups help them at this instant."""
    options = queue.options
    if not options.overflow_groups or options.overflow_seconds is None:
        return snapshot
    helping = frozenset(options.overflow_groups)
    tickets = [
        replace(t, overflow=helping) if as_of >= _from(t, options.overflow_seconds) else t
        for t in snapshot.tickets
    ]
    return replace(snapshot, tickets=tickets)


def begins(queue: QueueRow, tickets: Iterable[Ticket], as_of: datetime) -> datetime | None:
    """Return when overflow begins for the first of some tickets after an instant."""
    seconds = queue.options.overflow_seconds
    if seconds is None:
        return None
    return min((at for ticket in tickets if (at := _from(ticket, seconds)) > as_of), default=None)


def notes(queue: QueueRow, decision: Decision, snapshot: Snapshot, queues: Sequence[QueueRow]) -> list[str]:
    """Return when overflow comes to a waiting ticket."""
    ticket = next((t for t in snapshot.tickets if t.id == decision.ticket), None)
    seconds = queue.options.overflow_seconds
    if ticket is None or seconds is None or decision.outcome in GIVEN:
        return []
    at = _from(ticket, seconds)
    if queue.options.overflow_groups and not ticket.overflow:
        groups = ", ".join(f"`{group}`" for group in sorted(queue.options.overflow_groups))
        return [f"from {at:%Y-%m-%d %H:%M:%S} UTC on the agents of group {groups} help"]
    target = next_queue(queue, queues)
    if target is not None:
        return [f"from {at:%Y-%m-%d %H:%M:%S} UTC on it belongs to queue `{target.title}`"]
    return []


def _from(ticket: Ticket, seconds: int) -> datetime:
    return (ticket.entered_at or ticket.created_at) + timedelta(seconds=seconds)


def require_sound(queue: QueueRow, queues: Sequence[QueueRow]) -> None:
    """Refuse overflow that leads nowhere, or round in a circle.

    Args:
        queue: as it shall be.
        queues: of the account, as they are.

    Raises:
        InvalidRequestError: it says what to change.
    """
    options, others = queue.options, {q.id: q for q in queues if q.id != queue.id}
    found: list[FieldViolation] = []
    target = options.overflow_queue
    if (target or options.overflow_groups) and options.overflow_seconds is None:
        found.append(
            FieldViolation("overflow_seconds", "say after how many seconds of waiting overflow begins")
        )
    if target and options.overflow_groups:
        found.append(
            FieldViolation(
                "overflow_queue_id", "give the queue overflow groups or an overflow queue, not both"
            )
        )
    if target and target not in others and target != queue.id:
        found.append(FieldViolation("overflow_queue_id", f"`{target}` is no queue of this account"))
    circle = _circle(queue, others)
    if circle:
        path = " → ".join(f"`{title}`" for title in circle)
        sentence = f"tickets would go {path} without end: take the overflow queue away from one of these"
        found.append(FieldViolation("overflow_queue_id", sentence))
    if found:
        raise InvalidRequestError("the queue's overflow cannot work", violations=found)


def _circle(queue: QueueRow, others: dict[str, QueueRow]) -> list[str]:
    """Return the titles on the way from a queue back to itself; empty when there is none."""
    titles, at = [queue.title], queue
    for _ in range(len(others) + 1):
        if at.options.overflow_queue == queue.id:
            return [*titles, queue.title]
        following = others.get(at.options.overflow_queue)
        if following is None:
            return []
        titles.append(following.title)
        at = following
    return []  # a circle that this queue is not part of cannot be: it was refused
