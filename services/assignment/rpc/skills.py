"""Skills, and agents' activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import account_name, account_of
from services.assignment.app.rows import SkillRow
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.mapping import agent_message
from services.assignment.rpc.use_cases import Methods, for_real, last
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

_RULES = ["level", "drop_after_seconds", "steps"]


class SkillMethods(Methods):
    """Translates, calls, translates."""

    async def ListSkills(
        self, request: messages.ListSkillsRequest, context: Any
    ) -> messages.ListSkillsResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = (await tx.skills.all())[after : after + size + 1]
        token = self._use.pages.encode({"after": after + size}, query) if len(rows) > size else ""
        return messages.ListSkillsResponse(
            skills=[_message(request.parent, row) for row in rows[:size]], next_page_token=token
        )

    async def UpdateSkill(
        self, request: messages.UpdateSkillRequest, context: Any
    ) -> messages.UpdateSkillResponse:
        require_admin()
        if request.validate_only:
            async with self._rehearsing(account_of(request.skill.name)) as (_, rpc):
                return await rpc.UpdateSkill(for_real(request), None)
        given, paths = request.skill, list(request.update_mask.paths) or _RULES
        account, skill = account_of(given.name), last(given.name)
        async with self._use.store.transaction(account) as tx:
            await tx.decisions.lock()
            known = next((row for row in await tx.skills.all() if row.skill == skill), None)
            if known is None:
                raise NotFoundError("no such skill: sync the account", metadata={"name": given.name})
            level = (given.level or 1) if "level" in paths else known.level
            drop = known.drop_after_seconds
            if "drop_after_seconds" in paths:
                drop = given.drop_after_seconds if given.HasField("drop_after_seconds") else None
            steps = known.steps
            if "steps" in paths:
                steps = tuple((step.after_seconds, step.level) for step in given.steps)
            _require_sound(level, drop, steps)
            row = await tx.skills.put_rule(skill, level, drop, steps) or known
        return messages.UpdateSkillResponse(skill=_message(account_name(account), row))

    async def UpdateAgentSkills(
        self, request: messages.UpdateAgentSkillsRequest, context: Any
    ) -> messages.UpdateAgentSkillsResponse:
        require_admin()
        account, agent = account_of(request.name), int(last(request.name))
        if request.validate_only:
            async with self._rehearsing(account) as (_, rpc):
                return await rpc.UpdateAgentSkills(for_real(request), None)
        levels = {one.skill_id: one.level for one in request.skills}
        async with self._use.store.transaction(account) as tx:
            await tx.decisions.lock()
            row = await tx.directory.agent(agent)
            held = (await tx.skills.of_agents([agent])).get(agent, {})
            if row is None:
                raise NotFoundError("no such agent", metadata={"name": request.name})
            _require_held(levels, held)
            await tx.skills.put_levels(agent, levels)
        return messages.UpdateAgentSkillsResponse(
            agent=agent_message(account_name(account), row, held | levels)
        )

    async def RecordActivity(
        self, request: messages.RecordActivityRequest, context: Any
    ) -> messages.RecordActivityResponse:
        agent = int(last(request.name))
        caller = require_staff()
        if caller.user is not None and caller.user != agent:
            raise PermissionDeniedError("only the agent himself is active")
        if not await self._use.absences.active(account_of(request.name), agent):
            raise NotFoundError("no such agent", metadata={"name": request.name})
        return messages.RecordActivityResponse()


def _require_sound(level: int, drop: int | None, steps: Sequence[tuple[int, int]]) -> None:
    """Refuse steps that ask for more with time, or come when nothing is asked for any more."""
    before, faults = (-1, level), []
    for place, (after, lower) in enumerate(steps):
        if after <= before[0]:
            said = f"`{after}` seconds is not after the step before: name steps in order of time"
        elif lower >= before[1]:
            said = f"level `{lower}` is not below `{before[1]}`, which is asked for until then"
        elif drop is not None and after >= drop:
            said = f"after `{after}` seconds the skill is not asked for any more: name a step before `{drop}`"
        else:
            said = ""
        if said:
            faults.append(FieldViolation(f"skill.steps[{place}]", said))
        before = (after, lower)
    if faults:
        raise InvalidRequestError("the skill cannot be relaxed like that", violations=faults)


def _require_held(levels: dict[str, int], held: dict[str, int]) -> None:
    missing = sorted(levels.keys() - held.keys())
    if missing:
        raise InvalidRequestError(
            "the agent has not every skill that is named",
            violations=[
                FieldViolation(
                    "skills", f"`{skill}` is no skill of this agent: give it to him in Zendesk first"
                )
                for skill in missing
            ],
        )


def _message(parent: str, row: SkillRow) -> resources.Skill:
    return resources.Skill(
        name=f"{parent}/skills/{row.skill}",
        display_name=row.title,
        level=row.level,
        drop_after_seconds=row.drop_after_seconds,
        steps=[resources.SkillStep(after_seconds=after, level=level) for after, level in row.steps],
    )
