"""Types and their permissions in PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row

from libs.decision.rows import TypeRow
from services.policy.adapters.sql.rows import Rows, alive, archive, keep


def type_of(row: Row[Any]) -> TypeRow:
    """Return a row of `types` as such."""
    ends = row.from_type, row.to_type, row.many
    return TypeRow(row.kind, row.key, row.permissions, row.created_at, *ends, row.version, row.extensions)


class SqlTypes(Rows):
    """The part of `Transaction` about types."""

    async def types(self, kind: str | None = None, *, at: int | None = None) -> list[TypeRow]:
        rows = await self._run(
            f"SELECT * FROM {alive('types', at)} WHERE CAST(:kind AS text) IS NULL OR kind = :kind "  # noqa: S608 - ours
            'ORDER BY kind COLLATE "C", key COLLATE "C"',
            kind=kind,
            at=at,
        )
        return [type_of(row) for row in rows]

    async def type(self, kind: str, key: str) -> TypeRow | None:
        found = await self._run(
            "SELECT * FROM types WHERE account = :account AND kind = :kind AND key = :key", kind=kind, key=key
        )
        row = found.one_or_none()
        return type_of(row) if row else None

    async def add_type(self, row: TypeRow) -> bool:
        done = await self._run(
            "INSERT INTO types (account, kind, key, from_type, to_type, many, permissions, version, created_at, "
            "extensions, from_rev) VALUES (:account, :kind, :key, :source, :target, :many, "
            "CAST(:permissions AS jsonb), 1, :created_at, CAST(:extensions AS jsonb), :revision) "
            "ON CONFLICT DO NOTHING RETURNING key",
            kind=row.kind,
            key=row.key,
            source=row.source,
            target=row.target,
            many=row.many,
            permissions=json.dumps(row.permissions),
            extensions=json.dumps(row.extensions),
            created_at=row.created_at,
        )
        return done.one_or_none() is not None

    async def put_permissions(self, row: TypeRow) -> None:
        names = {"kind": row.kind, "key": row.key}
        await self._run(keep("types", "kind = :kind AND key = :key"), **names)
        await self._run(
            "UPDATE types SET permissions = CAST(:permissions AS jsonb), extensions = CAST(:extensions AS jsonb), "
            "version = version + 1, from_rev = :revision WHERE account = :account AND kind = :kind AND key = :key",
            permissions=json.dumps(row.permissions),
            extensions=json.dumps(row.extensions),
            **names,
        )

    async def delete_type(self, kind: str, key: str) -> None:
        await self._run(archive("types", "kind = :kind AND key = :key", "key"), kind=kind, key=key)
