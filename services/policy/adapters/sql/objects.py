"""Object records in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from libs.decision.rows import ObjectRow, TypeRow
from services.policy.adapters.sql.rows import Rows, alive, archive, keep
from services.policy.app.ports import ObjectKey

_GIVEN = """unnest(CAST(:types AS text[]), CAST(:ids AS text[]), CAST(:attributes AS jsonb[]))
    AS v(type, id, attributes)"""
_DIFFERS = f"""EXISTS (SELECT FROM {_GIVEN} WHERE v.type = objects.type AND v.id = objects.id
AND v.attributes <> objects.attributes)"""
_PUT = f"""
INSERT INTO objects AS o (account, type, id, attributes, from_rev)
SELECT :account, v.*, :revision FROM {_GIVEN}
ON CONFLICT (account, type, id) DO UPDATE SET attributes = excluded.attributes, from_rev = excluded.from_rev
WHERE o.attributes <> excluded.attributes
RETURNING id
"""  # noqa: S608 - a constant of ours
_NAMED = "(type, id) IN (SELECT * FROM unnest(CAST(:types AS text[]), CAST(:ids AS text[])))"
_OF_OBJECTS = """(type = ANY(CAST(:from_types AS text[])) AND source = ANY(CAST(:ids AS text[])))
OR (type = ANY(CAST(:to_types AS text[])) AND target = ANY(CAST(:ids AS text[])))"""


def object_of(row: Row[Any]) -> ObjectRow:
    """Return a row of `objects` as such."""
    return ObjectRow(row.type, row.id, row.attributes)


class SqlObjects(Rows):
    """The part of `Transaction` about object records."""

    async def objects(
        self,
        types: Collection[str] | None = None,
        ids: Collection[str] | None = None,
        *,
        after: ObjectKey = ("", ""),
        limit: int | None = None,
        at: int | None = None,
    ) -> list[ObjectRow]:
        rows = await self._run(
            f"SELECT * FROM {alive('objects', at)} "  # noqa: S608 - ours
            "WHERE (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[]))) "
            "AND (CAST(:ids AS text[]) IS NULL OR id = ANY(CAST(:ids AS text[]))) "
            'AND (type COLLATE "C", id COLLATE "C") > (:after_type, :after_id) '
            'ORDER BY type COLLATE "C", id COLLATE "C" LIMIT CAST(:limit AS bigint)',
            types=None if types is None else sorted(types),
            ids=None if ids is None else sorted(ids),
            after_type=after[0],
            after_id=after[1],
            limit=limit,
            at=at,
        )
        return [object_of(row) for row in rows]

    async def put_objects(self, rows: Sequence[ObjectRow]) -> int:
        latest = {(row.type, row.id): row for row in rows}
        if not latest:
            return 0
        given = {
            "types": [key[0] for key in latest],
            "ids": [key[1] for key in latest],
            "attributes": [json.dumps(dict(row.attributes)) for row in latest.values()],
        }
        await self._run(keep("objects", _DIFFERS), **given)
        return len((await self._run(_PUT, **given)).all())

    async def delete_objects(self, keys: Collection[ObjectKey], relationship_types: Iterable[TypeRow]) -> int:
        gone, ends = 0, list(relationship_types)
        for object_type in sorted({key[0] for key in keys}):
            done = await self._run(
                archive("relationships", _OF_OBJECTS, "id"),
                ids=[key[1] for key in keys if key[0] == object_type],
                from_types=[row.key for row in ends if row.source == object_type],
                to_types=[row.key for row in ends if row.target == object_type],
            )
            gone += len(done.all())
        if keys:
            ordered = sorted(keys)
            done = await self._run(
                archive("objects", _NAMED, "id"), types=[k[0] for k in ordered], ids=[k[1] for k in ordered]
            )
            gone += len(done.all())
        return gone
