"""Custom ticket statuses; each status has a default one (facts: Zendesk §3.2)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.state import Account, Row

CATEGORIES = ("new", "open", "pending", "hold", "solved")
_LABELS = {"new": "New", "open": "Open", "pending": "Pending", "hold": "On-hold", "solved": "Solved"}
_MEMBERS = ("agent_label", "end_user_label", "description", "end_user_description", "active")


def _add(account: Account, values: Row, *, default: bool) -> Row:
    status_id, now = account.next_id("custom_status"), stamp(account.now())
    label = values["agent_label"]
    row = {
        "url": account.url(f"custom_statuses/{status_id}"),
        "id": status_id,
        "status_category": values["status_category"],
        "agent_label": label,
        "raw_agent_label": label,
        "end_user_label": values.get("end_user_label") or label,
        "raw_end_user_label": values.get("end_user_label") or label,
        "description": values.get("description", ""),
        "raw_description": values.get("description", ""),
        "end_user_description": values.get("end_user_description", ""),
        "raw_end_user_description": values.get("end_user_description", ""),
        "active": values.get("active", True),
        "default": default,
        "created_at": now,
        "updated_at": now,
    }
    account.tables["custom_statuses"][status_id] = row
    return row


def _ensure(account: Account) -> dict[int, Row]:
    rows = account.tables["custom_statuses"]
    if not rows:
        for category in CATEGORIES:
            _add(account, {"status_category": category, "agent_label": _LABELS[category]}, default=True)
    return rows


def add_status(account: Account, values: Row) -> Row:
    """Make a custom status of a category."""
    _ensure(account)
    return _add(account, values, default=False)


def default_of(account: Account, status: str) -> int | None:
    """Return the default custom status of a status; closed and deleted tickets keep that of solved."""
    wanted = status if status in CATEGORIES else "solved"
    found = (r["id"] for r in _ensure(account).values() if r["default"] and r["status_category"] == wanted)
    return next(found, None)


async def list_statuses(call: Call) -> Row:
    call.require_agent()
    rows = list(_ensure(call.account).values())
    if categories := call.query.get("status_categories"):
        rows = [r for r in rows if r["status_category"] in categories.split(",")]
    for name in ("active", "default"):
        if name in call.query:
            rows = [r for r in rows if r[name] is (call.query[name] == "true")]
    return {"custom_statuses": rows}


async def create_status(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values = wrapped(call, "custom_status", (*_MEMBERS, "status_category"))
    _ensure(call.account)
    if values.get("status_category") not in CATEGORIES:
        raise invalid(status_category="Status category: is not included in the list")
    if not values.get("agent_label"):
        raise invalid("BlankValue", agent_label="Agent label: cannot be blank")
    return 201, {"custom_status": add_status(call.account, values)}


async def show_status(call: Call) -> Row:
    call.require_agent()
    return {"custom_status": find(_ensure(call.account), call.path["id"])}


async def update_status(call: Call) -> Row:
    call.require_admin()
    row = find(_ensure(call.account), call.path["id"])
    values = wrapped(call, "custom_status", _MEMBERS)
    if row["default"] and values.get("active") is False:
        raise invalid(active="Active: default custom statuses cannot be deactivated")
    row.update({k: values[k] for k in _MEMBERS if k in values})
    row["updated_at"] = stamp(call.account.now())
    return {"custom_status": row}


async def set_defaults(call: Call) -> Row:
    """Make statuses the defaults of their categories."""
    call.require_admin()
    rows = _ensure(call.account)
    for status_id in str(call.body.get("ids", "")).split(","):
        chosen = find(rows, int(status_id) if status_id.strip().isdigit() else None)
        for row in rows.values():
            if row["status_category"] == chosen["status_category"]:
                row["default"] = row is chosen
    return {}


ROUTES = [
    endpoint("GET", "custom_statuses", list_statuses),
    endpoint("POST", "custom_statuses", create_status),
    endpoint("GET", "custom_statuses/{id:int}", show_status),
    endpoint("PUT", "custom_statuses/{id:int}", update_status),
    endpoint("PUT", "custom_status/default", set_defaults),
]
