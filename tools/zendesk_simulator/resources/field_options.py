"""Options of drop-down fields (facts: Zendesk §5)."""

from __future__ import annotations

import functools

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.fields import rows_of_kind
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Row


def _options(call: Call, kind: str) -> tuple[Row, list[Row]]:
    row = find(rows_of_kind(call.account, kind), call.path["field_id"])
    known: list[Row] = row.setdefault("custom_field_options", [])
    return row, known


async def list_options(call: Call, kind: str) -> Row:
    call.require_agent()
    path = f"{kind}s/{call.path['field_id']}/options"
    return page(call.request, call.account, "custom_field_options", _options(call, kind)[1], path)


async def show_option(call: Call, kind: str) -> Row:
    call.require_agent()
    return {"custom_field_option": find({o["id"]: o for o in _options(call, kind)[1]}, call.path["id"])}


async def write_option(call: Call, kind: str) -> tuple[int, Row]:
    """With an id 200 and changed, without 201 and made."""
    require(call, f"manage_{kind}s")
    _, known = _options(call, kind)
    values = wrapped(call, "custom_field_option")
    if not values.get("name") or not values.get("value"):
        raise invalid("BlankValue", name="Name: cannot be blank")
    if values.get("id"):
        option = find({o["id"]: o for o in known}, number(values["id"]))
        option |= {"name": values["name"], "raw_name": values["name"], "value": values["value"]}
        return 200, {"custom_field_option": option}
    made = {"id": call.account.next_id("option"), "position": len(known), "default": False}
    made |= {"name": values["name"], "raw_name": values["name"], "value": values["value"]}
    known.append(made)
    return 201, {"custom_field_option": made}


async def delete_option(call: Call, kind: str) -> tuple[int, None]:
    require(call, f"manage_{kind}s")
    _, known = _options(call, kind)
    known.remove(find({o["id"]: o for o in known}, call.path["id"]))
    return 204, None


ROUTES = [
    endpoint(method, f"{kind}s/{{field_id:int}}/options{one}", functools.partial(handler, kind=kind))
    for kind in ("ticket_field", "user_field")
    for method, one, handler in (
        ("GET", "", list_options),
        ("POST", "", write_option),
        ("GET", "/{id:int}", show_option),
        ("DELETE", "/{id:int}", delete_option),
    )
]
