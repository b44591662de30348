"""Accounts, agents and queues in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from services.assignment.adapters.sql.statuses import SqlStatuses
from services.assignment.app.options import AccountOptions, QueueOptions, plain, typed
from services.assignment.app.rows import Account, AgentRow, DedicatedRow, QueueRow
from services.assignment.domain.model import Restrictions

_AGENTS = """
SELECT a.*, coalesce(o.n, 0) AS open_count,
       coalesce((SELECT array_agg(m.group_id ORDER BY m.group_id) FROM memberships m
                 WHERE m.account = a.account AND m.user_id = a.user_id), '{}') AS groups
FROM agents a LEFT JOIN (
    SELECT assignee_id, count(*) AS n FROM (
        SELECT assignee_id FROM tickets
        WHERE account = :account AND status IN ('new', 'open') AND assignee_id IS NOT NULL
        -- A ticket that an agent thinks about takes its place already.
        UNION ALL SELECT agent_id FROM offers WHERE account = :account AND state = 'offered'
    ) u GROUP BY assignee_id
) o ON o.assignee_id = a.user_id
WHERE a.account = :account
"""

_GIVEN = """
unnest(CAST(:users AS bigint[]), CAST(:statuses AS text[]), CAST(:absences AS text[])) AS t(user_id, status, absence)
"""
_CHANGES = """
a.account = :account AND a.user_id = t.user_id AND (a.status, a.absence) <> (t.status, t.absence)
"""
_CHANGING = f"""
SELECT a.user_id, a.status <> t.status AS ends FROM agents a, {_GIVEN}
WHERE {_CHANGES} ORDER BY a.user_id FOR UPDATE OF a
"""  # noqa: S608 - constants
_CHANGE = f"""
UPDATE agents a SET status = t.status, absence = t.absence, version = version + 1,
    status_at = CASE WHEN a.status = t.status THEN a.status_at ELSE :at END,
    status_updater_id = CASE WHEN a.status = t.status THEN a.status_updater_id ELSE CAST(:updater AS bigint) END
