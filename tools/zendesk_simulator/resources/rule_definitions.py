"""What conditions and actions of views and triggers may name (facts: Zendesk §4, §8)."""

from __future__ import annotations

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.state import STATUSES, Account, Row

_IS = ("is", "is_not")
_ORDERED = (*_IS, "less_than", "greater_than")
_CHANGES = ("changed", "not_changed", "value", "value_previous", "not_value", "not_value_previous")
_TITLES = {
    "is": "Is",
    "is_not": "Is not",
    "less_than": "Less than",
    "greater_than": "Greater than",
    "changed": "Changed",
    "not_changed": "Not changed",
    "value": "Changed to",
    "value_previous": "Changed from",
    "not_value": "Not changed to",
    "not_value_previous": "Not changed from",
    "includes": "Contains at least one of the following",
    "not_includes": "Contains none of the following",
    "present": "Present",
    "not_present": "Not present",
}


def _row(
    subject: str, title: str, operators: tuple[str, ...], values: list[tuple[str, str]], kind: str
) -> Row:
    ends = ("changed", "not_changed", "present", "not_present")
    return {
        "title": title,
        "subject": subject,
        "type": kind,
        "group": "ticket",
        "nullable": True,
        "repeatable": False,
        "operators": [{"value": o, "title": _TITLES[o], "terminal": o in ends} for o in operators],
        "values": [{"value": v, "title": t, "enabled": True} for v, t in values],
    }


def conditions(account: Account, *, of_triggers: bool) -> list[Row]:
    """Return the conditions of views, or of triggers, which may also test changes."""
    more = _CHANGES if of_triggers else ()
    agents = [
        (str(u["id"]), u["name"]) for u in account.users.values() if u["role"] != "end-user" and u["active"]
    ]
    groups = [(str(g["id"]), g["name"]) for g in account.groups.values() if not g["deleted"]]
    priorities = [(p, p.title()) for p in ("low", "normal", "high", "urgent")]
    types = [(t, t.title()) for t in ("question", "incident", "problem", "task")]
    rows = [
        _row("status", "Status", (*_ORDERED, *more), [(s, s.title()) for s in STATUSES], "list"),
        _row("type", "Type", (*_IS, *more), types, "list"),
        _row("priority", "Priority", (*_ORDERED, *more), priorities, "list"),
        _row("group_id", "Group", (*_IS, *more), [("", "-"), *groups], "list"),
        _row(
            "assignee_id",
            "Assignee",
            (*_IS, *more),
            [("", "-"), ("current_user", "(current user)"), *agents],
            "list",
        ),
        _row(
            "requester_id", "Requester", (*_IS, *more), [("current_user", "(current user)")], "autocomplete"
        ),
        _row("current_tags", "Tags", ("includes", "not_includes"), [], "tags"),
    ]
    if of_triggers:
        rows.append(
            _row("update_type", "Ticket", _IS, [("Create", "Created"), ("Change", "Updated")], "list")
        )
    for field in account.ticket_fields.values():
        subject = f"custom_fields_{field['id']}"
        rows.append(_row(subject, field["title"], (*_IS, "present", "not_present"), [], "text"))
    return rows


def actions(account: Account) -> list[Row]:
    """Return the actions of triggers."""
    hooks = [(w["id"], w["name"]) for w in account.webhooks.values()]
    rows = [
        r
        for r in conditions(account, of_triggers=False)
        if r["subject"] not in ("requester_id", "current_tags")
    ]
    shown = [
        {k: r[k] for k in ("title", "subject", "type", "group", "nullable", "repeatable", "values")}
        for r in rows
    ]
    notify = _row("notification_webhook", "Notify active webhook", (), hooks, "list")
    return [*shown, {k: v for k, v in notify.items() if k != "operators"}]


async def of_views(call: Call) -> Row:
    call.require_agent()
    rows = conditions(call.account, of_triggers=False)
    return {"definitions": {"conditions_all": rows, "conditions_any": rows}}


async def of_triggers(call: Call) -> Row:
    call.require_agent()
    rows = conditions(call.account, of_triggers=True)
    return {"definitions": {"actions": actions(call.account), "conditions_all": rows, "conditions_any": rows}}


ROUTES = [
    endpoint("GET", "views/definitions", of_views),
    endpoint("GET", "triggers/definitions", of_triggers),
]
