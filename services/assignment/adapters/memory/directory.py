"""Accounts, agents, queues and views in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.assignment.adapters.memory.statuses import MemoryStatuses
from services.assignment.adapters.memory.tables import Tables
from services.assignment.app.rows import Account, AgentRow, DedicatedRow, QueueRow


class MemoryDirectory:
    """Implements the port `Directory`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def account(self) -> Account | None:
        return self._tables.account

    async def put_account(self, account: Account) -> None:
        self._tables.account = account

    async def move_cursor(self, before: str, after: str) -> bool:
        account = self._tables.account
        if account is None or account.export_cursor != before:
            return False
        self._tables.account = replace(account, export_cursor=after)
        return True

    async def agents(
        self,
        *,
        after: int = 0,
        limit: int = 1_000_000,
        inactive: bool = False,
        only: Collection[int] | None = None,
    ) -> list[AgentRow]:
        known = sorted(self._tables.agents.keys() & set(only) if only is not None else self._tables.agents)
        rows = [self._tables.agents[i] for i in known if i > after]
        return [self._tables.full_agent(r) for r in rows if r.active or inactive][:limit]

    async def agent(self, user_id: int) -> AgentRow | None:
        row = self._tables.agents.get(user_id)
        return self._tables.full_agent(row) if row else None

    async def sync_agents(self, agents: Sequence[AgentRow], memberships: Sequence[tuple[int, int]]) -> None:
        known = self._tables.agents
        for user_id in known.keys() - {a.user_id for a in agents}:
            known[user_id] = replace(known[user_id], active=False)
        for agent in agents:
            before = known.get(agent.user_id)
            known[agent.user_id] = (
                replace(agent, inbox_limit=None, daily_limit=None, version=1)
                if before is None
                else replace(
                    before,
                    name=agent.name,
                    role=agent.role,
                    role_type=agent.role_type,
                    custom_role_id=agent.custom_role_id,
                    active=agent.active,
                    suspended=agent.suspended,
                    rule=agent.rule,
                    manager=agent.manager,
                    autoplay=agent.autoplay,
                )
            )
        self._tables.memberships = set(memberships)

    async def refresh_agent(self, agent: AgentRow) -> bool:
        known = await self.agent(agent.user_id)
        if known is None:
            return False
        fresh = replace(
            known,
            role=agent.role,
            role_type=agent.role_type,
            custom_role_id=agent.custom_role_id,
            active=agent.active,
            suspended=agent.suspended,
            groups=tuple(sorted(agent.groups)),
        )
        if fresh == known:
            return False
        self._write(replace(fresh, version=known.version + 1))
        others = {m for m in self._tables.memberships if m[0] != agent.user_id}
        self._tables.memberships = others | {(agent.user_id, g) for g in agent.groups}
        return True

    async def put_settings(
        self, user_id: int, rule: int | None, *, manager: bool, autoplay: bool
    ) -> AgentRow | None:
        if (row := self._tables.agents.get(user_id)) is not None:
            self._write(replace(row, rule=rule, manager=manager, autoplay=autoplay, version=row.version + 1))
        return await self.agent(user_id)

    async def put_limits(
        self, user_id: int, inbox_limit: int | None, daily_limit: int | None
    ) -> AgentRow | None:
        if (row := self._tables.agents.get(user_id)) is not None:
            self._write(
                replace(row, inbox_limit=inbox_limit, daily_limit=daily_limit, version=row.version + 1)
            )
        return await self.agent(user_id)

    def _write(self, row: AgentRow) -> None:
        self._tables.agents[row.user_id] = row

    async def set_statuses(
        self,
        statuses: Mapping[int, str],
        at: datetime,
        absences: Mapping[int, str] | None = None,
        updater: int | None = None,
    ) -> int:
        changed, records = 0, MemoryStatuses(self._tables)
        for user_id, status in sorted(statuses.items()):
            row = self._tables.agents.get(user_id)
            why = (absences or {}).get(user_id, "")
            if row is None or (row.status, row.absence) == (status, why):
                continue
            changed += 1
            if row.status != status:
                records.keep(row, at)
                row = replace(row, status=status, status_at=at, status_updater_id=updater)
            self._write(replace(row, absence=why, version=row.version + 1))
        return changed

    async def put_activity(self, user_id: int, at: datetime) -> bool:
        if (row := self._tables.agents.get(user_id)) is None:
            return False
        self._write(replace(row, active_at=at))
        return True

    async def queues(self) -> list[QueueRow]:
        return self._tables.ordered_queues()

    async def queue(self, queue_id: str) -> QueueRow | None:
        return self._tables.queues.get(queue_id)

    async def put_queue(self, queue: QueueRow) -> None:
        known = self._tables.queues.get(queue.id)
        created_at = known.created_at if known else queue.created_at
        self._tables.queues[queue.id] = replace(queue, created_at=created_at)

    async def delete_queue(self, queue_id: str) -> bool:
        return self._tables.queues.pop(queue_id, None) is not None

    async def dedicated_rules(self) -> list[DedicatedRow]:
        return list(self._tables.dedicated_rules)

    async def put_dedicated_rules(self, rules: Sequence[DedicatedRow]) -> None:
        self._tables.dedicated_rules = list(rules)

    async def group_turns(self) -> dict[int, int]:
        return dict(self._tables.group_turns)

    async def take_group_turn(self, group: int) -> None:
        self._tables.group_turns[group] = self._tables.group_turns.get(group, 0) + 1

    async def forget_group_turns(self) -> None:
        self._tables.group_turns = {}

    async def put_views(self, views: Sequence[int]) -> None:
        self._tables.views = set(views)

    async def put_view_tickets(self, view: int, tickets: Sequence[int]) -> None:
        self._tables.view_tickets[view] = frozenset(tickets)
