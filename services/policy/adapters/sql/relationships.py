"""Relationship records in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from services.policy.adapters.sql.rows import Rows
from services.policy.app.ports import Pair, RelationshipRow

_RELATE = """
INSERT INTO relationships AS r (account, id, type, source, target, created_at, expires_at)
SELECT :account, v.* FROM unnest(
    CAST(:ids AS text[]), CAST(:types AS text[]), CAST(:sources AS text[]), CAST(:targets AS text[]),
    CAST(:created AS timestamptz[]), CAST(:expires AS timestamptz[])) AS v
ON CONFLICT (account, source, type, target) DO UPDATE
SET id = excluded.id, created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE r.expires_at <= excluded.created_at
RETURNING id
"""


def _relationship(row: Row[Any]) -> RelationshipRow:
    return RelationshipRow(row.id, row.type, row.source, row.target, row.created_at, row.expires_at)


class SqlRelationships(Rows):
    """The part of `Transaction` about relationship records."""

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        firsts = list({(r.source, r.type, r.target): r for r in reversed(rows)}.values())
        if not firsts:
            return 0
        done = await self._run(
            _RELATE,
            ids=[r.id for r in firsts],
            types=[r.type for r in firsts],
            sources=[r.source for r in firsts],
            targets=[r.target for r in firsts],
            created=[r.created_at for r in firsts],
            expires=[r.expires_at for r in firsts],
        )
        return len(done.all())

    async def unrelate(self, rows: Sequence[RelationshipRow]) -> int:
        if not rows:
            return 0
        done = await self._run(
            "DELETE FROM relationships r USING unnest(CAST(:types AS text[]), CAST(:sources AS text[]), "
            "CAST(:targets AS text[])) AS v(type, source, target) WHERE r.account = :account AND r.type = v.type "
            "AND r.source = v.source AND r.target = v.target RETURNING r.id",
            types=[r.type for r in rows],
            sources=[r.source for r in rows],
            targets=[r.target for r in rows],
        )
        return len(done.all())

    async def delete_relationship(self, relationship_id: str) -> bool:
        done = await self._run(
            "DELETE FROM relationships WHERE account = :account AND id = :id RETURNING id", id=relationship_id
        )
        return done.one_or_none() is not None

    async def relationship(self, relationship_id: str) -> RelationshipRow | None:
        found = await self._run(
            "SELECT * FROM relationships WHERE account = :account AND id = :id", id=relationship_id
        )
        row = found.one_or_none()
        return _relationship(row) if row else None

    async def relationships(
        self,
        *,
        types: Collection[str] | None = None,
        source: str = "",
        target: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[RelationshipRow]:
        rows = await self._run(
            "SELECT * FROM relationships WHERE account = :account AND id > :after "
            "AND (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[]))) "
            "AND (:source = '' OR source = :source) AND (:target = '' OR target = :target) ORDER BY id LIMIT :limit",
            types=None if types is None else sorted(types),
            source=source,
            target=target,
            after=after,
            limit=limit,
        )
        return [_relationship(row) for row in rows]

    async def from_sources(
        self, type_key: str, sources: Collection[str], now: datetime
    ) -> list[RelationshipRow]:
        rows = await self._run(
            "SELECT * FROM relationships WHERE account = :account AND type = :type "
            "AND source = ANY(CAST(:sources AS text[])) AND (expires_at IS NULL OR expires_at > :now) ORDER BY id",
            type=type_key,
            sources=sorted(sources),
            now=now,
        )
        return [_relationship(row) for row in rows]

    async def related(self, pairs: Collection[Pair], now: datetime) -> Mapping[Pair, Mapping[str, str]]:
        ordered = sorted(set(pairs))
        rows = await self._run(
            "SELECT r.source, r.target, r.type, r.id FROM relationships r "
            "JOIN unnest(CAST(:sources AS text[]), CAST(:targets AS text[])) AS v(source, target) "
            "ON r.source = v.source AND r.target = v.target "
            "WHERE r.account = :account AND (r.expires_at IS NULL OR r.expires_at > :now)",
            sources=[source for source, _ in ordered],
            targets=[target for _, target in ordered],
            now=now,
        )
        found: dict[Pair, dict[str, str]] = {}
        for row in rows:
            found.setdefault((row.source, row.target), {})[row.type] = row.id
        return found

    async def targets(
        self, source: str, types: Collection[str], now: datetime, *, after: str, limit: int
    ) -> list[tuple[str, frozenset[str]]]:
        rows = await self._run(
            "SELECT target, array_agg(type) AS types FROM relationships WHERE account = :account "
            "AND source = :source AND type = ANY(CAST(:types AS text[])) AND (expires_at IS NULL OR expires_at > :now) "
            'AND target COLLATE "C" > :after GROUP BY target ORDER BY target COLLATE "C" LIMIT :limit',
            source=source,
            types=sorted(types),
            now=now,
            after=after,
            limit=limit,
        )
        return [(row.target, frozenset(row.types)) for row in rows]
