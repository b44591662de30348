"""The audit chain in PostgreSQL: one chain per account, written in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.chain import GENESIS, chain_hash
from libs.db.locks import advisory_lock
from libs.kernel.ids import AccountId
from services.auth.app.audit_chain import event
from services.auth.app.ports import AuditRow


class SqlAudit:
    """Implements the port `Audit`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def record(
        self, actor: str, action: str, outcome: str, facts: Mapping[str, str], at: datetime
    ) -> None:
        # INVARIANT: one writer of an account's chain at a time, so that no two events share a predecessor.
        await advisory_lock(self._connection, f"audit/{self._account}")
        last = (
            await self._connection.execute(
                text(
                    "SELECT sequence, hash FROM audit_events WHERE account = :account ORDER BY sequence DESC LIMIT 1"
                ),
                {"account": self._account},
            )
        ).one_or_none()
        sequence = (last.sequence if last else 0) + 1
        hashed = event(self._account, sequence, at, actor, action, outcome, facts)
        await self._connection.execute(
            text(
                "INSERT INTO audit_events (account, sequence, at, actor, action, outcome, facts, hash) VALUES "
                "(:account, :sequence, :at, :actor, :action, :outcome, CAST(:facts AS jsonb), :hash)"
            ),
            {
                "account": self._account,
                "sequence": sequence,
                "at": at,
                "actor": actor,
                "action": action,
                "outcome": outcome,
                "facts": json.dumps(dict(facts)),
                "hash": chain_hash(last.hash if last else GENESIS, hashed),
            },
        )

    async def page(self, after: int, limit: int) -> Sequence[AuditRow]:
        rows = await self._connection.execute(
            text(
                "SELECT * FROM audit_events WHERE account = :account AND sequence > :after "
                "ORDER BY sequence LIMIT :limit"
            ),
            {"account": self._account, "after": after, "limit": limit},
        )
        return [AuditRow(r.sequence, r.at, r.actor, r.action, r.outcome, r.facts, r.hash) for r in rows]
