"""Legacy custom objects: relationships, and the permissions of types (facts: Zendesk §11, policy §1.7, §3)."""

from __future__ import annotations

import uuid
from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call
from tools.zendesk_simulator.resources.sunshine import (
    admin,
    agent,
    checked_key,
    data_of,
    listed,
    merge_patch,
    not_found,
    object_type,
    refuse,
    route,
    targets,
)
from tools.zendesk_simulator.state import Account, Row

MOST_TYPES = 50
ACTIONS = ("create", "read", "update", "delete")
_OWN = "zen:"
_DEFAULTS = {
    "admin": dict.fromkeys(ACTIONS, True),
    "agent": dict.fromkeys(ACTIONS, True),
    "end_user": dict.fromkeys(ACTIONS, False),
}


def _type(account: Account, key: object) -> Row:
    row = account.tables["sunshine_relations"].get(key)
    if row is None:
        raise not_found()
    return row


async def list_types(call: Call) -> Row:
    agent(call)
    return listed(list(call.account.tables["sunshine_relations"].values()))


async def create_type(call: Call) -> tuple[int, Row]:
    """A target in a list of one means one-to-many."""
    admin(call)
    account, given = call.account, data_of(call)
    rows = account.tables["sunshine_relations"]
    if len(rows) >= MOST_TYPES:
        words = "You have exceeded the maximum number of resources for this account"
        raise refuse(429, "TooManyRequests", words)
    target = given.get("target")
    if isinstance(target, list) and len(target) != 1:
        raise refuse(422, "UnprocessableEntity", "/data/target must be a key, or a list of one key")
    row = {"key": checked_key(given.get("key"), rows), "source": given.get("source"), "target": target}
    for end in (str(row["source"]), *map(str, targets(row))):
        if not end.startswith(_OWN):
            object_type(account, end)
    now = stamp(account.now())
    rows[str(row["key"])] = {**row, "created_at": now, "updated_at": now}
    return 201, {"data": rows[str(row["key"])]}


async def show_type(call: Call) -> Row:
    agent(call)
    return {"data": _type(call.account, call.path["key"])}


async def delete_type(call: Call) -> tuple[int, None]:
    admin(call)
    key = _type(call.account, call.path["key"])["key"]
    if any(r["relationship_type"] == key for r in call.account.tables["sunshine_relationships"].values()):
        raise refuse(422, "UnprocessableEntity", "the type is in use")
    del call.account.tables["sunshine_relations"][key]
    return 204, None


async def list_records(call: Call) -> Row:
    agent(call)
    rows = list(call.account.tables["sunshine_relationships"].values())
    if "type" in call.query:
        _type(call.account, call.query["type"])
        rows = [r for r in rows if r["relationship_type"] == call.query["type"]]
    return listed(rows)


async def of_source(call: Call) -> Row:
    agent(call)
    _type(call.account, call.path["type"])
    known = call.account.tables["sunshine_relationships"].values()
    source = call.path["id"]
    return listed([r for r in known if r["source"] == source and r["relationship_type"] == call.path["type"]])


def _require_end(account: Account, kind: str, end: Any) -> None:
    if kind.startswith(_OWN):
        number = str(end).removeprefix(f"{kind}:")
        rows = account.users if kind == "zen:user" else account.tickets
        if not number.isdigit() or int(number) not in rows:
            raise refuse(422, "UnprocessableEntity", f"`{end}` is no {kind}")
    elif (account.tables["sunshine_records"].get(end) or {}).get("type") != kind:
        raise refuse(422, "UnprocessableEntity", f"`{end}` is no record of `{kind}`")


