"""The directory of users in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from services.policy.adapters.sql.rows import Rows
from services.policy.app.ports import UserRow
from services.policy.domain.decide import User
from services.policy.domain.ends import user_end

_PUT = """
INSERT INTO users AS u (account, user_id, role, custom_role_id, groups, organization)
SELECT :account, v.user_id, v.role, v.custom_role_id,
       ARRAY(SELECT CAST(g.value AS bigint) FROM jsonb_array_elements_text(v.groups) WITH ORDINALITY AS g(value, n) ORDER BY n),
       v.organization
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
     AS v(user_id bigint, role text, custom_role_id bigint, groups jsonb, organization bigint)
ON CONFLICT (account, user_id) DO UPDATE
SET role = excluded.role, custom_role_id = excluded.custom_role_id,
    groups = excluded.groups, organization = excluded.organization
WHERE (u.role, u.custom_role_id, u.groups, u.organization) IS DISTINCT FROM
      (excluded.role, excluded.custom_role_id, excluded.groups, excluded.organization)
RETURNING user_id
"""


def _user(row: Row[Any]) -> User:
    return User(row.user_id, row.role, row.custom_role_id)


class SqlUsers(Rows):
    """The part of `Transaction` about users."""

    async def users(self, *, after: int = 0, limit: int | None = None) -> list[UserRow]:
        rows = await self._run(
            "SELECT * FROM users WHERE account = :account AND user_id > :after "
            "ORDER BY user_id LIMIT CAST(:limit AS bigint)",
            after=after,
            limit=limit,
        )
        return [UserRow(_user(row), tuple(row.groups), row.organization) for row in rows]

    async def known(self, user_ids: Collection[int]) -> Mapping[int, User]:
        rows = await self._run(
            "SELECT * FROM users WHERE account = :account AND user_id = ANY(CAST(:ids AS bigint[]))",
            ids=sorted(user_ids),
        )
        return {row.user_id: _user(row) for row in rows}

    async def put_users(self, users: Sequence[UserRow]) -> int:
        rows = {
            row.user.id: {
                "user_id": row.user.id,
                "role": row.user.role,
                "custom_role_id": row.user.custom_role_id,
                "groups": row.groups,
                "organization": row.organization,
            }
            for row in users
        }
        if not rows:
            return 0
        done = await self._run(_PUT, rows=json.dumps(list(rows.values())))
        return len(done.all())

    async def remove_users(self, user_ids: Collection[int]) -> tuple[int, int]:
        ends = [user_end(user_id) for user_id in sorted(user_ids)]
        relationships = await self._run(
            "DELETE FROM relationships WHERE account = :account "
            "AND (source = ANY(CAST(:ends AS text[])) OR target = ANY(CAST(:ends AS text[]))) RETURNING id",
            ends=ends,
        )
        people = await self._run(
            "DELETE FROM users WHERE account = :account AND user_id = ANY(CAST(:ids AS bigint[])) "
            "RETURNING user_id",
            ids=sorted(user_ids),
        )
        return len(people.all()), len(relationships.all())
