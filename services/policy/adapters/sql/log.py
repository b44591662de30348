"""The decision log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from services.policy.adapters.sql.rows import Rows
from services.policy.app.ports import LogRow


class SqlLog(Rows):
    """The part of `Transaction` about logged decisions."""

    async def log(self, rows: Sequence[LogRow]) -> None:
        if not rows:
            return
        await self._run(
            "INSERT INTO decision_log "
            "(account, id, at, user_id, action, object_type, record, allowed, reason, revision) "
            "SELECT :account, v.* FROM unnest(CAST(:ids AS text[]), CAST(:at AS timestamptz[]), "
            "CAST(:users AS bigint[]), CAST(:actions AS text[]), CAST(:types AS text[]), CAST(:records AS text[]), "
            "CAST(:allowed AS boolean[]), CAST(:reasons AS text[]), CAST(:revisions AS bigint[])) AS v",
            ids=[r.id for r in rows],
            at=[r.at for r in rows],
            users=[r.user_id for r in rows],
            actions=[r.action for r in rows],
            types=[r.object_type for r in rows],
            records=[r.record for r in rows],
            allowed=[r.allowed for r in rows],
            reasons=[r.reason for r in rows],
            revisions=[r.revision for r in rows],
        )

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        rows = await self._run(
            "SELECT * FROM decision_log WHERE account = :account AND (:before = '' OR id < :before) "
            "AND (CAST(:user_id AS bigint) IS NULL OR user_id = :user_id) ORDER BY id DESC LIMIT :limit",
            before=before,
            limit=limit,
            user_id=user_id,
        )
        return [
            LogRow(r.id, r.at, r.user_id, r.action, r.object_type, r.record, r.allowed, r.reason, r.revision)
            for r in rows
        ]
