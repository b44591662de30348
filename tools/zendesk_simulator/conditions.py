"""Conditions of views and triggers (facts: Zendesk §4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tools.zendesk_simulator.state import STATUSES, Account, Row

_PRIORITIES = ("low", "normal", "high", "urgent")
HOURS = (
    "updated_at",
    "due_at",
    "NEW",
    "OPEN",
    "PENDING",
    "HOLD",
    "SOLVED",
    "assigned_at",
    "requester_updated_at",
)
"""Fields whose value moves with the clock."""
OPERATORS = {
    "is",
    "is_not",
    "less_than",
    "greater_than",
    "changed",
    "not_changed",
    "value",
    "not_value",
    "value_previous",
    "not_value_previous",
    "present",
    "not_present",
    "includes",
    "not_includes",
    "is_within_previous_n_days",
    "within_next_n_days",
}
FIELDS = {
    "status",
    "type",
    "priority",
    "group_id",
    "assignee_id",
    "requester_id",
    "organization_id",
    "submitter_id",
    "brand_id",
    "ticket_form_id",
    "via_id",
    "custom_status_id",
    "current_tags",
    "role",
    "update_type",
    "comment_is_public",
    "ticket_is_public",
    "locale_id",
    "subject_includes_word",
    "comment_includes_word",
    "current_via_id",
    "satisfaction_score",
    "recipient",
    *HOURS,
}
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Moment:
    """What a condition may ask about besides the ticket.

    Attributes:
        changes: previous values of the fields that an update changed (triggers only).
        update: `Create` or `Change` (triggers only).
        user_id: who looks (views only).
        public: whether the update's comment is public; None = it has none (triggers only).
    """

    changes: dict[str, Any] | None = None
    update: str | None = None
    user_id: int | None = None
    public: bool | None = None


NOTHING = Moment()


def known(condition: Row) -> bool:
    """Tell whether Zendesk knows a condition's field and operator."""
    field = str(condition.get("field"))
    custom = field.startswith("custom_fields_") and field.removeprefix("custom_fields_").isdigit()
    return (field in FIELDS or custom) and condition.get("operator", "is") in OPERATORS


def moves(conditions: Row, user_id: int | None = None) -> bool:
    """Tell whether the answer depends on the clock or on who looks."""
    every = [*(conditions.get("all") or ()), *(conditions.get("any") or ())]
    personal = ("current_user", "current_groups")
    return any(c.get("field") in HOURS or str(c.get("value")) in personal for c in every)


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower()


def _ordered(field: str, value: str) -> int | str:
    if field == "status" and value in STATUSES:
        return STATUSES.index(value)
    if field == "priority" and value in _PRIORITIES:
        return _PRIORITIES.index(value)
    return value


def _hours(account: Account, ticket: Row, field: str) -> int | None:
    """Return the hours since something happened (until it, for `due_at`)."""
    since: str | None = ticket["updated_at"]
    if field == "due_at":
        since = ticket["due_at"]
    elif field.lower() in STATUSES:
        if ticket["status"] != field.lower():
            return None
        since = ticket["created_at"]
        for audit in reversed(account.audits.get(ticket["id"], ())):
            if any(e.get("field_name") == "status" and e["type"] == "Change" for e in audit["events"]):
                since = audit["created_at"]
                break
    if since is None:
        return None
    passed = account.now() - datetime.fromisoformat(since)
    return int((-passed if field == "due_at" else passed) / timedelta(hours=1))


def _value(account: Account, ticket: Row, field: str, moment: Moment) -> Any:
    if field == "current_tags":
        return ticket["tags"]
    if field.startswith("custom_fields_"):
        wanted = int(field.removeprefix("custom_fields_"))
        return next((f["value"] for f in ticket["custom_fields"] if f["id"] == wanted), None)
    if field in HOURS:
        return _hours(account, ticket, field)
    if field in ("subject_includes_word", "comment_includes_word"):
        text = ticket["subject"] if field.startswith("subject") else ticket["description"]
        return {w.lower() for w in _WORD.findall(text or "")}
    if field == "comment_is_public":
        return "not_relevant" if moment.public is None else moment.public
    if field == "ticket_is_public":
        return "public" if ticket["is_public"] else "private"
    if field == "locale_id":
        return (account.users.get(ticket["requester_id"]) or {}).get("locale_id")
    return ticket.get(field)


def _wanted(account: Account, ticket: Row, wanted: Any, moment: Moment) -> Any:
    if wanted == "current_user":
        return moment.user_id
    if wanted == "requester_id":
        return ticket["requester_id"]
    if wanted == "current_groups":
        return account.groups_of(moment.user_id or 0)
    return wanted


def holds(account: Account, ticket: Row, condition: Row, moment: Moment = NOTHING) -> bool:
    """Tell whether one condition holds."""
    field, operator = str(condition["field"]), str(condition.get("operator", "is"))
    wanted = _wanted(account, ticket, condition.get("value"), moment)
    changes = moment.changes or {}
    if field == "update_type":
        return (_text(moment.update) == _text(wanted)) is (operator == "is")
    if operator in ("changed", "not_changed"):
        return (field in changes) is (operator == "changed")
    if operator in ("value_previous", "not_value_previous"):
        fits = field in changes and _text(changes[field]) == _text(wanted)
        return fits is (operator == "value_previous")
    if operator in ("value", "not_value"):  # changed to
        fits = field in changes and _text(ticket.get(field)) == _text(wanted)
        return fits is (operator == "value")
    actual = _value(account, ticket, field, moment)
    if operator in ("present", "not_present"):
        return (actual not in (None, "", [])) is (operator == "present")
    if operator in ("includes", "not_includes") or isinstance(actual, set):
        words = {w.lower() for w in str(wanted).split()}
        held = {str(w).lower() for w in (actual or ())}
        return bool(words & held) is (operator in ("includes", "is"))
    if operator in ("less_than", "greater_than"):
        return _compares(field, actual, wanted, operator)
    if isinstance(wanted, set):
        return (actual in wanted) is (operator == "is")
    same = _text(actual) == _text(wanted)
    return same if operator == "is" else not same


def _compares(field: str, actual: Any, wanted: Any, operator: str) -> bool:
    if actual is None:
        return False
    left, right = _ordered(field, _text(actual)), _ordered(field, _text(wanted))
    if isinstance(actual, int) and str(wanted).lstrip("-").isdigit():
        left, right = actual, int(str(wanted))
    if type(left) is not type(right):
        return False
    return left < right if operator == "less_than" else left > right  # type: ignore[operator]  # same kinds


def match(account: Account, ticket: Row, conditions: Row, moment: Moment = NOTHING) -> bool:
    """Tell whether all of `all` and one of `any` hold."""
    every: Sequence[Row] = conditions.get("all") or ()
    some: Sequence[Row] = conditions.get("any") or ()
    return all(holds(account, ticket, c, moment) for c in every) and (
        not some or any(holds(account, ticket, c, moment) for c in some)
    )
