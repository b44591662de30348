"""The evidence chain: which events there are, what of them is chained, and the check (facts: privacy §9)."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum

from services.privacy.app.ports import EventRow


class EventType(StrEnum):
    """What happened."""

    RECEIVED = "RECEIVED"
    PLANNED = "PLANNED"
    APPROVED = "APPROVED"
    STEP_DONE = "STEP_DONE"
    STUCK = "STUCK"
    RETRIED = "RETRIED"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    EXTENDED = "EXTENDED"
    HELD = "HELD"
    HOLD_CREATED = "HOLD_CREATED"
    HOLD_RELEASED = "HOLD_RELEASED"
    RESTRICTED = "RESTRICTED"
    RESTRICTION_LIFTED = "RESTRICTION_LIFTED"


def chained(account: str, row: EventRow) -> dict[str, object]:
    """Return what of an event is chained: ids, counts and hashes only, never a person."""
    return {
        "account": account,
        "sequence": str(row.sequence),
        "at": row.at.astimezone(UTC).isoformat(),
        "type": row.type,
        "request": row.request,
        "facts": dict(row.facts),
    }
