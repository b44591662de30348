"""Pull: of which queues an agent gets the next ticket, and queues that give to who asks alone (facts: §2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.assignment.app.rows import QueueRow
from services.assignment.domain.errors import NoQueueForRuleError
from services.assignment.domain.model import Snapshot

NEXT_WHEN_ASKED = "the agent gets the next ticket when he asks for it"
"""What is said to an agent who can have a ticket of such a queue."""


def asked(queues: Sequence[QueueRow], rule: int | None) -> list[QueueRow]:
    """Return the queues that an agent pulls from, in their order: all active ones, or those that read his rule's view.

    Args:
        rule: his Playlist Rule ID, the id of a view; None = he has none.

    Raises:
        NoQueueForRuleError: no active queue reads that view; it says what to change.
    """
    active = [q for q in queues if q.state == "active"]
    found = [q for q in active if rule is None or _reads(q, rule)]
    if found or rule is None:
        return found
    resting = " or ".join(f"`{q.title}`" for q in queues if _reads(q, rule))
    advice = (
        f"resume queue {resting}, or give the agent another rule or none"
        if resting
        else "make a queue for the view, or give the agent another rule or none"
    )
    raise NoQueueForRuleError(
        f"no active queue reads view `{rule}`, the agent's rule: {advice}", metadata={"rule": str(rule)}
    )


def elsewhere(queue: QueueRow, rule: int | None) -> list[str]:
    """Return that an agent's rule leads past a queue, as a sentence; nothing if it does not."""
    if rule is None or _reads(queue, rule):
        return []
    change = f"make view `{queue.source}` his rule, or give" if _view(queue) else "give"
    return [
        f"the agent's rule is view `{rule}`, so he gets no ticket here when he asks: {change} him no rule"
    ]


def said(queue: QueueRow) -> str:
    """Return what is true of every ticket of a queue that gives to who asks alone."""
    return f"the queue `{queue.title}` gives its tickets to agents who ask for the next one"


def as_asked(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot as it is for somebody who asks."""
    return replace(snapshot, queue=replace(snapshot.queue, pull_only=False))


def require_sound(queue: QueueRow) -> None:
    """Refuse a queue that gives to who asks alone, and offers.

    Raises:
        InvalidRequestError: it says what to change.
    """
    if queue.options.pull_only and queue.options.offer_seconds is not None:
        fault = FieldViolation(
            "queue.pull_only",
            "nobody is offered a ticket of a queue that gives to who asks alone: leave out `offer_seconds`, or `pull_only`",
        )
        raise InvalidRequestError("the queue cannot both offer and wait to be asked", violations=[fault])


def _view(queue: QueueRow) -> int | None:
    return queue.source or None if queue.kind == "scheduled" else None


def _reads(queue: QueueRow, view: int) -> bool:
    return _view(queue) == view
