"""Agents: their settings, limits and statuses."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import NotFoundError, PermissionDeniedError
from libs.kernel.ids import account_name, account_of
from libs.rpc.identity import current_caller
from services.assignment.app.schedules import require_usable
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.mapping import (
    agent_message,
    schedule_of,
)
from services.assignment.rpc.upstream import upstream
from services.assignment.rpc.use_cases import Methods, last
from setlist.assignment.v1 import assignment_service_pb2 as messages


class AgentMethods(Methods):
    """Translates, calls, translates."""

    async def UpdateAgentSettings(
        self, request: messages.UpdateAgentSettingsRequest, context: Any
    ) -> messages.UpdateAgentSettingsResponse:
        account, given = account_of(request.name), request.settings
        paths = list(request.update_mask.paths) or [f.name for f, _ in given.ListFields()]
        known = set(given.DESCRIPTOR.fields_by_name)
        values = {path: getattr(given, path, None) if path in known else None for path in paths}
        async with upstream():
            row, reason = await self._use.settings(
                account,
                current_caller(),
                int(last(request.name)),
                values,
                validate_only=request.validate_only,
            )
        return messages.UpdateAgentSettingsResponse(
            agent=agent_message(account_name(account), row), policy_decision=reason
        )

    async def UpdateAgentLimits(
        self, request: messages.UpdateAgentLimitsRequest, context: Any
    ) -> messages.UpdateAgentLimitsResponse:
        require_admin()
        account, user = account_of(request.name), int(last(request.name))
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.put_limits(
                user,
                request.inbox_limit if request.HasField("inbox_limit") else None,
                request.daily_limit if request.HasField("daily_limit") else None,
            )
            if row is None:
                raise NotFoundError("no such agent", metadata={"name": request.name})
            schedule = (await tx.schedules.of_agents()).get(user)
            if request.HasField("schedule_id"):
                schedule = schedule_of(request.schedule_id)
                await require_usable(tx, schedule, "schedule_id")
                await tx.schedules.put_agent(user, schedule)
            units = request.capacity_units if request.HasField("capacity_units") else None
            await tx.capacities.put_agent(user, units)
        return messages.UpdateAgentLimitsResponse(
            agent=agent_message(account_name(account), row, schedule=schedule, capacity=units)
        )

    async def SetStatuses(
        self, request: messages.SetStatusesRequest, context: Any
    ) -> messages.SetStatusesResponse:
        caller = require_staff()
        others = [s.user_id for s in request.statuses if s.user_id != caller.user]
        if caller.user is not None and others and not caller.is_admin:
            raise PermissionDeniedError("only admins may change others' statuses")
        statuses = {s.user_id: s.status for s in request.statuses}
        changed = await self._use.absences.set_statuses(account_of(request.parent), statuses, caller.user)
        return messages.SetStatusesResponse(changed=changed)

    async def ListAgents(
        self, request: messages.ListAgentsRequest, context: Any
    ) -> messages.ListAgentsResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.directory.agents(after=after, limit=size + 1, inactive=request.show_inactive)
            shifts, capacities = await tx.schedules.of_agents(), await tx.capacities.of_agents()
        shown, token = self._cut(rows, size, query, lambda r: r.user_id)
        return messages.ListAgentsResponse(
            agents=[
                agent_message(
                    request.parent, r, schedule=shifts.get(r.user_id), capacity=capacities.get(r.user_id)
                )
                for r in shown
            ],
            next_page_token=token,
        )

    async def GetAgent(self, request: messages.GetAgentRequest, context: Any) -> messages.GetAgentResponse:
        require_staff()
        account = account_of(request.name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.agent(int(last(request.name)))
            held = await tx.skills.of_agents([row.user_id]) if row else {}
            shifts, capacities = await tx.schedules.of_agents(), await tx.capacities.of_agents()
        if row is None:
            raise NotFoundError("no such agent", metadata={"name": request.name})
        message = agent_message(
            account_name(account),
            row,
            held.get(row.user_id),
            shifts.get(row.user_id),
            capacities.get(row.user_id),
        )
        return messages.GetAgentResponse(agent=message)
