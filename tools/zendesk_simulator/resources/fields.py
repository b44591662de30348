"""Fields of tickets, users and organisations, and their options (facts: Zendesk §5)."""

from __future__ import annotations

import functools

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

TYPES = (
    "text",
    "textarea",
    "checkbox",
    "date",
    "integer",
    "decimal",
    "regexp",
    "dropdown",
    "tagger",
    "multiselect",
    "lookup",
)
_PERMITTED = (
    "type",
    "title",
    "key",
    "description",
    "active",
    "position",
    "required",
    "custom_field_options",
    "regexp_for_validation",
    "tag",
    "title_in_portal",
    "visible_in_portal",
    "editable_in_portal",
    "required_in_portal",
    "agent_description",
    "collapsed_for_agents",
    "relationship_target_type",
)


def rows_of_kind(account: Account, kind: str) -> dict[int, Row]:
    """Return the fields of a kind: user_field, ticket_field or organization_field."""
    known = {"user_field": account.user_fields, "ticket_field": account.ticket_fields}
    return known[kind] if kind in known else account.tables["organization_fields"]


def add_field(account: Account, kind: str, spec: Row) -> Row:
    """Make a field."""
    field_id, now = int(spec.get("id") or account.next_id("field")), stamp(account.now())
    account.reserve_id("field", field_id)
    rows, title = rows_of_kind(account, kind), str(spec.get("title", ""))
    row: Row = {
        "id": field_id,
        "url": account.url(f"{kind}s/{field_id}"),
        "type": spec.get("type", "text"),
        "title": title,
        "raw_title": title,
        "description": spec.get("description", ""),
        "raw_description": spec.get("description", ""),
        "position": spec.get("position", len(rows)),
        "active": spec.get("active", True),
        "system": False,
        "regexp_for_validation": spec.get("regexp_for_validation"),
        "created_at": now,
        "updated_at": now,
    }
    if kind == "ticket_field":
        row |= {
            "required": bool(spec.get("required", False)),
            "collapsed_for_agents": False,
            "title_in_portal": spec.get("title_in_portal", title),
            "raw_title_in_portal": spec.get("title_in_portal", title),
            "visible_in_portal": False,
            "editable_in_portal": False,
            "required_in_portal": False,
            "tag": spec.get("tag"),
            "removable": True,
            "agent_description": None,
        }
    else:
        row["key"] = spec.get("key") or title.lower().replace(" ", "_")
    rows[field_id] = row
    if spec.get("custom_field_options"):
        set_options(account, row, spec["custom_field_options"])
    return row


def set_options(account: Account, row: Row, options: list[Row]) -> None:
    """Replace the options of a field; known ids stay."""
    row["custom_field_options"] = [
        {
            "id": int(o.get("id") or account.next_id("option")),
            "name": o.get("name", ""),
            "raw_name": o.get("name", ""),
            "value": o.get("value", ""),
            "position": place,
            "default": bool(o.get("default", False)),
        }
        for place, o in enumerate(options)
    ]


async def list_fields(call: Call, kind: str) -> Row:
    call.require_agent()
    return page(
        call.request, call.account, f"{kind}s", list(rows_of_kind(call.account, kind).values()), f"{kind}s"
    )


async def count_fields(call: Call, kind: str) -> Row:
    call.require_agent()
    value = len(rows_of_kind(call.account, kind))
    return {"count": {"value": value, "refreshed_at": stamp(call.account.now())}}


async def create_field(call: Call, kind: str) -> tuple[int, Row]:
    require(call, f"manage_{kind}s")
    values = wrapped(call, kind, _PERMITTED)
    if values.get("type") not in TYPES:
        raise invalid(type="Type: is invalid")
    if not values.get("title"):
        raise invalid("BlankValue", title="Title: cannot be blank")
    if kind != "ticket_field":
        if not values.get("key"):
            raise invalid("BlankValue", key="Key: cannot be blank")
        if any(f["key"] == values["key"] for f in rows_of_kind(call.account, kind).values()):
            raise invalid("DuplicateValue", key="Key: has already been taken")
    return 201, {kind: add_field(call.account, kind, values)}


async def show_field(call: Call, kind: str) -> Row:
    call.require_agent()
    return {kind: find(rows_of_kind(call.account, kind), call.path["id"])}


async def update_field(call: Call, kind: str) -> Row:
    require(call, f"manage_{kind}s")
    row = find(rows_of_kind(call.account, kind), call.path["id"])
    values = wrapped(call, kind, _PERMITTED)
    fixed = ("type", "key", "custom_field_options")
    row.update({k: v for k, v in values.items() if k in _PERMITTED and k not in fixed})
    if "title" in values:
        row["raw_title"] = values["title"]
    if "custom_field_options" in values:
        set_options(call.account, row, values["custom_field_options"] or [])
    row["updated_at"] = stamp(call.account.now())
    return {kind: row}


async def delete_field(call: Call, kind: str) -> tuple[int, None]:
    require(call, f"manage_{kind}s")
    rows = rows_of_kind(call.account, kind)
    del rows[find(rows, call.path["id"])["id"]]
    return 204, None


async def reorder(call: Call, kind: str) -> Row:
    require(call, f"manage_{kind}s")
    for place, field_id in enumerate(call.body.get(f"{kind}_ids") or []):
        find(rows_of_kind(call.account, kind), number(field_id))["position"] = place
    return {}


ROUTES = [
    endpoint(method, f"{kind}s{one}", functools.partial(handler, kind=kind))
    for kind in ("user_field", "ticket_field", "organization_field")
    for method, one, handler in (
        ("GET", "", list_fields),
        ("POST", "", create_field),
        ("GET", "/count", count_fields),
        ("PUT", "/reorder", reorder),
        ("GET", "/{id:int}", show_field),
        ("PUT", "/{id:int}", update_field),
        ("DELETE", "/{id:int}", delete_field),
    )
]
