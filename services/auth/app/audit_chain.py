"""What an audit event is hashed as: one form over every store, and for whoever checks the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from libs.crypto.chain import verify_chain
from libs.kernel.ids import AccountId
from services.auth.app.ports import AuditRow


def event(
    account: AccountId,
    sequence: int,
    at: datetime,
    actor: str,
    action: str,
    outcome: str,
    facts: Mapping[str, str],
) -> dict[str, object]:
    """Return the event as canonical JSON values."""
    return {
        "account": account,
        "sequence": str(sequence),
        "at": at.astimezone(UTC).isoformat(),
        "actor": actor,
        "action": action,
        "outcome": outcome,
        "facts": dict(facts),
    }


def verify_rows(account: AccountId, rows: Sequence[AuditRow]) -> bytes:
    """Check a whole chain, oldest first, and return its head.

    Raises:
        BrokenChainError: at the first event that was changed or left out.
    """
    return verify_chain(
        (event(account, r.sequence, r.at, r.actor, r.action, r.outcome, r.facts), r.hash) for r in rows
    )
