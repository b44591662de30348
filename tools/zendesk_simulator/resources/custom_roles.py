"""Custom roles of Enterprise accounts (facts: Zendesk §5)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.state import Account, Row

CONFIGURATION = {
    "ticket_access": "all",
    "view_access": "full",
    "end_user_profile_access": "edit",
    "end_user_list_access": "full",
    "manage_team_members": "none",
    "assign_tickets_to_any_group": False,
    "ticket_editing": True,
    "ticket_deletion": False,
    "ticket_redaction": False,
    "view_deleted_tickets": False,
    "ticket_merge": False,
    "manage_skills": False,
    "manage_groups": False,
    "manage_group_memberships": False,
    "manage_triggers": False,
    "manage_user_fields": False,
    "manage_ticket_fields": False,
    "manage_extensions_and_channels": False,
    "light_agent": False,
    "custom_objects": {},
}
_PERMITTED = ("name", "description", "configuration", "role_type")


def add_role(account: Account, spec: Row) -> Row:
    """Make a custom role."""
    role_id, now = int(spec.get("id") or account.next_id("custom_role")), stamp(account.now())
    account.reserve_id("custom_role", role_id)
    row = {
        "id": role_id,
        "name": spec.get("name", f"Role {role_id}"),
        "description": spec.get("description", ""),
        "role_type": spec.get("role_type", 0),
        "created_at": now,
        "updated_at": now,
        "configuration": {**CONFIGURATION, **(spec.get("configuration") or {})},
    }
    account.custom_roles[role_id] = row
    return row


def show(account: Account, row: Row) -> Row:
    """Return a role with the number of its members; what a seed left out is filled in."""
    members = sum(u["custom_role_id"] == row["id"] and u["active"] for u in account.users.values())
    base = {"name": f"Role {row['id']}", "description": "", "role_type": 0, "configuration": CONFIGURATION}
    return {**base, **row, "team_member_count": members}


async def list_roles(call: Call) -> Row:
    call.require_agent()
    rows = [show(call.account, r) for r in call.account.custom_roles.values()]
    return {"custom_roles": rows, "next_page": None, "previous_page": None, "count": len(rows)}


async def show_role(call: Call) -> Row:
    call.require_agent()
    return {"custom_role": show(call.account, find(call.account.custom_roles, call.path["id"]))}


async def create_role(call: Call) -> Row:
    """200, as the reference says."""
    call.require_admin()
    values = wrapped(call, "custom_role", _PERMITTED)
    if not values.get("name"):
        raise invalid("BlankValue", name="Name: cannot be blank")
    return {"custom_role": show(call.account, add_role(call.account, values))}


async def update_role(call: Call) -> Row:
    call.require_admin()
    row = find(call.account.custom_roles, call.path["id"])
    values = wrapped(call, "custom_role", _PERMITTED)
    row.update({k: values[k] for k in ("name", "description") if k in values})
    row["configuration"] = {**row.get("configuration", CONFIGURATION), **(values.get("configuration") or {})}
    row["updated_at"] = stamp(call.account.now())
    return {"custom_role": show(call.account, row)}


async def delete_role(call: Call) -> tuple[int, None]:
    """Refused while it has members."""
    call.require_admin()
    row = find(call.account.custom_roles, call.path["id"])
    if show(call.account, row)["team_member_count"]:
        raise invalid(base="Role: cannot be deleted while it is assigned to team members")
    del call.account.custom_roles[row["id"]]
    return 204, None


ROUTES = [
    endpoint("GET", "custom_roles", list_roles),
    endpoint("POST", "custom_roles", create_role),
    endpoint("GET", "custom_roles/{id:int}", show_role),
    endpoint("PUT", "custom_roles/{id:int}", update_role),
    endpoint("DELETE", "custom_roles/{id:int}", delete_role),
]
