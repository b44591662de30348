"""Views: their definitions (facts: Zendesk §4). What they hold is in `view_results`."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import find, rows_of, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.conditions import known
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import bad_request, forbidden, invalid, number, wrong_type
from tools.zendesk_simulator.paging import ids_of, one_page, page
from tools.zendesk_simulator.rights import right
from tools.zendesk_simulator.state import Account, Row

COMPACT = 32
MOST_COLUMNS = 10
_NEEDED = {"status", "type", "group_id", "assignee_id", "requester_id"}
_PERMITTED = (
    "title",
    "active",
    "position",
    "description",
    "all",
    "any",
    "conditions",
    "output",
    "restriction",
    "execution",
)
_COLUMNS = {
    "assigned": "Assigned",
    "assignee": "Assignee",
    "brand": "Brand",
    "created": "Requested",
    "custom_status_id": "Ticket status",
    "description": "Subject",
    "due_date": "Due date",
    "group": "Group",
    "locale_id": "Requester language",
    "nice_id": "ID",
    "organization": "Organization",
    "priority": "Priority",
    "requester": "Requester",
    "satisfaction_score": "Satisfaction",
    "solved": "Solved",
    "status": "Status",
    "submitter": "Submitter",
    "ticket_form": "Form",
    "type": "Type",
    "updated": "Updated",
    "updated_assignee": "Assignee updated",
    "updated_by_type": "Latest updater type",
    "updated_requester": "Requester updated",
}
_UNSORTABLE = {"description", "submitter", "custom_status_id"}


def column(account: Account, column_id: object) -> Row | None:
    """Return a column as views and their results show it; None when there is none such."""
    name = str(column_id)
    if name in _COLUMNS:
        sortable = name not in _UNSORTABLE
        return {"id": name, "title": _COLUMNS[name], "filterable": sortable, "sortable": sortable}
    field = account.ticket_fields.get(int(name)) if name.isdigit() else None
    return field and {"id": field["id"], "title": field["title"], "filterable": True, "sortable": True}


def checked_conditions(values: Row, action: str = "api/v2/rules/views/create") -> Row:
    """Return the conditions of a request: `all` and `any` stand directly in it.

    Raises:
        Refusal: an unknown condition, or none on what every view must test.
    """
    given = values.get("conditions") or values
    if not isinstance(given, dict):
        raise wrong_type("view.conditions", "a hash", action)
    every, some = given.get("all") or [], given.get("any") or []
    for condition in (*every, *some):
        if not isinstance(condition, dict):
            raise wrong_type("view.all", "an array", action)
        if not known(condition):
            raise invalid(base=f"Invalid condition: {condition.get('field')} {condition.get('operator')}")
    if not any(c.get("field") in _NEEDED for c in every):
        raise invalid(
            base="View must test for at least one of the following ticket properties in the ALL section: "
            "Status, Type, Group, Assignee, Requester"
        )
    return {"all": every, "any": some}


def execution_of(account: Account, values: Row) -> Row:
    """Return how a view is shown, from `output` of a request."""
    output = values.get("output") or {}
    names = output.get("columns") or ["nice_id", "description", "requester", "created", "priority", "status"]
    if len(names) > MOST_COLUMNS:
        raise invalid(base=f"Output: cannot have more than {MOST_COLUMNS} columns")
    shown = [column(account, name) for name in names]
    if None in shown:
        raise invalid(base=f"Output: {names[shown.index(None)]} is not a column")
    sort_by, group_by = output.get("sort_by") or "created", output.get("group_by") or None
    for name in filter(None, (sort_by, group_by)):
        found = column(account, name)
        if found is None or not found["sortable"]:
            raise invalid(base=f"Output: cannot sort or group by {name}")
    order = output.get("sort_order") or "asc"
    return {
        "group_by": group_by,
        "group_order": output.get("group_order") or "asc",
        "sort_by": sort_by,
        "sort_order": order,
        "group": group_by and {"id": group_by, "order": output.get("group_order") or "asc"},
        "sort": {"id": sort_by, "order": order},
        "columns": shown,
        "fields": [c for c in shown if c and not isinstance(c["id"], int)],
        "custom_fields": [c for c in shown if c and isinstance(c["id"], int)],
    }


def add_view(account: Account, values: Row) -> Row:
    """Make a view from the members of a create request."""
    conditions, execution = checked_conditions(values), execution_of(account, values)
    view_id, now = int(values.get("id") or account.next_id("view")), stamp(account.now())
    account.reserve_id("view", view_id)
    row = {
        "id": view_id,
        "url": account.url(f"views/{view_id}"),
        "title": values.get("title", ""),
        "raw_title": values.get("title", ""),
        "active": values.get("active", True),
        "position": values.get("position", len(account.views) + 1),
        "description": values.get("description"),
        "default": False,
        "created_at": now,
        "updated_at": now,
        "execution": execution,
        "conditions": conditions,
        "restriction": values.get("restriction"),
    }
    account.views[view_id] = row
    return row


def visible(account: Account, user: Row) -> list[Row]:
    """Return the views that a user may see: restrictions name groups or one user."""
    groups = account.groups_of(user["id"])

    def may(view: Row) -> bool:
        limit = view["restriction"]
        if not limit or user["role"] == "admin":
            return True
        if limit["type"] == "User":
            return bool(limit["id"] == user["id"])
        return bool(groups & set(limit.get("ids") or [limit.get("id")]))

    return sorted((v for v in account.views.values() if may(v)), key=lambda v: v["id"])


def view_of(call: Call) -> Row:
    """Return the view of the path, if the caller may see it."""
    user = call.require_agent()
    return find({v["id"]: v for v in visible(call.account, user)}, call.path["id"])


def _may_write(call: Call, row: Row | None, values: Row) -> None:
    """Refuse those whose view access is too small: shared views need `full`, a group's `manage-group`."""
    user = call.require_agent()
    access = right(call.account, user, "view_access")
    if access == "full":
        return
    if access not in ("manage-personal", "manage-group"):
        raise forbidden()
    groups = call.account.groups_of(user["id"]) if access == "manage-group" else set()
    for limit in (
        (row or values).get("restriction"),
        values.get("restriction", (row or {}).get("restriction")),
    ):
        named = {(limit or {}).get("id"), *((limit or {}).get("ids") or ())} - {None}
        mine = (limit or {}).get("type") == "User" and named == {user["id"]}
        ours = (limit or {}).get("type") == "Group" and bool(named) and named <= groups
        if not (mine or ours):
            raise forbidden()


