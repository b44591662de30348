"""Skills in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.app.rows import SkillLink, SkillRow


def _skill(row: Row[Any]) -> SkillRow:
    steps = tuple((after, level) for after, level in row.steps)
    return SkillRow(row.skill, row.title, row.level, row.drop_after_seconds, steps)


class SqlSkills:
    """Implements the port `Skills`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def all(self) -> list[SkillRow]:
        rows = await self._run('SELECT * FROM skills WHERE account = :account ORDER BY skill COLLATE "C"')
        return [_skill(row) for row in rows]

    async def put_known(self, titles: Mapping[str, str]) -> None:
        await self._run(
            "DELETE FROM skills WHERE account = :account AND NOT (skill = ANY(:known))", known=list(titles)
        )
        await self._run(
            "INSERT INTO skills (account, skill, title, level) SELECT :account, s, t, 1 "
            "FROM unnest(CAST(:skills AS text[]), CAST(:titles AS text[])) AS v(s, t) "
            "ON CONFLICT (account, skill) DO UPDATE SET title = excluded.title",
            skills=list(titles),
            titles=list(titles.values()),
        )

    async def put_rule(
        self,
        skill: str,
        level: int,
        drop_after_seconds: int | None,
        steps: tuple[tuple[int, int], ...] = (),
    ) -> SkillRow | None:
        row = (
            await self._run(
                "UPDATE skills SET level = :level, drop_after_seconds = :drop, steps = CAST(:steps AS jsonb) "
                "WHERE account = :account AND skill = :skill RETURNING *",
                skill=skill,
                level=level,
                drop=drop_after_seconds,
                steps=json.dumps(steps),
            )
        ).one_or_none()
        return _skill(row) if row else None

    async def of_agents(self, agents: Collection[int] = ()) -> dict[int, dict[str, int]]:
        rows = await self._run(
            "SELECT user_id, skill, level FROM agent_skills WHERE account = :account "
            "AND (NOT :some OR user_id = ANY(:agents))",
            some=bool(agents),
            agents=list(agents),
        )
        found: dict[int, dict[str, int]] = {}
        for row in rows:
            found.setdefault(row.user_id, {})[row.skill] = row.level
        return found

    async def replace_agents(self, held: Mapping[int, Collection[str]]) -> None:
        pairs = [(agent, skill) for agent, skills in held.items() for skill in sorted(skills)]
        values = {"users": [agent for agent, _ in pairs], "skills": [skill for _, skill in pairs]}
        given = "unnest(CAST(:users AS bigint[]), CAST(:skills AS text[])) AS v(u, s)"
        await self._run(
            f"DELETE FROM agent_skills a WHERE account = :account AND NOT EXISTS (SELECT 1 FROM {given} "  # noqa: S608 - a constant
            "WHERE v.u = a.user_id AND v.s = a.skill)",
            **values,
        )
        await self._run(
            f"INSERT INTO agent_skills (account, user_id, skill, level) SELECT :account, u, s, 1 FROM {given} "  # noqa: S608 - a constant
            "ON CONFLICT DO NOTHING",
            **values,
        )

    async def put_levels(self, agent: int, levels: Mapping[str, int]) -> int:
        done = await self._run(
            "UPDATE agent_skills a SET level = v.l FROM unnest(CAST(:skills AS text[]), CAST(:levels AS integer[])) "
            "AS v(s, l) WHERE a.account = :account AND a.user_id = :agent AND a.skill = v.s",
            agent=agent,
            skills=list(levels),
            levels=list(levels.values()),
        )
        return int(done.rowcount)

    async def apply(self, links: Sequence[SkillLink]) -> None:
        for link in links:
            table, owner = ("agent_skills", "user_id") if link.agent else ("ticket_skills", "ticket")
            level = ", level" if link.agent else ""
            one = ", 1" if link.agent else ""
            statement = (
                f"INSERT INTO {table} (account, {owner}, skill{level}) VALUES (:account, :owner, :skill{one}) "  # noqa: S608 - constants
                "ON CONFLICT DO NOTHING"
                if link.holds
                else f"DELETE FROM {table} WHERE account = :account AND {owner} = :owner AND skill = :skill"  # noqa: S608 - constants
            )
            await self._run(statement, owner=link.owner, skill=link.skill)

    async def forget_ended(self, limit: int) -> int:
        done = await self._run(
            "DELETE FROM ticket_skills WHERE account = :account AND (ticket, skill) IN (SELECT s.ticket, s.skill "
            "FROM ticket_skills s JOIN tickets t USING (account, ticket) WHERE s.account = :account "
            "AND t.status IN ('closed', 'deleted') LIMIT :limit)",
            limit=limit,
        )
        return int(done.rowcount)

    async def of_waiting(self, tickets: Collection[int] | None = None) -> dict[int, set[str]]:
        rows = await self._run(
            "SELECT s.ticket, s.skill FROM ticket_skills s JOIN tickets t USING (account, ticket) "
            "WHERE s.account = :account AND t.routing = 'waiting' "
            "AND (CAST(:tickets AS bigint[]) IS NULL OR s.ticket = ANY(:tickets))",
            tickets=None if tickets is None else list(tickets),
        )
        found: dict[int, set[str]] = {}
        for row in rows:
            found.setdefault(row.ticket, set()).add(row.skill)
        return found

    async def cursor(self) -> str:
        found = await self._run("SELECT cursor FROM skill_cursors WHERE account = :account")
        return found.scalar_one_or_none() or ""

    async def move_cursor(self, before: str, after: str) -> bool:
        done = await self._run(
            "INSERT INTO skill_cursors AS c (account, cursor) VALUES (:account, :after) "
            "ON CONFLICT (account) DO UPDATE SET cursor = excluded.cursor WHERE c.cursor = :before RETURNING 1",
            before=before,
            after=after,
        )
        return done.one_or_none() is not None
