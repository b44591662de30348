"""Groups, memberships, custom roles, and user and ticket fields (facts: Zendesk §5)."""

from __future__ import annotations

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, not_found, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.state import Account, Row


def add_group(account: Account, spec: Row) -> Row:
    """Make a group."""
    group_id = int(spec.get("id") or account.next_id("group"))
    account.reserve_id("group", group_id)
    now = stamp(account.now())
    row = {
        "id": group_id,
        "url": account.url(f"groups/{group_id}"),
        "name": spec.get("name", f"Group {group_id}"),
        "description": "",
        "is_public": True,
        "default": not account.groups,
        "deleted": False,
        "created_at": now,
        "updated_at": now,
    }
    account.groups[group_id] = row
    return row


def add_membership(account: Account, user_id: int, group_id: int) -> Row:
    """Put an agent into a group; twice is once."""
    for known in account.memberships.values():
        if known["user_id"] == user_id and known["group_id"] == group_id:
            return known
    row_id, now = account.next_id("membership"), stamp(account.now())
    first = not account.groups_of(user_id)
    row = {
        "id": row_id,
        "url": account.url(f"group_memberships/{row_id}"),
        "user_id": user_id,
        "group_id": group_id,
        "default": first,
        "created_at": now,
        "updated_at": now,
    }
    account.memberships[row_id] = row
    if first:
        account.users[user_id]["default_group_id"] = group_id
    return row


def add_field(account: Account, kind: str, spec: Row) -> Row:
    """Make a user field or ticket field."""
    field_id, now = account.next_id("field"), stamp(account.now())
    row = {
        "id": field_id,
        "url": account.url(f"{kind}s/{field_id}"),
        "type": spec.get("type", "text"),
        "title": spec.get("title", ""),
        "raw_title": spec.get("title", ""),
        "active": True,
        "created_at": now,
        "updated_at": now,
    }
    if kind == "user_field":
        row["key"] = spec.get("key") or str(spec.get("title", "")).lower().replace(" ", "_")
    (account.user_fields if kind == "user_field" else account.ticket_fields)[field_id] = row
    return row


async def list_groups(call: Call) -> Row:
    call.require_agent()
    rows = [g for g in call.account.groups.values() if not g["deleted"]]
    return page(call.request, call.account, "groups", sorted(rows, key=lambda g: g["id"]), "groups")


async def show_group(call: Call) -> Row:
    call.require_agent()
    row = call.account.groups.get(number(call.path["id"]))
    if row is None:
        raise not_found()
    return {"group": row}


async def create_group(call: Call) -> tuple[int, Row]:
    call.require_admin()
    return 201, {"group": add_group(call.account, call.body.get("group") or {})}


async def list_memberships(call: Call) -> Row:
    call.require_agent()
    user, group = call.path.get("user_id"), call.path.get("group_id")
    rows = [
        m
        for m in call.account.memberships.values()
        if (user is None or m["user_id"] == user) and (group is None or m["group_id"] == group)
    ]
    return page(call.request, call.account, "group_memberships", rows, "group_memberships")


async def create_membership(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values = call.body.get("group_membership") or {}
    user, group = number(values.get("user_id")), number(values.get("group_id"))
    agent = call.account.users.get(user)
    if agent is None or agent["role"] == "end-user" or group not in call.account.groups:
        raise invalid(user_id="User is not an agent, or the group does not exist")
    return 201, {"group_membership": add_membership(call.account, user, group)}


async def delete_membership(call: Call) -> tuple[int, None]:
    """204 at once; the agent's working tickets in that group come back to it."""
    call.require_admin()
    row = call.account.memberships.pop(number(call.path["id"]), None)
    if row is None:
        raise not_found()
    from tools.zendesk_simulator.resources.tickets import unassign

    unassign(call.account, row["user_id"], row["group_id"])
    return 204, None


async def list_roles(call: Call) -> Row:
    call.require_agent()
    rows = list(call.account.custom_roles.values())
    return {"custom_roles": rows, "next_page": None, "previous_page": None, "count": len(rows)}


def _field_routes(kind: str) -> list[object]:
    plural = f"{kind}s"

    def rows(call: Call) -> dict[int, Row]:
        return call.account.user_fields if kind == "user_field" else call.account.ticket_fields

    async def list_fields(call: Call) -> Row:
        call.require_agent()
        return page(call.request, call.account, plural, list(rows(call).values()), plural)

    async def create_field(call: Call) -> tuple[int, Row]:
        call.require_admin()
        return 201, {kind: add_field(call.account, kind, call.body.get(kind) or {})}

    async def show_field(call: Call) -> Row:
        call.require_agent()
        row = rows(call).get(number(call.path["id"]))
        if row is None:
            raise not_found()
        return {kind: row}

    return [
        endpoint("GET", plural, list_fields),
        endpoint("POST", plural, create_field),
        endpoint("GET", plural + "/{id:int}", show_field),
    ]


ROUTES = [
    endpoint("GET", "groups", list_groups),
    endpoint("POST", "groups", create_group),
    endpoint("GET", "groups/{id:int}", show_group),
    endpoint("GET", "group_memberships", list_memberships),
    endpoint("POST", "group_memberships", create_membership),
    endpoint("DELETE", "group_memberships/{id:int}", delete_membership),
    endpoint("GET", "users/{user_id:int}/group_memberships", list_memberships),
    endpoint("GET", "groups/{group_id:int}/memberships", list_memberships),
    endpoint("GET", "custom_roles", list_roles),
    *_field_routes("user_field"),
    *_field_routes("ticket_field"),
]