async def list_views(call: Call) -> Row:
    rows, path = visible(call.account, call.require_agent()), "views"
    if call.request.url.path.endswith("/active"):
        rows, path = [v for v in rows if v["active"]], "views/active"
    elif "active" in call.query:
        rows = [v for v in rows if v["active"] is (call.query["active"] == "true")]
    return page(call.request, call.account, "views", rows, path)


async def compact(call: Call) -> Row:
    """Never more than 32."""
    rows = [v for v in visible(call.account, call.require_agent()) if v["active"]]
    return one_page("views", rows[:COMPACT])


async def search(call: Call) -> Row:
    rows, text = visible(call.account, call.require_agent()), str(call.query.get("query", "")).lower()
    if not text:
        raise bad_request("ParameterMissing", "Parameter query is required")
    found = [v for v in rows if text in v["title"].lower()]
    return page(call.request, call.account, "views", found, "views/search")


async def count_views(call: Call) -> Row:
    value = len(visible(call.account, call.require_agent()))
    return {"count": {"value": value, "refreshed_at": call.account.now().isoformat(timespec="seconds")}}


async def show_many(call: Call) -> Row:
    rows, ids = visible(call.account, call.require_agent()), ids_of(call.request)
    return one_page("views", [v for v in rows if v["id"] in ids])


async def create_view(call: Call) -> tuple[int, Row]:
    """201, as the live service answers (the reference says 200)."""
    values = wrapped(call, "view", _PERMITTED)
    _may_write(call, None, values)
    if not str(values.get("title") or "").strip():
        raise invalid("BlankValue", title="Title: cannot be blank")
    return 201, {"view": add_view(call.account, values)}


async def show_view(call: Call) -> Row:
    return {"view": view_of(call)}


def _write(account: Account, row: Row, values: Row) -> None:
    if {"all", "any", "conditions"} & set(values):
        row["conditions"] = checked_conditions(values, "api/v2/rules/views/update")
        account.tables["view_index"].pop(row["id"], None)
    if "output" in values:
        row["execution"] = execution_of(account, values)
    plain = ("title", "active", "position", "description", "restriction")
    row.update({k: values[k] for k in plain if k in values})
    row["raw_title"], row["updated_at"] = row["title"], stamp(account.now())


async def update_view(call: Call) -> Row:
    """All conditions are replaced."""
    row, values = view_of(call), wrapped(call, "view", _PERMITTED)
    _may_write(call, row, values)
    _write(call.account, row, values)
    return {"view": row}


async def update_many(call: Call) -> Row:
    call.require_admin()
    changed: list[Row] = []
    for values in rows_of(call, "views"):
        row = find(call.account.views, number(values.get("id")))
        _write(call.account, row, {k: values[k] for k in ("active", "position") if k in values})
        changed.append(row)
    return one_page("views", changed)


def _drop(account: Account, view_id: int) -> None:
    account.views.pop(view_id, None)
    for name in ("view_index", "view_counts", "view_executions"):
        account.tables[name].pop(view_id, None)


async def delete_view(call: Call) -> tuple[int, None]:
    row = view_of(call)
    _may_write(call, row, {})
    _drop(call.account, row["id"])
    return 204, None


async def destroy_many(call: Call) -> tuple[int, None]:
    call.require_admin()
    for view_id in ids_of(call.request):
        _drop(call.account, view_id)
    return 204, None


ROUTES = [
    endpoint("GET", "views", list_views),
    endpoint("POST", "views", create_view),
    endpoint("GET", "views/active", list_views),
    endpoint("GET", "views/compact", compact),
    endpoint("GET", "views/count", count_views),
    endpoint("GET", "views/search", search),
    endpoint("GET", "views/show_many", show_many),
    endpoint("PUT", "views/update_many", update_many),
    endpoint("DELETE", "views/destroy_many", destroy_many),
    endpoint("GET", "views/{id:int}", show_view),
    endpoint("PUT", "views/{id:int}", update_view),
    endpoint("DELETE", "views/{id:int}", delete_view),
]
