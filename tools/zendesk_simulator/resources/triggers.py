"""Triggers and webhooks (facts: Zendesk §8, §9)."""

from __future__ import annotations

import re
import secrets
from typing import Any

from libs.kernel.ids import RandomIds
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.conditions import match
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import not_found, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.state import Account, Row

_PLACEHOLDER = re.compile(r"\{\{\s*ticket\.([a-z_.]+)\s*\}\}")


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
        if "." in name:
            return str(ticket.get(name.replace(".", "_")) or "")
        return str(ticket.get(name) if ticket.get(name) is not None else "")

    return _PLACEHOLDER.sub(value, template)


def fire(account: Account, ticket: Row, update: str, changes: dict[str, Any]) -> None:
    """Run every active trigger on a ticket that was created or changed."""
    for trigger in account.triggers.values():
        if not trigger["active"] or not match(account, ticket, trigger["conditions"], changes, update):
            continue
        for action in trigger["actions"]:
            if action["field"] == "notification_webhook":
                webhook_id, template = action["value"][0], action["value"][1]
                account.outbox.append((webhook_id, filled(ticket, template).encode()))


def _trigger(call: Call) -> Row:
    row = call.account.triggers.get(number(call.path["id"]))
    if row is None:
        raise not_found()
    return row


async def list_triggers(call: Call) -> Row:
    call.require_agent()
    return page(call.request, call.account, "triggers", list(call.account.triggers.values()), "triggers")


async def create_trigger(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values, now = call.body.get("trigger") or {}, stamp(call.account.now())
    trigger_id = call.account.next_id("trigger")
    row = {
        "id": trigger_id,
        "url": call.account.url(f"triggers/{trigger_id}"),
        "title": values.get("title", ""),
        "active": values.get("active", True),
        "position": len(call.account.triggers) + 1,
        "conditions": values.get("conditions") or {"all": [], "any": []},
        "actions": values.get("actions") or [],
        "description": values.get("description"),
        "created_at": now,
        "updated_at": now,
    }
    call.account.triggers[trigger_id] = row
    return 201, {"trigger": row}


async def show_trigger(call: Call) -> Row:
    call.require_agent()
    return {"trigger": _trigger(call)}


async def update_trigger(call: Call) -> Row:
    call.require_admin()
    row = _trigger(call)
    values = call.body.get("trigger") or {}
    row.update(
        {k: values[k] for k in ("title", "active", "conditions", "actions", "description") if k in values}
    )
    return {"trigger": row}


async def delete_trigger(call: Call) -> tuple[int, None]:
    call.require_admin()
    del call.account.triggers[_trigger(call)["id"]]
    return 204, None


def _webhook(call: Call) -> Row:
    row = call.account.webhooks.get(call.path["id"])
    if row is None:
        raise not_found()
    return row


def _shown(row: Row) -> Row:
    return {k: v for k, v in row.items() if k != "_secret"}


async def list_webhooks(call: Call) -> Row:
    call.require_admin()
    rows = [_shown(w) for w in call.account.webhooks.values()]
    return {"webhooks": rows, "meta": {"has_more": False}, "links": {}}


async def create_webhook(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values, account = call.body.get("webhook") or {}, call.account
    row = {
        "id": ulid(account),
        "name": values.get("name", ""),
        "status": values.get("status", "active"),
        "subscriptions": values.get("subscriptions", []),
        "endpoint": values.get("endpoint", ""),
        "http_method": values.get("http_method", "POST"),
        "request_format": values.get("request_format", "json"),
        "created_at": account.now().strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
        "created_by": str((call.user or {}).get("id")),
        "_secret": secrets.token_urlsafe(32) + "=",
    }
    account.webhooks[row["id"]] = row
    return 201, {"webhook": _shown(row)}


async def show_webhook(call: Call) -> Row:
    call.require_admin()
    return {"webhook": _shown(_webhook(call))}


async def update_webhook(call: Call) -> tuple[int, None]:
    call.require_admin()
    row, values = _webhook(call), call.body.get("webhook") or {}
    row.update({k: values[k] for k in ("name", "status", "endpoint", "http_method") if k in values})
    return 204, None


async def delete_webhook(call: Call) -> tuple[int, None]:
    call.require_admin()
    del call.account.webhooks[_webhook(call)["id"]]
    return 204, None


async def signing_secret(call: Call) -> Any:
    call.require_admin()
    row = _webhook(call)
    if call.request.method == "POST":
        row["_secret"] = secrets.token_urlsafe(32) + "="
    answer = {"signing_secret": {"secret": row["_secret"], "algorithm": "SHA256"}}
    return (201, answer) if call.request.method == "POST" else answer


async def invocations(call: Call) -> Row:
    call.require_admin()
    rows = [i for i in call.account.invocations if i["webhook_id"] == call.path["id"]]
    shown = [
        {k: v for k, v in i.items() if k not in ("webhook_id", "attempts")} for i in reversed(rows[-100:])
    ]
    return {"invocations": shown, "meta": {"has_more": False}, "links": {}}


ROUTES = [
    endpoint("GET", "triggers", list_triggers),
    endpoint("POST", "triggers", create_trigger),
    endpoint("GET", "triggers/{id:int}", show_trigger),
    endpoint("PUT", "triggers/{id:int}", update_trigger),
    endpoint("DELETE", "triggers/{id:int}", delete_trigger),
    endpoint("GET", "webhooks", list_webhooks),
    endpoint("POST", "webhooks", create_webhook),
    endpoint("GET", "webhooks/{id}", show_webhook),
    endpoint("PUT PATCH", "webhooks/{id}", update_webhook),
    endpoint("DELETE", "webhooks/{id}", delete_webhook),
    endpoint("GET POST", "webhooks/{id}/signing_secret", signing_secret),
    endpoint("GET", "webhooks/{id}/invocations", invocations),
]
