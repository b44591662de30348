"""Conditions of views and triggers (facts: Zendesk §4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tools.zendesk_simulator.state import STATUSES, Account, Row

_PRIORITIES = ("low", "normal", "high", "urgent")


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower()


def _ordered(field: str, value: str) -> int | str:
    if field == "status" and value in STATUSES:
        return STATUSES.index(value)
    if field == "priority" and value in _PRIORITIES:
        return _PRIORITIES.index(value)
    return value


def _value(account: Account, ticket: Row, field: str) -> Any:
    if field == "current_tags":
        return ticket["tags"]
    if field.startswith("custom_fields_"):
        wanted = int(field.removeprefix("custom_fields_"))
        return next((f["value"] for f in ticket["custom_fields"] if f["id"] == wanted), None)
    if field in ("updated_at", "NEW", "OPEN", "PENDING", "SOLVED"):
        since = datetime.fromisoformat(ticket["updated_at"])
        return int((account.now() - since) / timedelta(hours=1))
    return ticket.get(field)


def holds(
    account: Account, ticket: Row, condition: Row, changes: dict[str, Any] | None, update: str | None
) -> bool:
    """Tell whether one condition holds.

    Args:
        changes: previous values of the fields that this update changed (triggers only).
        update: `Create` or `Change` (triggers only).
    """
    field, operator = str(condition["field"]), str(condition["operator"])
    wanted = condition.get("value")
    if field == "update_type":
        return (_text(update) == _text(wanted)) is (operator == "is")
    if operator in ("changed", "not_changed"):
        return (field in (changes or {})) is (operator == "changed")
    actual = _value(account, ticket, field)
    if operator in ("present", "not_present"):
        return (actual not in (None, "", [])) is (operator == "present")
    if operator in ("includes", "not_includes"):
        words = set(str(wanted).split())
        return bool(words & set(actual or [])) is (operator == "includes")
    if operator in ("less_than", "greater_than"):
        left, right = _ordered(field, _text(actual)), _ordered(field, _text(wanted))
        if isinstance(actual, int) and str(wanted).isdigit():
            left, right = actual, int(str(wanted))
        return left < right if operator == "less_than" else left > right  # type: ignore[operator]  # same kinds
    same = _text(actual) == _text(wanted)
    return same if operator in ("is", "value") else not same


def match(
    account: Account,
    ticket: Row,
    conditions: Row,
    changes: dict[str, Any] | None = None,
    update: str | None = None,
) -> bool:
    """Tell whether all of `all` and one of `any` hold."""
    every: Sequence[Row] = conditions.get("all") or ()
    some: Sequence[Row] = conditions.get("any") or ()
    return all(holds(account, ticket, c, changes, update) for c in every) and (
        not some or any(holds(account, ticket, c, changes, update) for c in some)
    )
