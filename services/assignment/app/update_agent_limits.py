"""UpdateAgentLimits: agents' own limits, schedules and idle rules; of all that are named or of none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app.options import AccountOptions
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rows import AgentRow
from services.assignment.app.schedules import require_usable
from services.assignment.app.status_history import IdleRule
from services.assignment.app.statuses import idle_after

FIELDS = frozenset(
    {
        "inbox_limit",
        "daily_limit",
        "capacity_units",
        "rate_limit",
        "schedule_id",
        "idle.enabled",
        "idle.timeout_minutes",
    }
)


@dataclass(frozen=True, slots=True)
class LimitChange:
    """What of an agent's own values changes.

    Attributes:
        values: by name, of `FIELDS`; None = the account's.
        field: where the change stands in the request, before the names in a refusal.
    """

    user_id: int
    values: Mapping[str, Any]
    field: str = ""


async def update_limits(store: Store, account: AccountId, changes: Sequence[LimitChange]) -> list[AgentRow]:
    """Change agents' own values; return the agents, in the order of the changes.

    Raises:
        NotFoundError: an agent is unknown.
        InvalidRequestError: nobody can go by a schedule, or an agent shall be idle after nobody knows how long.
    """
    async with store.transaction(account) as tx:
        await tx.decisions.lock()
        kept = await tx.directory.account()
        options = kept.options if kept is not None else AccountOptions()
        rules = await tx.statuses.idle_rules()
        return [await _change(tx, options, one, rules.get(one.user_id, IdleRule())) for one in changes]


async def _change(tx: Transaction, options: AccountOptions, change: LimitChange, rule: IdleRule) -> AgentRow:
    user, values = change.user_id, change.values
    row = await tx.directory.agent(user)
    if row is None:
        raise NotFoundError(f"no such agent: `{user}`", metadata={"user_id": str(user)})
    if "schedule_id" in values:
        await require_usable(tx, values["schedule_id"], f"{change.field}schedule_id")
        await tx.schedules.put_agent(user, values["schedule_id"])
    if "capacity_units" in values:
        await tx.capacities.put_agent(user, values["capacity_units"])
    if "rate_limit" in values:
        await tx.rate_limits.put_agent(user, values["rate_limit"])
    if {"idle.enabled", "idle.timeout_minutes"} & values.keys():
        rule = replace(
            rule,
            enabled=values.get("idle.enabled", rule.enabled),
            minutes=values.get("idle.timeout_minutes", rule.minutes),
        )
        _require_time(options, rule, change.field)
        await tx.statuses.put_idle_rule(user, rule)
    inbox, daily = values.get("inbox_limit", row.inbox_limit), values.get("daily_limit", row.daily_limit)
    return await tx.directory.put_limits(user, inbox, daily) or row


def _require_time(options: AccountOptions, rule: IdleRule, field: str) -> None:
    if rule.enabled and idle_after(options, rule) is None:
        fault = "the account has no idle rule: say after how many minutes he is idle"
        violation = FieldViolation(f"{field}idle.timeout_minutes", fault)
        raise InvalidRequestError(fault, violations=[violation])
