"""Stickiness inside a queue: what comes back goes first to the agent who had it last (facts: §4.1, §4.4 asks 2 and 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.assignment.app.ports import Transaction
from services.assignment.app.rows import QueueRow
from services.assignment.domain.model import GIVEN, Decision, Snapshot


async def applied(tx: Transaction, queue: QueueRow, snapshot: Snapshot, as_of: datetime) -> Snapshot:
    """Return a snapshot whose tickets know whom they prefer: who had them until less than `sticky_seconds` ago.

    It is a preference, no more: whoever is away, gone, full, or has declined the ticket does not get it, and nobody
    waits for him (the escape from overload).
    """
    seconds = queue.options.sticky_seconds
    if seconds is None or not snapshot.tickets:
        return snapshot
    last = await tx.returns.last_agents(as_of - timedelta(seconds=seconds))
    tickets = [replace(t, preferred=last[t.id][0]) if t.id in last else t for t in snapshot.tickets]
    return replace(snapshot, tickets=tickets)


async def notes(tx: Transaction, queue: QueueRow, decision: Decision, as_of: datetime) -> list[str]:
    """Return whom a waiting ticket prefers, and until when."""
    seconds = queue.options.sticky_seconds
    if seconds is None or decision.outcome in GIVEN:
        return []
    window = timedelta(seconds=seconds)
    found = (await tx.returns.last_agents(as_of - window)).get(decision.ticket)
    if found is None:
        return []
    agent, at = found
    return [f"agent `{agent}` had it last and comes first until {at + window:%Y-%m-%d %H:%M:%S} UTC"]
