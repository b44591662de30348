"""Agents: their settings, limits and statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import AccountId, account_name, account_of
from libs.rpc.identity import current_caller
from services.assignment.app.ports import Transaction
from services.assignment.app.rows import AgentRow
from services.assignment.app.update_agent_limits import FIELDS, LimitChange, update_limits
from services.assignment.domain.model import Restrictions
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.limits import limit_in
from services.assignment.rpc.mapping import (
    agent_message,
    schedule_of,
)
from services.assignment.rpc.upstream import upstream
from services.assignment.rpc.use_cases import Methods, for_real, last
from setlist.assignment.v1 import assignment_resources_pb2 as resources
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
        if request.validate_only:
            async with self._rehearsing(account_of(request.name)) as (_, rpc):
                return await rpc.UpdateAgentLimits(for_real(request), None)
        (agent,) = await self._change_limits(account_of(request.name), [limit_change(request)])
        return messages.UpdateAgentLimitsResponse(agent=agent)

    async def BatchUpdateAgentLimits(
        self, request: messages.BatchUpdateAgentLimitsRequest, context: Any
    ) -> messages.BatchUpdateAgentLimitsResponse:
        require_admin()
        if request.validate_only:
            async with self._rehearsing(account_of(request.parent)) as (_, rpc):
                return await rpc.BatchUpdateAgentLimits(for_real(request), None)
        changes = [limit_change(one, f"requests[{place}].") for place, one in enumerate(request.requests)]
        agents = await self._change_limits(account_of(request.parent), changes)
        return messages.BatchUpdateAgentLimitsResponse(agents=agents)

    async def _change_limits(
        self, account: AccountId, changes: Sequence[LimitChange]
    ) -> list[resources.Agent]:
        rows = await update_limits(self._use.store, account, changes)
        async with self._use.store.transaction(account) as tx:
            return await agent_messages(tx, account_name(account), rows)

    async def SetStatuses(
        self, request: messages.SetStatusesRequest, context: Any
    ) -> messages.SetStatusesResponse:
        caller = require_staff()
        others = [s.user_id for s in request.statuses if s.user_id != caller.user]
        if caller.user is not None and others and not caller.is_admin:
            raise PermissionDeniedError("only admins may change others' statuses")
        if request.validate_only:
            async with self._rehearsing(account_of(request.parent)) as (rehearsal, rpc):
                before = await rehearsal.tx.outbox.pending()
                answer = await rpc.SetStatuses(for_real(request), None)
                answer.writes = await rehearsal.tx.outbox.pending() - before
            return answer
        statuses: dict[int, str] = {}
        for place, one in enumerate(request.statuses):
            if statuses.setdefault(one.user_id, one.status) != one.status:
                fault = FieldViolation(f"statuses[{place}].user_id", f"`{one.user_id}` is given two statuses")
                raise InvalidRequestError(f"the agent {fault.description}", violations=[fault])
        changed = await self._use.absences.set_statuses(account_of(request.parent), statuses, caller.user)
        return messages.SetStatusesResponse(changed=changed)

    async def ListAgents(
        self, request: messages.ListAgentsRequest, context: Any
    ) -> messages.ListAgentsResponse:
        require_staff()
        size, after, query = self._page(request)
        only = list(request.user_ids) or None
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.directory.agents(
                after=after, limit=size + 1, inactive=request.show_inactive, only=only
            )
            shown, token = self._cut(rows, size, query, lambda r: r.user_id)
            agents = await agent_messages(tx, request.parent, shown)
        return messages.ListAgentsResponse(agents=agents, next_page_token=token)

    async def GetAgent(self, request: messages.GetAgentRequest, context: Any) -> messages.GetAgentResponse:
        require_staff()
        account = account_of(request.name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.agent(int(last(request.name)))
            if row is None:
                raise NotFoundError("no such agent", metadata={"name": request.name})
            held = await tx.skills.of_agents([row.user_id])
            (message,) = await agent_messages(tx, account_name(account), [row], held)
        return messages.GetAgentResponse(agent=message)


async def agent_messages(
    tx: Transaction,
    parent: str,
    rows: Sequence[AgentRow],
    skills: Mapping[int, Mapping[str, int]] | None = None,
) -> list[resources.Agent]:
    """Return agents as messages, with what they have of their own."""
    shifts, capacities = await tx.schedules.of_agents(), await tx.capacities.of_agents()
    rules, rates = await tx.statuses.idle_rules(), await tx.rate_limits.of_agents()
    held, account = skills or {}, await tx.directory.account()
    found = [
        agent_message(
            parent,
            row,
            held.get(row.user_id),
            shifts.get(row.user_id),
            capacities.get(row.user_id),
            rules.get(row.user_id),
            rates.get(row.user_id),
        )
        for row in rows
    ]
    for row, message in zip(rows, found, strict=True):
        message.has_app = _has_app(row, account.restrictions if account is not None else Restrictions())
    return found


def _has_app(row: AgentRow, restrictions: Restrictions) -> bool:
    """Tell whether an agent may use the app (as `domain.eligibility.barred` has it)."""
    in_group = not restrictions.groups or not restrictions.groups.isdisjoint(row.groups)
    in_role = not restrictions.roles or row.custom_role_id in restrictions.roles
    return row.active and not row.suspended and in_group and in_role


def limit_change(request: messages.UpdateAgentLimitsRequest, field: str = "") -> LimitChange:
    """Return what a request changes.

    Args:
        field: where the request stands in a batch.

    Raises:
        InvalidRequestError: the mask names something else, or one request of a batch shall write nothing.
    """
    if field and request.validate_only:
        fault = FieldViolation(f"{field}validate_only", "is for all of a batch or for none: set it there")
        raise InvalidRequestError(f"validate_only {fault.description}", violations=[fault])
    paths = set(request.update_mask.paths)
    if not paths:
        paths = {"inbox_limit", "daily_limit", "capacity_units"}
        paths |= {name for name in ("schedule_id", "idle", "rate_limit") if request.HasField(name)}
    if "idle" in paths:
        paths = (paths - {"idle"}) | {"idle.enabled", "idle.timeout_minutes"}
    if strange := sorted(paths - FIELDS):
        violations = [FieldViolation(f"{field}update_mask", f"`{path}` is no limit") for path in strange]
        raise InvalidRequestError(f"the mask names `{strange[0]}`, which is no limit", violations=violations)
    values = {path: _value(request, path, field) for path in paths}
    return LimitChange(int(last(request.name)), values, field)


def _value(request: messages.UpdateAgentLimitsRequest, path: str, field: str) -> Any:
    if path == "rate_limit":
        return limit_in(request.rate_limit, f"{field}rate_limit")
    if path == "schedule_id":
        return schedule_of(request.schedule_id)
    holder: Any = request.idle if path.startswith("idle.") else request
    name = path.removeprefix("idle.")
    return getattr(holder, name) if holder.HasField(name) else None
