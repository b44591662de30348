"""Relationship records in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from libs.decision.rows import RelationshipRow
from services.policy.adapters.sql.rows import Rows, alive, archive, keep
from services.policy.app.ports import Pair

PART = 5000
"""Rows that are read at once."""
_GIVEN = """unnest(
    CAST(:ids AS text[]), CAST(:types AS text[]), CAST(:sources AS text[]), CAST(:targets AS text[]),
    CAST(:created AS timestamptz[]), CAST(:expires AS timestamptz[]))
    AS v(id, type, source, target, created_at, expires_at)"""
_ENDED = f"""expires_at IS NOT NULL AND EXISTS (SELECT FROM {_GIVEN} WHERE v.source = relationships.source
AND v.type = relationships.type AND v.target = relationships.target AND relationships.expires_at <= v.created_at)"""
_RELATE = f"""
INSERT INTO relationships AS r (account, id, type, source, target, created_at, expires_at, from_rev)
SELECT :account, v.*, :revision FROM {_GIVEN}
ON CONFLICT (account, source, type, target) DO UPDATE
SET id = excluded.id, created_at = excluded.created_at, expires_at = excluded.expires_at,
    from_rev = excluded.from_rev
WHERE r.expires_at <= excluded.created_at
RETURNING id
"""  # noqa: S608 - a constant of ours
_NAMED = """(type, source, target) IN (SELECT * FROM unnest(
    CAST(:types AS text[]), CAST(:sources AS text[]), CAST(:targets AS text[])))"""


def relationship_of(row: Row[Any]) -> RelationshipRow:
    """Return a row of `relationships` as such."""
    return RelationshipRow(row.id, row.type, row.source, row.target, row.created_at, row.expires_at)


class SqlRelationships(Rows):
    """The part of `Transaction` about relationship records."""

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        firsts = list({(r.source, r.type, r.target): r for r in reversed(rows)}.values())
        if not firsts:
            return 0
        given = {
            "ids": [r.id for r in firsts],
            "types": [r.type for r in firsts],
            "sources": [r.source for r in firsts],
            "targets": [r.target for r in firsts],
            "created": [r.created_at for r in firsts],
            "expires": [r.expires_at for r in firsts],
        }
        await self._run(keep("relationships", _ENDED), **given)
        return len((await self._run(_RELATE, **given)).all())

    async def unrelate(self, rows: Sequence[RelationshipRow]) -> int:
        if not rows:
            return 0
        done = await self._run(
            archive("relationships", _NAMED, "id"),
            types=[r.type for r in rows],
            sources=[r.source for r in rows],
            targets=[r.target for r in rows],
        )
        return len(done.all())

    async def delete_relationship(self, relationship_id: str) -> bool:
        done = await self._run(archive("relationships", "id = :id", "id"), id=relationship_id)
        return done.one_or_none() is not None

    async def expire(self, now: datetime, limit: int) -> int:
        ended = (
            "id IN (SELECT id FROM relationships WHERE account = :account AND expires_at <= :now "
            "ORDER BY expires_at LIMIT :limit)"
        )
        done = await self._run(archive("relationships", ended, "id"), now=now, limit=limit)
        return len(done.all())

    async def relationship(self, relationship_id: str) -> RelationshipRow | None:
        found = await self._run(
            "SELECT * FROM relationships WHERE account = :account AND id = :id", id=relationship_id
        )
        row = found.one_or_none()
        return relationship_of(row) if row else None

    async def relationships(
        self,
        *,
        types: Collection[str] | None = None,
        source: str = "",
        target: str = "",
        after: str = "",
        limit: int = 1000,
        at: int | None = None,
    ) -> list[RelationshipRow]:
        rows = await self._run(
            f"SELECT * FROM {alive('relationships', at)} WHERE id > :after "  # noqa: S608 - ours
            "AND (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[]))) "
            "AND (:source = '' OR source = :source) AND (:target = '' OR target = :target) ORDER BY id LIMIT :limit",
            types=None if types is None else sorted(types),
            source=source,
            target=target,
            after=after,
            limit=limit,
            at=at,
        )
        return [relationship_of(row) for row in rows]

    async def every_relationship(self, *, at: int | None = None) -> AsyncIterator[Sequence[RelationshipRow]]:
        # a server-side cursor: pages by id would sort what is left each time
        await self._run(
            "SET LOCAL statement_timeout = '60s'"
        )  # the first part may wait for an index to be read
        result = await self._connection.stream(
            text(
                "SELECT id, type, source, target, created_at, expires_at "  # noqa: S608 - ours
                f"FROM {alive('relationships', at)}"
            ),
            {"account": self._account, **({} if at is None else {"at": at})},
            execution_options={
                "yield_per": PART
            },  # at the statement it would not keep psycopg from buffering
        )
        async for part in result.partitions(PART):
            yield [RelationshipRow(*row) for row in part]

    async def from_sources(
        self, types: Collection[str], sources: Collection[str], *, at: int | None = None
    ) -> list[RelationshipRow]:
        return await self._with_ends("source", types, sources, at)

    async def to_targets(
        self, types: Collection[str], targets: Collection[str], *, at: int | None = None
    ) -> list[RelationshipRow]:
        return await self._with_ends("target", types, targets, at)

    async def _with_ends(
        self, column: str, types: Collection[str], ends: Collection[str], at: int | None
    ) -> list[RelationshipRow]:
        if not types or not ends:
            return []
        rows = await self._run(
            f"SELECT * FROM {alive('relationships', at)} WHERE type = ANY(CAST(:types AS text[])) "  # noqa: S608 - ours
            f"AND {column} = ANY(CAST(:ends AS text[])) ORDER BY id",
            types=sorted(types),
            ends=sorted(ends),
            at=at,
        )
        return [relationship_of(row) for row in rows]

    async def between(self, pairs: Collection[Pair], *, at: int | None = None) -> list[RelationshipRow]:
        if not pairs:
            return []
        ordered = sorted(set(pairs))
        rows = await self._run(
            f"SELECT relationships.* FROM {alive('relationships', at)} "  # noqa: S608 - ours
            "JOIN unnest(CAST(:sources AS text[]), CAST(:targets AS text[])) AS v(source, target) "
            "ON relationships.source = v.source AND relationships.target = v.target",
            sources=[source for source, _ in ordered],
            targets=[target for _, target in ordered],
            at=at,
        )
        return [relationship_of(row) for row in rows]

    async def has_ended(self, now: datetime) -> bool:
        found = await self._run(
            "SELECT EXISTS (SELECT FROM relationships WHERE account = :account AND expires_at <= :now)",
            now=now,
        )
        return bool(found.scalar_one())

    async def has_more_relationships_than(self, number: int) -> bool:
        found = await self._run(
            "SELECT EXISTS (SELECT FROM relationships WHERE account = :account OFFSET :number)", number=number
        )
        return bool(found.scalar_one())
