"""Triggers: CRUD, and what they do when a ticket is created or changed (facts: Zendesk §8)."""

from __future__ import annotations

import re
from typing import Any

from libs.kernel.ids import RandomIds
from tools.zendesk_simulator.bodies import find, rows_of, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.conditions import Moment, known, match
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, number, wrong_type
from tools.zendesk_simulator.paging import ids_of, page
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

_PLACEHOLDER = re.compile(r"\{\{\s*ticket\.([a-z_.]+)\s*\}\}")
_PERMITTED = ("title", "active", "conditions", "actions", "description", "position", "category_id")
_FIELDS = ("status", "priority", "type", "group_id", "assignee_id", "custom_status_id")
_TAGS = {"current_tags": "additional_tags", "set_tags": "tags", "remove_tags": "remove_tags"}


def ulid(account: Account) -> str:
    """Return a ULID."""
    return RandomIds(account.clock).new("x")[2:].upper()


def filled(ticket: Row, template: str) -> str:
    """Replace the placeholders of a template."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in ("status", "priority", "type"):
            return str(ticket[name] or "").title()
        if name.endswith("_with_timestamp"):
            return str(ticket[name.removesuffix("_with_timestamp")])
        if name == "tags":
            return " ".join(ticket["tags"])
        if "." in name:
            return str(ticket.get(name.replace(".", "_")) or "")
        return str(ticket.get(name) if ticket.get(name) is not None else "")

    return _PLACEHOLDER.sub(value, template)


def fire(
    account: Account,
    ticket: Row,
    update: str,
    changes: dict[str, Any],
    done: set[int] | None = None,
    public: bool | None = None,
) -> Row | None:
    """Run the active triggers, in their order, up to the first that changes the ticket.

    Args:
        changes: previous values of what this update changed.
        done: triggers that ran already in this update; those that run now are added.
        public: whether the update's comment is public.

    Returns:
        What the ticket is to be changed to; None when no trigger is left that changes it.
    """
    done, moment = set() if done is None else done, Moment(changes, update, public=public)
    for trigger in sorted(account.triggers.values(), key=lambda t: t["position"]):
        if trigger["id"] in done or not trigger["active"]:
            continue
        if not match(account, ticket, trigger["conditions"], moment):
            continue
        done.add(trigger["id"])
        if values := _act(account, ticket, trigger["actions"]):
            return values
    return None


def _act(account: Account, ticket: Row, actions: list[Row]) -> Row:
    values: Row = {}
    for action in actions:
        field, value = action["field"], action["value"]
        if field == "notification_webhook":
            account.outbox.append((value[0], filled(ticket, value[1]).encode()))
        elif field in _FIELDS:
            values[field] = value if value != "" else None
        elif field in _TAGS:
            values[_TAGS[field]] = value
        elif str(field).startswith("custom_fields_"):
            fields = values.setdefault("custom_fields", [])
            fields.append({"id": int(field.removeprefix("custom_fields_")), "value": value})
    return values


def _check(call: Call, values: Row, row: Row | None) -> None:
    action = f"api/v2/rules/triggers/{'create' if row is None else 'update'}"
    if (row is None or "title" in values) and not str(values.get("title") or "").strip():
        raise invalid("BlankValue", title="Title: cannot be blank")
    conditions = values.get("conditions")
    if "conditions" in values and not isinstance(conditions, dict):
        raise wrong_type("trigger.conditions", "a hash", action)
    for condition in [*((conditions or {}).get("all") or ()), *((conditions or {}).get("any") or ())]:
        if not known(condition):
            raise invalid(base=f"Invalid condition: {condition.get('field')} {condition.get('operator')}")
    if row is None and not values.get("actions"):
        raise invalid("BlankValue", base="Actions: must have at least one action")
    for one in values.get("actions") or ():
        if not isinstance(one, dict) or "field" not in one or "value" not in one:
            raise wrong_type("trigger.actions", "an array", action)
        if one["field"] == "notification_webhook" and one["value"][0] not in call.account.webhooks:
            raise invalid(base="Actions: the webhook does not exist")


def _ordered(call: Call) -> list[Row]:
    return list(call.account.triggers.values())


async def list_triggers(call: Call) -> Row:
    call.require_agent()
    rows, path = _ordered(call), "triggers"
    if call.request.url.path.endswith("/active"):
        rows, path = [t for t in rows if t["active"]], "triggers/active"
    elif "active" in call.query:
        rows = [t for t in rows if t["active"] is (call.query["active"] == "true")]
    return page(call.request, call.account, "triggers", rows, path)


async def search(call: Call) -> Row:
    call.require_agent()
    text = str(call.query.get("query", "")).lower()
    rows = [t for t in _ordered(call) if text in t["title"].lower()]
    return page(call.request, call.account, "triggers", rows, "triggers/search")


async def create_trigger(call: Call) -> tuple[int, Row]:
    require(call, "manage_triggers")
    values, now = wrapped(call, "trigger", _PERMITTED), stamp(call.account.now())
    _check(call, values, None)
    trigger_id = call.account.next_id("trigger")
    given = values.get("conditions") or {}
    row = {
        "id": trigger_id,
        "url": call.account.url(f"triggers/{trigger_id}"),
        "title": values["title"],
        "raw_title": values["title"],
        "active": values.get("active", True),
        "default": False,
        "position": values.get("position", len(call.account.triggers) + 1),
        "category_id": values.get("category_id"),
        "conditions": {"all": given.get("all") or [], "any": given.get("any") or []},
        "actions": values["actions"],
        "description": values.get("description"),
        "created_at": now,
        "updated_at": now,
    }
    call.account.triggers[trigger_id] = row
    return 201, {"trigger": row}


async def show_trigger(call: Call) -> Row:
    call.require_agent()
    return {"trigger": find(call.account.triggers, call.path["id"])}


def _write(account: Account, row: Row, values: Row) -> None:
    row.update({k: values[k] for k in _PERMITTED if k in values})
    row["raw_title"], row["updated_at"] = row["title"], stamp(account.now())


async def update_trigger(call: Call) -> Row:
    require(call, "manage_triggers")
    row, values = find(call.account.triggers, call.path["id"]), wrapped(call, "trigger", _PERMITTED)
    _check(call, values, row)
    _write(call.account, row, values)
    return {"trigger": row}


async def update_many(call: Call) -> Row:
    require(call, "manage_triggers")
    changed = []
    for values in rows_of(call, "triggers"):
        row = find(call.account.triggers, number(values.get("id")))
        _write(
            call.account, row, {k: values[k] for k in ("active", "position", "category_id") if k in values}
        )
        changed.append(row)
    return {"triggers": changed, "next_page": None, "previous_page": None, "count": len(changed)}


async def reorder(call: Call) -> Row:
    require(call, "manage_triggers")
    row: Row = {}
    for place, trigger_id in enumerate(call.body.get("trigger_ids") or [], 1):
        row = find(call.account.triggers, number(trigger_id))
        row["position"] = place
    return {"triggers": _ordered(call), "count": len(call.account.triggers)}


async def delete_trigger(call: Call) -> tuple[int, None]:
    require(call, "manage_triggers")
    del call.account.triggers[find(call.account.triggers, call.path["id"])["id"]]
    return 204, None


async def destroy_many(call: Call) -> tuple[int, None]:
    require(call, "manage_triggers")
    for trigger_id in ids_of(call.request):
        call.account.triggers.pop(trigger_id, None)
    return 204, None


ROUTES = [
    endpoint("GET", "triggers", list_triggers),
    endpoint("POST", "triggers", create_trigger),
    endpoint("GET", "triggers/active", list_triggers),
    endpoint("GET", "triggers/search", search),
    endpoint("PUT", "triggers/reorder", reorder),
    endpoint("PUT", "triggers/update_many", update_many),
    endpoint("DELETE", "triggers/destroy_many", destroy_many),
    endpoint("GET", "triggers/{id:int}", show_trigger),
    endpoint("PUT", "triggers/{id:int}", update_trigger),
    endpoint("DELETE", "triggers/{id:int}", delete_trigger),
]
