"""Groups (facts: Zendesk §5)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import forbidden, invalid, not_found, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.fields import add_field as add_field
from tools.zendesk_simulator.resources.memberships import add_membership as add_membership
from tools.zendesk_simulator.resources.memberships import remove
from tools.zendesk_simulator.resources.sideloads import add_related
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

_PERMITTED = ("name", "description", "is_public", "default")


def add_group(account: Account, spec: Row) -> Row:
    """Make a group."""
    group_id = int(spec.get("id") or account.next_id("group"))
    account.reserve_id("group", group_id)
    now = stamp(account.now())
    row = {
        "id": group_id,
        "url": account.url(f"groups/{group_id}"),
        "name": spec.get("name", f"Group {group_id}"),
        "description": spec.get("description", ""),
        "is_public": bool(spec.get("is_public", True)),
        "default": not account.groups,
        "deleted": False,
        "created_at": now,
        "updated_at": now,
    }
    account.groups[group_id] = row
    return row


def _living(call: Call) -> list[Row]:
    return sorted((g for g in call.account.groups.values() if not g["deleted"]), key=lambda g: g["id"])


def _group(call: Call) -> Row:
    row = call.account.groups.get(number(call.path["id"]))
    if row is None or row["deleted"]:
        raise not_found()
    return row


async def list_groups(call: Call) -> Row:
    user, rows, path = call.require_agent(), _living(call), "groups"
    if call.request.url.path.endswith("/assignable"):
        path = "groups/assignable"
        if user["role"] != "admin":
            mine = call.account.groups_of(user["id"])
            rows = [g for g in rows if g["is_public"] or g["id"] in mine]
    answer = page(call.request, call.account, "groups", rows, path)
    return add_related(call, answer, answer["groups"])


async def of_user(call: Call) -> Row:
    call.require_agent()
    user_id = number(call.path["user_id"])
    mine = call.account.groups_of(user_id)
    rows = [g for g in _living(call) if g["id"] in mine]
    return page(call.request, call.account, "groups", rows, f"users/{user_id}/groups")


async def count_groups(call: Call) -> Row:
    call.require_agent()
    return {"count": {"value": len(_living(call)), "refreshed_at": stamp(call.account.now())}}


async def show_group(call: Call) -> Row:
    call.require_agent()
    return {"group": _group(call)}


def _check(values: Row, row: Row | None) -> None:
    if (row is None or "name" in values) and not str(values.get("name") or "").strip():
        raise invalid("BlankValue", name="Name: cannot be blank")
    if row is not None and not row["is_public"] and values.get("is_public") is True:
        raise invalid(is_public="A private group cannot become public")


async def create_group(call: Call) -> tuple[int, Row]:
    require(call, "manage_groups")
    values = wrapped(call, "group", _PERMITTED)
    _check(values, None)
    if any(str(g["name"]).lower() == str(values["name"]).lower() for g in _living(call)):
        raise invalid("DuplicateValue", name="Name: has already been taken")
    return 201, {"group": add_group(call.account, values)}


async def update_group(call: Call) -> Row:
    require(call, "manage_groups")
    row, values = _group(call), wrapped(call, "group", _PERMITTED)
    _check(values, row)
    row.update({k: values[k] for k in ("name", "description", "is_public") if k in values})
    row["updated_at"] = stamp(call.account.now())
    return {"group": row}


async def delete_group(call: Call) -> tuple[int, None]:
    """The default group stays; the members leave, their working tickets in it are unassigned."""
    require(call, "manage_groups")
    row = _group(call)
    if row["default"]:
        raise forbidden()
    row["deleted"] = True
    row["updated_at"] = stamp(call.account.now())
    for membership in [m for m in call.account.memberships.values() if m["group_id"] == row["id"]]:
        remove(call.account, membership)
    return 204, None


ROUTES = [
    endpoint("GET", "groups", list_groups),
    endpoint("POST", "groups", create_group),
    endpoint("GET", "groups/assignable", list_groups),
    endpoint("GET", "groups/count", count_groups),
    endpoint("GET", "groups/{id:int}", show_group),
    endpoint("PUT", "groups/{id:int}", update_group),
    endpoint("DELETE", "groups/{id:int}", delete_group),
    endpoint("GET", "users/{user_id:int}/groups", of_user),
]
