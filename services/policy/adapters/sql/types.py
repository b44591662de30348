"""Revisions, types and their permissions in PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row

from services.policy.adapters.sql.rows import Rows
from services.policy.app.ports import TypeRow


def _type(row: Row[Any]) -> TypeRow:
    return TypeRow(
        row.kind, row.key, row.permissions, row.created_at, row.from_type, row.to_type, row.many, row.version
    )


class SqlTypes(Rows):
    """The part of `Transaction` about revisions and types."""

    async def revision(self) -> int:
        found = await self._run("SELECT revision FROM revisions WHERE account = :account")
        return int(found.scalar_one_or_none() or 0)

    async def next_revision(self) -> int:
        found = await self._run(
            "INSERT INTO revisions AS r (account, revision) VALUES (:account, 1) "
            "ON CONFLICT (account) DO UPDATE SET revision = r.revision + 1 RETURNING revision"
        )
        return int(found.scalar_one())

    async def types(self, kind: str | None = None) -> list[TypeRow]:
        rows = await self._run(
            "SELECT * FROM types WHERE account = :account AND (CAST(:kind AS text) IS NULL OR kind = :kind) "
            'ORDER BY kind COLLATE "C", key COLLATE "C"',
            kind=kind,
        )
        return [_type(row) for row in rows]

    async def type(self, kind: str, key: str) -> TypeRow | None:
        found = await self._run(
            "SELECT * FROM types WHERE account = :account AND kind = :kind AND key = :key", kind=kind, key=key
        )
        row = found.one_or_none()
        return _type(row) if row else None

    async def add_type(self, row: TypeRow) -> bool:
        done = await self._run(
            "INSERT INTO types (account, kind, key, from_type, to_type, many, permissions, version, created_at) "
            "VALUES (:account, :kind, :key, :source, :target, :many, CAST(:permissions AS jsonb), 1, :created_at) "
            "ON CONFLICT DO NOTHING RETURNING key",
            kind=row.kind,
            key=row.key,
            source=row.source,
            target=row.target,
            many=row.many,
            permissions=json.dumps(row.permissions),
            created_at=row.created_at,
        )
        return done.one_or_none() is not None

    async def put_permissions(self, row: TypeRow) -> None:
        await self._run(
            "UPDATE types SET permissions = CAST(:permissions AS jsonb), version = version + 1 "
            "WHERE account = :account AND kind = :kind AND key = :key",
            kind=row.kind,
            key=row.key,
            permissions=json.dumps(row.permissions),
        )

    async def delete_type(self, kind: str, key: str) -> None:
        await self._run(
            "DELETE FROM types WHERE account = :account AND kind = :kind AND key = :key", kind=kind, key=key
        )
