"""Skills in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from services.assignment.adapters.memory.tables import Tables
from services.assignment.app.rows import SkillLink, SkillRow


class MemorySkills:
    """Implements the port `Skills`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def all(self) -> list[SkillRow]:
        return [self._tables.skills[key] for key in sorted(self._tables.skills)]

    async def put_known(self, titles: Mapping[str, str]) -> None:
        known = self._tables.skills
        self._tables.skills = {
            skill: replace(known.get(skill, SkillRow(skill, title)), title=title)
            for skill, title in titles.items()
        }

    async def put_rule(
        self,
        skill: str,
        level: int,
        drop_after_seconds: int | None,
        steps: tuple[tuple[int, int], ...] = (),
    ) -> SkillRow | None:
        known = self._tables.skills.get(skill)
        if known is None:
            return None
        changed = replace(known, level=level, drop_after_seconds=drop_after_seconds, steps=steps)
        self._tables.skills[skill] = changed
        return self._tables.skills[skill]

    async def of_agents(self, agents: Collection[int] = ()) -> dict[int, dict[str, int]]:
        found: dict[int, dict[str, int]] = {}
        for (agent, skill), level in self._tables.agent_skills.items():
            if not agents or agent in agents:
                found.setdefault(agent, {})[skill] = level
        return found

    async def replace_agents(self, held: Mapping[int, Collection[str]]) -> None:
        known = self._tables.agent_skills
        self._tables.agent_skills = {
            (agent, skill): known.get((agent, skill), 1) for agent, skills in held.items() for skill in skills
        }

    async def put_levels(self, agent: int, levels: Mapping[str, int]) -> int:
        held = {(agent, skill): level for skill, level in levels.items()}
        held = {key: level for key, level in held.items() if key in self._tables.agent_skills}
        self._tables.agent_skills |= held
        return len(held)

    async def apply(self, links: Sequence[SkillLink]) -> None:
        for link in links:
            key = (link.owner, link.skill)
            if link.agent and link.holds:
                self._tables.agent_skills.setdefault(key, 1)
            elif link.agent:
                self._tables.agent_skills.pop(key, None)
            elif link.holds:
                self._tables.ticket_skills.add(key)
            else:
                self._tables.ticket_skills.discard(key)

    async def forget_ended(self, limit: int) -> int:
        def ended(ticket: int) -> bool:
            kept = self._tables.tickets.get(ticket)
            return kept is not None and kept.row.facts.status in ("closed", "deleted")

        old = sorted(pair for pair in self._tables.ticket_skills if ended(pair[0]))[:limit]
        self._tables.ticket_skills -= set(old)
        return len(old)

    async def of_waiting(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for ticket, skill in self._tables.ticket_skills:
            kept = self._tables.tickets.get(ticket)
            if kept is not None and kept.row.routing == "waiting":
                found.setdefault(ticket, set()).add(skill)
        return found

    async def cursor(self) -> str:
        return self._tables.skill_cursor

    async def move_cursor(self, before: str, after: str) -> bool:
        if self._tables.skill_cursor != before:
            return False
        self._tables.skill_cursor = after
        return True
