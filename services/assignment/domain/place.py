"""Where a waiting ticket stands in the order of its queue, as a sentence (facts: §7.1)."""

from __future__ import annotations

from services.assignment.domain.model import GIVEN, Decision, Snapshot


def place(decision: Decision, snapshot: Snapshot) -> list[str]:
    """Return the ticket's place and what the order goes by; nothing for a ticket that is given."""
    ticket = next((t for t in snapshot.tickets if t.id == decision.ticket), None)
    if ticket is None or decision.outcome in GIVEN:
        return []
    queue, where = snapshot.queue, f"it is number {decision.rank} of its queue"
    if queue.use_sla and ticket.next_breach_at is not None:
        return [f"{where}, which goes by SLA: its next breach is at {ticket.next_breach_at.isoformat()}"]
    if queue.use_sla:
        return [
            f"{where}, which goes by SLA: none is known to run on it, so it comes after those that have one"
        ]
    if queue.ageing_seconds is not None:
        step = queue.ageing_seconds
        return [f"{where}, which goes by age: each step of priority counts for {step} seconds of waiting"]
    return [f"{where}, which goes by priority, then by age"]
