"""The directory of users in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from libs.decision.rows import User, user_end
from services.policy.adapters.sql.rows import Rows, alive, archive, keep

_GIVEN = """(SELECT v.user_id, v.role, v.custom_role_id,
       ARRAY(SELECT CAST(g.value AS bigint) FROM jsonb_array_elements_text(v.groups)
             WITH ORDINALITY AS g(value, n) ORDER BY n) AS groups, v.organization
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
     AS v(user_id bigint, role text, custom_role_id bigint, groups jsonb, organization bigint)) AS given"""
_DIFFERS = f"""EXISTS (SELECT FROM {_GIVEN} WHERE given.user_id = users.user_id
AND (users.role, users.custom_role_id, users.groups, users.organization) IS DISTINCT FROM
    (given.role, given.custom_role_id, given.groups, given.organization))"""  # noqa: S608 - a constant of ours
_PUT = f"""
INSERT INTO users AS u (account, user_id, role, custom_role_id, groups, organization, from_rev)
SELECT :account, user_id, role, custom_role_id, groups, organization, :revision FROM {_GIVEN}
ON CONFLICT (account, user_id) DO UPDATE
SET role = excluded.role, custom_role_id = excluded.custom_role_id,
    groups = excluded.groups, organization = excluded.organization, from_rev = excluded.from_rev
WHERE (u.role, u.custom_role_id, u.groups, u.organization) IS DISTINCT FROM
      (excluded.role, excluded.custom_role_id, excluded.groups, excluded.organization)
RETURNING user_id
"""  # noqa: S608 - a constant of ours


def user_of(row: Row[Any]) -> User:
    """Return a row of `users` as such."""
    return User(row.user_id, row.role, row.custom_role_id, tuple(row.groups), row.organization)


class SqlUsers(Rows):
    """The part of `Transaction` about users."""

    async def users(self, *, after: int = 0, limit: int | None = None, at: int | None = None) -> list[User]:
        rows = await self._run(
            f"SELECT * FROM {alive('users', at)} WHERE user_id > :after "  # noqa: S608 - ours
            "ORDER BY user_id LIMIT CAST(:limit AS bigint)",
            after=after,
            limit=limit,
            at=at,
        )
        return [user_of(row) for row in rows]

    async def known(self, user_ids: Collection[int], *, at: int | None = None) -> Mapping[int, User]:
        rows = await self._run(
            f"SELECT * FROM {alive('users', at)} WHERE user_id = ANY(CAST(:ids AS bigint[]))",  # noqa: S608 - ours
            ids=sorted(user_ids),
            at=at,
        )
        return {row.user_id: user_of(row) for row in rows}

    async def put_users(self, users: Sequence[User]) -> int:
        rows = {
            user.id: {
                "user_id": user.id,
                "role": user.role,
                "custom_role_id": user.custom_role_id,
                "groups": user.groups,
                "organization": user.organization,
            }
            for user in users
        }
        if not rows:
            return 0
        given = json.dumps(list(rows.values()))
        await self._run(keep("users", _DIFFERS), rows=given)
        return len((await self._run(_PUT, rows=given)).all())

    async def remove_users(self, user_ids: Collection[int]) -> tuple[int, int]:
        if not user_ids:
            return 0, 0
        relationships = await self._run(
            archive(
                "relationships",
                "source = ANY(CAST(:ends AS text[])) OR target = ANY(CAST(:ends AS text[]))",
                "id",
            ),
            ends=[user_end(user_id) for user_id in sorted(user_ids)],
        )
        gone = len(relationships.all())
        people = await self._run(
            archive("users", "user_id = ANY(CAST(:ids AS bigint[]))", "user_id"), ids=sorted(user_ids)
        )
        return len(people.all()), gone
