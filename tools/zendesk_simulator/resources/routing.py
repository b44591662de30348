"""Skills: attributes and their values (facts: Zendesk §6)."""

from __future__ import annotations

import uuid

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, invalid
from tools.zendesk_simulator.paging import one_page
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row


def log(account: Account, stream: str, kind: str, row_id: str, **more: str) -> None:
    """Put an event at the end of one of the routing streams."""
    now = account.now()
    event = {"id": row_id, "time": stamp(now), "type": kind, **more, "at": int(now.timestamp())}
    account.streams[f"routing/{stream}"].append(event)


def _new(account: Account, path: str, name: str) -> Row:
    row_id, now = str(uuid.uuid4()), stamp(account.now())
    return {
        "url": account.url(f"{path}/{row_id}"),
        "id": row_id,
        "name": name,
        "created_at": now,
        "updated_at": now,
    }


def add_attribute(account: Account, name: str) -> Row:
    """Make an attribute (a skill type)."""
    row = _new(account, "routing/attributes", name)
    account.tables["attributes"][row["id"]] = row
    log(account, "attributes", "create", row["id"], name=name)
    return row


def add_value(account: Account, attribute_id: str, name: str) -> Row:
    """Make an attribute value (a skill)."""
    row = _new(account, f"routing/attributes/{attribute_id}/values", name)
    row["attribute_id"] = attribute_id
    account.tables["attribute_values"][row["id"]] = row
    log(account, "attribute_values", "create", row["id"], attribute_id=attribute_id, name=name)
    return row


def shown(value: Row) -> Row:
    """Return a value as the endpoints of attributes and agents show it."""
    return {k: v for k, v in value.items() if k != "attribute_id"}


def _found(rows: dict[str, Row], key: object) -> Row:
    row = rows.get(str(key))
    if row is None:
        raise Refusal(404, {"error": {"title": "Record not found", "message": "Record not found"}})
    return row


def _attribute(call: Call) -> Row:
    return _found(call.account.tables["attributes"], call.path["id"])


def _values(call: Call) -> dict[str, Row]:
    attribute = _attribute(call)["id"]
    values = call.account.tables["attribute_values"]
    return {i: v for i, v in values.items() if v["attribute_id"] == attribute}


def _name(call: Call, member: str, taken: list[str]) -> str:
    name = str(wrapped(call, member).get("name") or "").strip()
    if not name:
        raise invalid("BlankValue", name="Name: cannot be blank")
    if name.lower() in taken:
        raise invalid("DuplicateValue", name="Name: has already been taken")
    return name


async def list_attributes(call: Call) -> Row:
    call.require_agent()
    return one_page("attributes", list(call.account.tables["attributes"].values()))


async def create_attribute(call: Call) -> tuple[int, Row]:
    require(call, "manage_skills")
    taken = [a["name"].lower() for a in call.account.tables["attributes"].values()]
    return 201, {"attribute": add_attribute(call.account, _name(call, "attribute", taken))}


async def show_attribute(call: Call) -> Row:
    call.require_agent()
    return {"attribute": _attribute(call)}


async def update_attribute(call: Call) -> Row:
    require(call, "manage_skills")
    row = _attribute(call)
    row["name"], row["updated_at"] = _name(call, "attribute", []), stamp(call.account.now())
    log(call.account, "attributes", "update", row["id"], name=row["name"])
    return {"attribute": row}


async def delete_attribute(call: Call) -> tuple[int, None]:
    require(call, "manage_skills")
    row = _attribute(call)
    for value_id in _values(call):
        _drop_value(call.account, value_id)
    del call.account.tables["attributes"][row["id"]]
    log(call.account, "attributes", "delete", row["id"], name=row["name"])
    return 204, None


async def definitions(call: Call) -> Row:
    """What conditions of skills may test."""
    call.require_agent()
    operators = [
        {"value": "includes", "title": "Contains"},
        {"value": "not_includes", "title": "Contains none of"},
    ]
    tags = {
        "title": "Tags",
        "subject": "current_tags",
        "type": "text",
        "group": "ticket",
        "nullable": False,
        "repeatable": True,
        "operators": operators,
        "values": [],
    }
    return {"definitions": {"conditions_all": [tags], "conditions_any": [tags]}}


async def list_values(call: Call) -> Row:
    call.require_agent()
    return one_page("attribute_values", [shown(v) for v in _values(call).values()])


async def create_value(call: Call) -> tuple[int, Row]:
    require(call, "manage_skills")
    attribute = _attribute(call)
    name = _name(call, "attribute_value", [v["name"].lower() for v in _values(call).values()])
    return 201, {"attribute_value": shown(add_value(call.account, attribute["id"], name))}


async def show_value(call: Call) -> Row:
    call.require_agent()
    return {"attribute_value": shown(_found(_values(call), call.path["value_id"]))}


async def update_value(call: Call) -> Row:
    require(call, "manage_skills")
    row = _found(_values(call), call.path["value_id"])
    row["name"], row["updated_at"] = _name(call, "attribute_value", []), stamp(call.account.now())
    log(
        call.account,
        "attribute_values",
        "update",
        row["id"],
        attribute_id=row["attribute_id"],
        name=row["name"],
    )
    return {"attribute_value": shown(row)}


async def delete_value(call: Call) -> tuple[int, None]:
    require(call, "manage_skills")
    _drop_value(call.account, _found(_values(call), call.path["value_id"])["id"])
    return 204, None


def _drop_value(account: Account, value_id: str) -> None:
    """Delete a value, and take it from agents and tickets."""
    from tools.zendesk_simulator.resources.routing_values import take_away

    row = account.tables["attribute_values"].pop(value_id)
    take_away(account, value_id)
    log(account, "attribute_values", "delete", value_id, attribute_id=row["attribute_id"], name=row["name"])


_ONE = "routing/attributes/{id}"
ROUTES = [
    endpoint("GET", "routing/attributes", list_attributes),
    endpoint("POST", "routing/attributes", create_attribute),
    endpoint("GET", "routing/attributes/definitions", definitions),
    endpoint("GET", _ONE, show_attribute),
    endpoint("PUT", _ONE, update_attribute),
    endpoint("DELETE", _ONE, delete_attribute),
    endpoint("GET", _ONE + "/values", list_values),
    endpoint("POST", _ONE + "/values", create_value),
    endpoint("GET", _ONE + "/values/{value_id}", show_value),
    endpoint("PATCH PUT", _ONE + "/values/{value_id}", update_value),
    endpoint("DELETE", _ONE + "/values/{value_id}", delete_value),
]
