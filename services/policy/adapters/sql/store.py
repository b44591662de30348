"""Policy's store on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.policy.app.ports import LogRow, RelationshipRow, Transaction, TypeRow, UserRow
from services.policy.domain.decide import User


def _type(row: Row[Any]) -> TypeRow:
    return TypeRow(
        row.kind, row.key, row.permissions, row.created_at, row.from_type, row.to_type, row.many, row.version
    )


def _relationship(row: Row[Any]) -> RelationshipRow:
    return RelationshipRow(row.id, row.type, row.source, row.target, row.created_at, row.expires_at)


class SqlTransaction:
    """Implements the port `Transaction`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

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
            "ORDER BY kind, key",
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

    async def users(self) -> list[UserRow]:
        rows = await self._run("SELECT * FROM users WHERE account = :account ORDER BY user_id")
        return [
            UserRow(User(r.user_id, r.role, r.custom_role_id), tuple(r.groups), r.organization) for r in rows
        ]

    async def user(self, user_id: int) -> User | None:
        found = await self._run("SELECT * FROM users WHERE account = :account AND user_id = :id", id=user_id)
        row = found.one_or_none()
        return User(row.user_id, row.role, row.custom_role_id) if row else None

    async def put_users(self, users: Sequence[UserRow]) -> int:
        changed = 0
        for row in users:
            done = await self._run(
                "INSERT INTO users AS u (account, user_id, role, custom_role_id, groups, organization) "
                "VALUES (:account, :id, :role, :custom, :groups, :organization) ON CONFLICT (account, user_id) "
                "DO UPDATE SET role = excluded.role, custom_role_id = excluded.custom_role_id, "
                "groups = excluded.groups, organization = excluded.organization "
                "WHERE (u.role, u.custom_role_id, u.groups, u.organization) IS DISTINCT FROM "
                "(excluded.role, excluded.custom_role_id, excluded.groups, excluded.organization) RETURNING user_id",
                id=row.user.id,
                role=row.user.role,
                custom=row.user.custom_role_id,
                groups=list(row.groups),
                organization=row.organization,
            )
            changed += done.one_or_none() is not None
        return changed

    async def remove_users(self, user_ids: Sequence[int]) -> int:
        await self._run(
            "DELETE FROM relationships WHERE account = :account AND source = ANY(:sources)",
            sources=[f"zen:user:{i}" for i in user_ids],
        )
        done = await self._run(
            "DELETE FROM users WHERE account = :account AND user_id = ANY(:ids) RETURNING user_id",
            ids=list(user_ids),
        )
        return len(done.all())

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        if not rows:
            return 0
        done = await self._run(
            "INSERT INTO relationships (account, id, type, source, target, created_at, expires_at) "
            "SELECT :account, v.* FROM unnest(CAST(:ids AS text[]), CAST(:types AS text[]), CAST(:sources AS text[]), "
            "CAST(:targets AS text[]), CAST(:created AS timestamptz[]), CAST(:expires AS timestamptz[])) AS v "
            "ON CONFLICT (account, source, type, target) DO NOTHING RETURNING id",
            ids=[r.id for r in rows],
            types=[r.type for r in rows],
            sources=[r.source for r in rows],
            targets=[r.target for r in rows],
            created=[r.created_at for r in rows],
            expires=[r.expires_at for r in rows],
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

    async def relationships(
        self, *, type_key: str = "", source: str = "", target: str = "", after: str = "", limit: int = 1000
    ) -> list[RelationshipRow]:
        rows = await self._run(
            "SELECT * FROM relationships WHERE account = :account AND id > :after AND (:type = '' OR type = :type) "
            "AND (:source = '' OR source = :source) AND (:target = '' OR target = :target) ORDER BY id LIMIT :limit",
            type=type_key,
            source=source,
            target=target,
            after=after,
            limit=limit,
        )
        return [_relationship(row) for row in rows]

    async def related(self, source: str, target: str, now: datetime) -> dict[str, str]:
        rows = await self._run(
            "SELECT type, id FROM relationships WHERE account = :account AND source = :source AND target = :target "
            "AND (expires_at IS NULL OR expires_at > :now)",
            source=source,
            target=target,
            now=now,
        )
        return {row.type: row.id for row in rows}

    async def log(self, row: LogRow) -> None:
        await self._run(
            "INSERT INTO decision_log (account, id, at, user_id, action, object_type, record, allowed, reason, revision) "
            "VALUES (:account, :id, :at, :user_id, :action, :object_type, :record, :allowed, :reason, :revision)",
            id=row.id,
            at=row.at,
            user_id=row.user_id,
            action=row.action,
            object_type=row.object_type,
            record=row.record,
            allowed=row.allowed,
            reason=row.reason,
            revision=row.revision,
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


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            yield SqlTransaction(connection, account)
