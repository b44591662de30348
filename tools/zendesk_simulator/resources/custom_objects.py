"""Custom objects of today: their definitions and permission policies (facts: Zendesk §11)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, newer, not_found
from tools.zendesk_simulator.state import Account, Row

ACTIONS = ("create", "read", "update", "delete")
LEVELS = ("none", "full")
_MEMBERS = ("title", "title_pluralized", "description", "include_in_list_view")


def _object(call: Call) -> Row:
    row = call.account.tables["custom_objects"].get(call.path["key"])
    if row is None:
        raise not_found()
    return row


async def list_objects(call: Call) -> Row:
    call.require_agent()
    return {"custom_objects": list(call.account.tables["custom_objects"].values())}


async def create_object(call: Call) -> tuple[int, Row]:
    call.require_admin()
    account, values = call.account, wrapped(call, "custom_object", (*_MEMBERS, "key"))
    for name in ("key", "title", "title_pluralized"):
        if not values.get(name):
            raise invalid("BlankValue", **{name: f"{name.replace('_', ' ').capitalize()}: cannot be blank"})
    if values["key"] in account.tables["custom_objects"]:
        raise invalid("DuplicateValue", key="Key: has already been taken")
    now, user = stamp(account.now()), str((call.user or {}).get("id"))
    row = {
        "url": account.url(f"custom_objects/{values['key']}"),
        "key": values["key"],
        "title": values["title"],
        "raw_title": values["title"],
        "title_pluralized": values["title_pluralized"],
        "raw_title_pluralized": values["title_pluralized"],
        "description": values.get("description", ""),
        "raw_description": values.get("description", ""),
        "include_in_list_view": bool(values.get("include_in_list_view", False)),
        "created_at": now,
        "updated_at": now,
        "created_by_user_id": user,
        "updated_by_user_id": user,
    }
    account.tables["custom_objects"][row["key"]] = row
    return 201, {"custom_object": row}


async def show_object(call: Call) -> Row:
    call.require_agent()
    return {"custom_object": _object(call)}


async def update_object(call: Call) -> Row:
    call.require_admin()
    row, values = _object(call), wrapped(call, "custom_object", _MEMBERS)
    row.update({k: values[k] for k in _MEMBERS if k in values})
    row["updated_at"] = stamp(call.account.now())
    return {"custom_object": row}


async def delete_object(call: Call) -> tuple[int, None]:
    call.require_admin()
    del call.account.tables["custom_objects"][_object(call)["key"]]
    return 204, None


def _policies(account: Account, key: str) -> dict[str, Row]:
    """Return the policies of an object: one per custom role and one for end users; administrators have all."""
    held: dict[str, Row] = account.tables["permission_policies"].setdefault(key, {})
    for name in (*(f"custom-role-{i}" for i in account.custom_roles), "end-user"):
        level = "none" if name == "end-user" else "full"
        held.setdefault(name, {"id": name, "role_id": name, **dict.fromkeys(ACTIONS, level)})
    return held


async def list_policies(call: Call) -> Row:
    call.require_agent()
    rows = list(_policies(call.account, _object(call)["key"]).values())
    return {"permission_policies": rows}


def _policy(call: Call) -> Row:
    row = _policies(call.account, _object(call)["key"]).get(call.path["id"])
    if row is None:
        raise not_found()
    return row


async def show_policy(call: Call) -> Row:
    call.require_agent()
    return {"permission_policy": _policy(call)}


async def update_policy(call: Call) -> Row:
    """Any write needs read; write in full needs read in full; else an access rule bounds it."""
    call.require_admin()
    row = _policy(call)
    given: dict[str, Any] = {k: v for k, v in wrapped(call, "permission_policy").items() if k in ACTIONS}
    rules = call.account.tables["access_rules"].setdefault(call.path["key"], {})
    for action, level in given.items():
        if level not in LEVELS and str(level) not in rules:
            raise newer(422, "InvalidValue", f"{action} must be none, full or the id of an access rule")
    wanted = {**row, **given}
    writes = [a for a in ACTIONS if a != "read" and wanted[a] != "none"]
    if writes and wanted["read"] == "none":
        raise newer(422, "InvalidValue", f"{writes[0]} needs read")
    if any(wanted[a] == "full" for a in writes) and wanted["read"] != "full":
        raise newer(422, "InvalidValue", "full access needs read in full")
    row.update(given)
    return {"permission_policy": row}


async def list_rules(call: Call) -> Row:
    call.require_agent()
    return {
        "access_rules": list(
            call.account.tables["access_rules"].setdefault(_object(call)["key"], {}).values()
        )
    }


async def create_rule(call: Call) -> tuple[int, Row]:
    call.require_admin()
    account, values = call.account, wrapped(call, "access_rule", ("title", "conditions"))
    if not isinstance(values.get("conditions"), dict):
        raise newer(422, "InvalidValue", "conditions must be an object")
    rules = account.tables["access_rules"].setdefault(_object(call)["key"], {})
    row = {"id": str(account.next_id("access_rule")), "title": values.get("title", "")}
    rules[row["id"]] = {**row, "conditions": values["conditions"]}
    return 201, {"access_rule": rules[row["id"]]}


_ONE = "custom_objects/{key}"
ROUTES = [
    endpoint("GET", "custom_objects", list_objects),
    endpoint("POST", "custom_objects", create_object),
    endpoint("GET", _ONE, show_object),
    endpoint("PATCH", _ONE, update_object),
    endpoint("DELETE", _ONE, delete_object),
    endpoint("GET", _ONE + "/permission_policies", list_policies),
    endpoint("GET", _ONE + "/permission_policies/{id}", show_policy),
    endpoint("PATCH", _ONE + "/permission_policies/{id}", update_policy),
    endpoint("GET", _ONE + "/access_rules", list_rules),
    endpoint("POST", _ONE + "/access_rules", create_rule),
]