FROM {_GIVEN} WHERE {_CHANGES}
"""  # noqa: S608 - constants


def _agent(row: Row[Any]) -> AgentRow:
    return AgentRow(
        user_id=row.user_id,
        name=row.name,
        role=row.role,
        role_type=row.role_type,
        custom_role_id=row.custom_role_id,
        active=row.active,
        suspended=row.suspended,
        status=row.status,
        status_at=row.status_at,
        groups=tuple(row.groups),
        inbox_limit=row.inbox_limit,
        daily_limit=row.daily_limit,
        rule=row.rule,
        manager=row.manager,
        autoplay=row.autoplay,
        version=row.version,
        open_count=row.open_count,
        absence=row.absence,
        active_at=row.active_at,
        status_updater_id=row.status_updater_id,
    )


def _queue(row: Row[Any]) -> QueueRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row's mapping
    values.pop("account")
    options = typed(QueueOptions, values["options"] or {})
    return QueueRow(**{**values, "agents": tuple(values["agents"]), "options": options})


_QUEUES = "SELECT q.*, o.options FROM queues q LEFT JOIN queue_options o USING (account, id) WHERE account = :account "


class SqlDirectory:
    """Implements the port `Directory`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def account(self) -> Account | None:
        row = (await self._run("SELECT * FROM accounts WHERE account = :account")).one_or_none()
        if row is None:
            return None
        return Account(
            account=self._account,
            synced_at=row.synced_at,
            inbox_limit=row.inbox_limit,
            daily_limit=row.daily_limit,
            default_status=row.default_status,
            rule_version=row.rule_version,
            restrictions=Restrictions(frozenset(row.group_restrictions), frozenset(row.role_restrictions)),
            fields=row.fields,
            webhook=row.webhook,
            webhook_secret=row.webhook_secret,
            export_cursor=row.export_cursor,
            options=typed(AccountOptions, row.options),
        )

    async def put_account(self, account: Account) -> None:
        await self._run(
            "INSERT INTO accounts (account, inbox_limit, daily_limit, default_status, rule_version, "
            "group_restrictions, role_restrictions, fields, webhook, webhook_secret, export_cursor, synced_at, options) "
            "VALUES (:account, :inbox_limit, :daily_limit, :default_status, :rule_version, :groups, :roles, "
            "CAST(:fields AS jsonb), :webhook, :secret, :cursor, :synced_at, CAST(:options AS jsonb)) ON CONFLICT (account) DO UPDATE SET "
            "inbox_limit = excluded.inbox_limit, daily_limit = excluded.daily_limit, "
            "default_status = excluded.default_status, rule_version = excluded.rule_version, "
            "group_restrictions = excluded.group_restrictions, role_restrictions = excluded.role_restrictions, "
            "fields = excluded.fields, webhook = excluded.webhook, webhook_secret = excluded.webhook_secret, "
            "export_cursor = excluded.export_cursor, synced_at = excluded.synced_at, options = excluded.options",
            options=json.dumps(plain(account.options)),
            inbox_limit=account.inbox_limit,
            daily_limit=account.daily_limit,
            default_status=account.default_status,
            rule_version=account.rule_version,
            groups=sorted(account.restrictions.groups),
            roles=sorted(account.restrictions.roles),
            fields=json.dumps(dict(account.fields)),
            webhook=account.webhook,
            secret=account.webhook_secret,
            cursor=account.export_cursor,
            synced_at=account.synced_at,
        )

    async def move_cursor(self, before: str, after: str) -> bool:
        done = await self._run(
            "UPDATE accounts SET export_cursor = :after WHERE account = :account AND export_cursor = :before",
            before=before,
            after=after,
        )
        return bool(done.rowcount)

    async def agents(
        self,
        *,
        after: int = 0,
        limit: int = 1_000_000,
        inactive: bool = False,
        only: Collection[int] | None = None,
    ) -> list[AgentRow]:
        these = "" if only is None else "AND a.user_id = ANY(:only) "
        rows = await self._run(
            _AGENTS
            + these
            + "AND a.user_id > :after AND (a.active OR :inactive) ORDER BY a.user_id LIMIT :limit",
            **({} if only is None else {"only": sorted(only)}),
            after=after,
            limit=limit,
            inactive=inactive,
        )
        return [_agent(row) for row in rows]

    async def agent(self, user_id: int) -> AgentRow | None:
        row = (await self._run(_AGENTS + "AND a.user_id = :user_id", user_id=user_id)).one_or_none()
        return _agent(row) if row else None

    async def sync_agents(self, agents: Sequence[AgentRow], memberships: Sequence[tuple[int, int]]) -> None:
        for agent in agents:
            await self._run(
                "INSERT INTO agents (account, user_id, name, role, role_type, custom_role_id, active, suspended, "
                "status, status_at, rule, manager, autoplay, version) VALUES (:account, :user_id, :name, :role, "
                ":role_type, :custom_role_id, :active, :suspended, :status, :status_at, :rule, :manager, :autoplay, 1) "
                "ON CONFLICT (account, user_id) DO UPDATE SET name = excluded.name, role = excluded.role, "
                "role_type = excluded.role_type, custom_role_id = excluded.custom_role_id, active = excluded.active, "
                "suspended = excluded.suspended, rule = excluded.rule, manager = excluded.manager, "
                "autoplay = excluded.autoplay",
                user_id=agent.user_id,
                name=agent.name,
                role=agent.role,
                role_type=agent.role_type,
                custom_role_id=agent.custom_role_id,
                active=agent.active,
                suspended=agent.suspended,
                status=agent.status,
                status_at=agent.status_at,
                rule=agent.rule,
                manager=agent.manager,
                autoplay=agent.autoplay,
            )
        await self._run(
            "UPDATE agents SET active = false WHERE account = :account AND NOT (user_id = ANY(:known))",
            known=[a.user_id for a in agents],
        )
        await self._run("DELETE FROM memberships WHERE account = :account")
        await self._run(
            "INSERT INTO memberships (account, user_id, group_id) SELECT :account, u, g "
            "FROM unnest(CAST(:users AS bigint[]), CAST(:groups AS bigint[])) AS t(u, g) ON CONFLICT DO NOTHING",
            users=[user for user, _ in memberships],
            groups=[group for _, group in memberships],
        )

    async def refresh_agent(self, agent: AgentRow) -> bool:
        known = await self.agent(agent.user_id)
        if known is None or _zendesk(known) == _zendesk(agent):
            return False
        await self._run(
            "UPDATE agents SET role = :role, role_type = :role_type, custom_role_id = :custom_role_id, "
            "active = :active, suspended = :suspended, version = version + 1 "
            "WHERE account = :account AND user_id = :user_id",
            user_id=agent.user_id,
            role=agent.role,
            role_type=agent.role_type,
            custom_role_id=agent.custom_role_id,
            active=agent.active,
            suspended=agent.suspended,
        )
        await self._run(
            "DELETE FROM memberships WHERE account = :account AND user_id = :user_id", user_id=agent.user_id
        )
        await self._run(
            "INSERT INTO memberships (account, user_id, group_id) SELECT :account, :user_id, g "
            "FROM unnest(CAST(:groups AS bigint[])) AS t(g) ON CONFLICT DO NOTHING",
            user_id=agent.user_id,
            groups=list(agent.groups),
        )
        return True

    async def put_settings(
        self, user_id: int, rule: int | None, *, manager: bool, autoplay: bool
    ) -> AgentRow | None:
        await self._run(
            "UPDATE agents SET rule = :rule, manager = :manager, autoplay = :autoplay, version = version + 1 "
            "WHERE account = :account AND user_id = :user_id",
            user_id=user_id,
            rule=rule,
            manager=manager,
            autoplay=autoplay,
        )
        return await self.agent(user_id)

    async def put_limits(
        self, user_id: int, inbox_limit: int | None, daily_limit: int | None
    ) -> AgentRow | None:
        await self._run(
            "UPDATE agents SET inbox_limit = :inbox_limit, daily_limit = :daily_limit, version = version + 1 "
            "WHERE account = :account AND user_id = :user_id",
            user_id=user_id,
            inbox_limit=inbox_limit,
            daily_limit=daily_limit,
        )
        return await self.agent(user_id)

    async def set_statuses(
        self,
        statuses: Mapping[int, str],
        at: datetime,
        absences: Mapping[int, str] | None = None,
        updater: int | None = None,
    ) -> int:
        why = absences or {}
        given = {
            "absences": [why.get(user, "") for user in statuses],
            "users": list(statuses),
            "statuses": list(statuses.values()),
        }
        changing = (await self._run(_CHANGING, **given)).all()
        await SqlStatuses(self._connection, self._account).keep([r.user_id for r in changing if r.ends], at)
        await self._run(_CHANGE, **given, at=at, updater=updater)
        return len(changing)

    async def put_activity(self, user_id: int, at: datetime) -> bool:
        done = await self._run(
            "UPDATE agents SET active_at = :at WHERE account = :account AND user_id = :user_id",
            user_id=user_id,
            at=at,
        )
        return bool(done.rowcount)

    async def queues(self) -> list[QueueRow]:
        rows = await self._run(_QUEUES + 'ORDER BY position, id COLLATE "C"')
        return [_queue(row) for row in rows]

    async def queue(self, queue_id: str) -> QueueRow | None:
        row = (await self._run(_QUEUES + "AND id = :id", id=queue_id)).one_or_none()
        return _queue(row) if row else None

    async def put_queue(self, queue: QueueRow) -> None:
        await self._run(
            "INSERT INTO queues (account, id, title, kind, source, model, position, state, use_sla, batch_size, "
            "daily_limit, agents, scan_limit, version, created_at, updated_at) VALUES (:account, :id, :title, :kind, "
            ":source, :model, :position, :state, :use_sla, :batch_size, :daily_limit, :agents, :scan_limit, "
            ":version, :created_at, :updated_at) ON CONFLICT (account, id) DO UPDATE SET title = excluded.title, "
            "kind = excluded.kind, source = excluded.source, model = excluded.model, position = excluded.position, "
            "state = excluded.state, use_sla = excluded.use_sla, batch_size = excluded.batch_size, "
            "daily_limit = excluded.daily_limit, agents = excluded.agents, scan_limit = excluded.scan_limit, "
            "version = excluded.version, updated_at = excluded.updated_at",
            id=queue.id,
            title=queue.title,
            kind=queue.kind,
            source=queue.source,
            model=queue.model,
            position=queue.position,
            state=queue.state,
            use_sla=queue.use_sla,
            batch_size=queue.batch_size,
            daily_limit=queue.daily_limit,
            agents=list(queue.agents),
            scan_limit=queue.scan_limit,
            version=queue.version,
            created_at=queue.created_at,
            updated_at=queue.updated_at,
        )
        await self._run(
            "INSERT INTO queue_options (account, id, options) VALUES (:account, :id, CAST(:options AS jsonb)) "
            "ON CONFLICT (account, id) DO UPDATE SET options = excluded.options",
            id=queue.id,
            options=json.dumps(plain(queue.options)),
        )

    async def delete_queue(self, queue_id: str) -> bool:
        done = await self._run(
            "DELETE FROM queues WHERE account = :account AND id = :id RETURNING id", id=queue_id
        )
        return done.one_or_none() is not None

    async def dedicated_rules(self) -> list[DedicatedRow]:
        rows = await self._run("SELECT * FROM dedicated_rules WHERE account = :account ORDER BY position")
        return [DedicatedRow(r.kind, r.value, tuple(r.agents), r.fallback) for r in rows]

    async def put_dedicated_rules(self, rules: Sequence[DedicatedRow]) -> None:
        await self._run("DELETE FROM dedicated_rules WHERE account = :account")
        if rules:
            await self._connection.execute(
                text(
                    "INSERT INTO dedicated_rules (account, position, kind, value, agents, fallback) "
                    "VALUES (:account, :position, :kind, :value, :agents, :fallback)"
                ),
                [
                    {
                        "account": self._account,
                        "position": position,
                        "kind": rule.kind,
                        "value": rule.value,
                        "agents": list(rule.agents),
                        "fallback": rule.fallback,
                    }
                    for position, rule in enumerate(rules)
                ],
            )

    async def group_turns(self) -> dict[int, int]:
        rows = await self._run("SELECT group_id, turns FROM group_turns WHERE account = :account")
        return {row.group_id: row.turns for row in rows}

    async def take_group_turn(self, group: int) -> None:
        await self._run(
            "INSERT INTO group_turns AS g (account, group_id, turns) VALUES (:account, :group, 1) "
            "ON CONFLICT (account, group_id) DO UPDATE SET turns = g.turns + 1",
            group=group,
        )

    async def forget_group_turns(self) -> None:
        await self._run("DELETE FROM group_turns WHERE account = :account")

    async def put_views(self, views: Sequence[int]) -> None:
        await self._run("DELETE FROM views WHERE account = :account")
        await self._run(
            "INSERT INTO views (account, view) SELECT :account, v FROM unnest(CAST(:views AS bigint[])) AS v",
            views=list(views),
        )

    async def put_view_tickets(self, view: int, tickets: Sequence[int]) -> None:
        # What stays is not touched: a view may hold very many, and few of them change.
        await self._run(
            "DELETE FROM view_tickets WHERE account = :account AND view = :view AND NOT (ticket = ANY(:tickets))",
            view=view,
            tickets=sorted(tickets),
        )
        await self._run(
            "INSERT INTO view_tickets (account, view, ticket) SELECT :account, :view, t "
            "FROM unnest(CAST(:tickets AS bigint[])) AS t ON CONFLICT DO NOTHING",
            view=view,
            tickets=sorted(tickets),
        )


def _zendesk(agent: AgentRow) -> tuple[object, ...]:
    """Return what Zendesk says of an agent."""
    return (
        agent.role,
        agent.role_type,
        agent.custom_role_id,
        agent.active,
        agent.suspended,
        tuple(sorted(agent.groups)),
    )
