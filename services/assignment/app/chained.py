"""What of a decision is chained by hashes."""

from __future__ import annotations

from services.assignment.app.rows import DecisionRow


def chained(account: str, row: DecisionRow) -> dict[str, object]:
    """Return what of a decision is chained: everything but the state of its write."""
    facts: dict[str, object] = {
        "account": account,
        "sequence": str(row.sequence),
        "id": row.id,
        "ticket": str(row.ticket),
        "outcome": row.outcome,
        "agent": str(row.agent_id or ""),
        "group": str(row.group_id or ""),
        "queue": row.queue,
        "mechanism": row.mechanism,
        "model": row.model,
        "command": row.command,
        "as_of": row.as_of.isoformat(),
        "rejected": _rejected(row),
        "rule_version": str(row.rule_version),
        "rank": str(row.rank),
    }
    # Decisions older than the record of inputs keep their hash.
    return facts | {"inputs": row.inputs} if row.inputs else facts


def _rejected(row: DecisionRow) -> dict[str, object]:
    if row.named:
        return {code: [str(a) for a in agents] for code, agents in row.named.items()}
    return {code: str(number) for code, number in row.rejected.items()}