async def create_record(call: Call) -> tuple[int, Row]:
    agent(call)
    account, given = call.account, data_of(call)
    kind, rows = _type(account, given.get("relationship_type")), account.tables["sunshine_relationships"]
    source, target = given.get("source"), given.get("target")
    _require_end(account, kind["source"], source)
    _require_end(account, targets(kind)[0], target)
    same = [r for r in rows.values() if r["relationship_type"] == kind["key"] and r["source"] == source]
    if any(r["target"] == target for r in same) or (same and not isinstance(kind["target"], list)):
        raise refuse(422, "UnprocessableEntity", "the relationship exists")
    row = {"id": str(uuid.uuid4()), "relationship_type": kind["key"], "source": source, "target": target}
    rows[row["id"]] = {**row, "created_at": stamp(account.now())}
    return 201, {"data": rows[row["id"]]}


async def show_record(call: Call) -> Row:
    agent(call)
    row = call.account.tables["sunshine_relationships"].get(call.path["id"])
    if row is None:
        raise not_found()
    return {"data": row}


async def delete_record(call: Call) -> tuple[int, None]:
    agent(call)
    if call.account.tables["sunshine_relationships"].pop(call.path["id"], None) is None:
        raise not_found()
    return 204, None


def _permissions(call: Call, kind: str) -> Row:
    """Return the permissions of a type, which are Zendesk's defaults until somebody writes them."""
    key = (object_type if kind == "objects" else _type)(call.account, call.path["key"])["key"]
    fresh: Row = {"rbac": {role: dict(row) for role, row in _DEFAULTS.items()}, "rebac": {}}
    return call.account.tables["sunshine_permissions"].setdefault(f"{kind}/{key}", fresh)


def _shown(row: Row, *, always: bool = False) -> Row:
    return {"data": {k: v for k, v in row.items() if v or always}}


def _merge(held: Row, given: Row, where: str) -> None:
    for role, actions in given.items():
        if role == "custom" and isinstance(actions, dict):
            _merge(held.setdefault("custom", {}), actions, f"{where}/custom")
            continue
        if not isinstance(actions, dict):
            raise refuse(422, "UnprocessableEntity", f"{where}/{role} must be an object")
        for action, allowed in actions.items():
            if action not in ACTIONS or not isinstance(allowed, bool):
                words = f"{where}/{role}/{action} must be one of {', '.join(ACTIONS)} and true or false"
                raise refuse(422, "UnprocessableEntity", words)
        if role == "admin" and not all(actions.values()):
            raise refuse(422, "UnprocessableEntity", f"{where}/admin may always do everything")
        held[role] = {**dict.fromkeys(ACTIONS, False), **held.get(role, {}), **actions}


def _permission_routes(kind: str) -> list[Any]:
    async def show(call: Call) -> Row:
        agent(call)
        return _shown(_permissions(call, kind))

    async def change(call: Call) -> Row:
        admin(call)
        merge_patch(call)
        row, given = _permissions(call, kind), data_of(call)
        rbac: Row = {role: dict(actions) for role, actions in row["rbac"].items()}
        _merge(rbac, given.get("rbac") or {}, "/data/rbac")
        rebac: Row = {k: dict(v) for k, v in row["rebac"].items()}
        for name, roles in (given.get("rebac") or {}).items():
            if kind != "objects":
                raise refuse(422, "UnprocessableEntity", "/data/rebac belongs to object types")
            _type(call.account, name)
            _merge(rebac.setdefault(name, {}), roles, f"/data/rebac/{name}")
        row["rbac"], row["rebac"] = rbac, rebac
        return _shown(row, always=kind != "objects")

    path = f"{kind}/types/{{key}}/permissions"
    return [route("GET", path, show), route("PATCH", path, change)]


ROUTES = [
    route("GET", "relationships/types", list_types),
    route("POST", "relationships/types", create_type),
    route("GET", "relationships/types/{key}", show_type),
    route("DELETE", "relationships/types/{key}", delete_type),
    route("GET", "relationships/records", list_records),
    route("POST", "relationships/records", create_record),
    route("GET", "relationships/records/{id}", show_record),
    route("DELETE", "relationships/records/{id}", delete_record),
    route("GET", "objects/records/{id}/relationships/{type}", of_source),
    *_permission_routes("objects"),
    *_permission_routes("relationships"),
]
