"""Views: conditions evaluated on the tickets (facts: Zendesk §4)."""

from __future__ import annotations

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.conditions import match
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, not_found, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.tickets import show as show_ticket
from tools.zendesk_simulator.state import Account, Row

_NEEDED = {"status", "type", "group_id", "assignee_id", "requester_id"}


def add_view(account: Account, values: Row) -> Row:
    """Make a view from the members of a create request: `all` and `any` stand directly in it."""
    every, some = values.get("all") or [], values.get("any") or []
    if not any(c.get("field") in _NEEDED for c in every):
        raise invalid(base="Views must test for at least one of: status, type, group, assignee, requester")
    view_id, now = account.next_id("view"), stamp(account.now())
    row = {
        "id": view_id,
        "url": account.url(f"views/{view_id}"),
        "title": values.get("title", ""),
        "raw_title": values.get("title", ""),
        "active": values.get("active", True),
        "position": len(account.views) + 1,
        "description": values.get("description"),
        "default": False,
        "created_at": now,
        "updated_at": now,
        "execution": {"group_by": None, "sort_by": "created", "sort_order": "asc", "columns": []},
        "conditions": {"all": every, "any": some},
        "restriction": values.get("restriction"),
    }
    account.views[view_id] = row
    return row


def tickets_of(account: Account, view: Row) -> list[Row]:
    """Return the tickets of a view, oldest first."""
    return [
        t
        for t in account.tickets.values()
        if t["status"] != "deleted" and match(account, t, view["conditions"])
    ]


def _view(call: Call) -> Row:
    call.require_agent()
    row = call.account.views.get(number(call.path["id"]))
    if row is None:
        raise not_found()
    return row


async def list_views(call: Call) -> Row:
    call.require_agent()
    rows = list(call.account.views.values())
    if call.request.url.path.endswith("active"):
        rows = [v for v in rows if v["active"]]
    return page(call.request, call.account, "views", rows, "views")


async def create_view(call: Call) -> tuple[int, Row]:
    call.require_agent()
    return 201, {"view": add_view(call.account, call.body.get("view") or {})}


async def show_view(call: Call) -> Row:
    return {"view": _view(call)}


async def delete_view(call: Call) -> tuple[int, None]:
    del call.account.views[_view(call)["id"]]
    return 204, None


async def view_tickets(call: Call) -> Row:
    view = _view(call)
    rows = [show_ticket(t) for t in tickets_of(call.account, view)]
    return page(call.request, call.account, "tickets", rows, f"views/{view['id']}/tickets")


async def execute(call: Call) -> Row:
    view = _view(call)
    rows = [
        {
            "ticket": {k: t[k] for k in ("id", "subject", "status", "priority", "type")},
            "created": t["created_at"],
        }
        for t in tickets_of(call.account, view)[:100]
    ]
    return {"columns": [], "groups": [], "rows": rows, "view": {"id": view["id"]}, "count": len(rows)}


async def count(call: Call) -> Row:
    """Null first: the value comes with the next question."""
    view, account = _view(call), call.account
    fresh = account.counts[f"view-count/{view['id']}"] > 0
    account.counts[f"view-count/{view['id']}"] += 1
    value = len(tickets_of(account, view)) if fresh else None
    return {
        "view_count": {
            "url": account.url(f"views/{view['id']}/count"),
            "view_id": view["id"],
            "value": value,
            "pretty": str(value) if fresh else "...",
            "fresh": fresh,
        }
    }


ROUTES = [
    endpoint("GET", "views", list_views),
    endpoint("POST", "views", create_view),
    endpoint("GET", "views/active", list_views),
    endpoint("GET", "views/{id:int}", show_view),
    endpoint("DELETE", "views/{id:int}", delete_view),
    endpoint("GET", "views/{id:int}/tickets", view_tickets),
    endpoint("GET", "views/{id:int}/execute", execute),
    endpoint("GET", "views/{id:int}/count", count),
]
