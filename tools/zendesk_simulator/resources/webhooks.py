"""Webhooks: CRUD, signing secret, test, invocations and their attempts (facts: Zendesk §9)."""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import newer, not_found
from tools.zendesk_simulator.resources.triggers import ulid
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row
from tools.zendesk_simulator.webhook_request import sign

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FORMATS = ("json", "xml", "form_encoded")
CONDITIONAL = "conditional_ticket_events"
TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105 - published by Zendesk
MOST_OF_TRIALS = 10
_PERMITTED = (
    "name",
    "description",
    "endpoint",
    "http_method",
    "request_format",
    "status",
    "subscriptions",
    "authentication",
    "custom_headers",
)
_REQUIRED = ("name", "endpoint", "http_method", "request_format", "status")


def shown(row: Row) -> Row:
    """Return a webhook as the API shows it: secrets are not echoed."""
    return {k: v for k, v in row.items() if not k.startswith("_")}


def find(call: Call) -> Row:
    """Return the webhook of the path."""
    row = call.account.webhooks.get(call.path["id"])
    if row is None:
        raise not_found()
    return row


def _wrong(text: str) -> Exception:
    return newer(400, "InvalidWebhook", text)


def _check(values: Row, row: Row | None) -> None:
    for name in _REQUIRED if row is None else ():
        if not values.get(name):
            raise _wrong(f"{name} is required")
    if values.get("http_method", "POST") not in METHODS:
        raise _wrong("http_method is not supported")
    if values.get("request_format", "json") not in FORMATS:
        raise _wrong("request_format is not supported")
    if values.get("status", "active") not in ("active", "inactive"):
        raise _wrong("status must be active or inactive")
    address = urlsplit(str(values.get("endpoint", "https://example.invalid")))
    if address.scheme not in ("http", "https") or not address.netloc:
        raise _wrong("endpoint is not a valid URL")
    wanted = values.get("subscriptions") or []
    if CONDITIONAL in wanted and len(wanted) > 1:
        raise _wrong(f"{CONDITIONAL} cannot be combined with other subscriptions")
    if wanted and CONDITIONAL not in wanted and values.get("http_method", "POST") != "POST":
        raise _wrong("event subscriptions need the POST method and the json format")
    changed = row is not None and (CONDITIONAL in wanted) is not (CONDITIONAL in row["subscriptions"])
    if changed and "subscriptions" in values:
        raise _wrong("the connection method of a webhook cannot be changed")


def _authentication(given: Row | None) -> Row | None:
    """Return what is shown of an authentication: the kind and place, never the secret."""
    if not given:
        return None
    data = given.get("data") or {}
    kept = {k: v for k, v in data.items() if k in ("username", "name")}
    return {
        "type": given.get("type"),
        "add_position": given.get("add_position", "header"),
        "data": kept or None,
    }


def _stamp(account: Account) -> str:
    return account.now().strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


async def list_webhooks(call: Call) -> Row:
    require(call, "manage_extensions_and_channels")
    rows = list(call.account.webhooks.values())
    if part := call.query.get("filter[name_contains]"):
        rows = [w for w in rows if part.lower() in w["name"].lower()]
    if status := call.query.get("filter[status]"):
        rows = [w for w in rows if w["status"] == status]
    if (by := str(call.query.get("sort", "")).lstrip("-")) in ("name", "status"):
        rows.sort(key=lambda w: str(w[by]), reverse=call.query["sort"].startswith("-"))
    return cursor_page(call, "webhooks", rows, "webhooks", shown)


def cursor_page(call: Call, member: str, rows: list[Row], path: str, show: Any = None) -> Row:
    """Return a page as the webhooks API writes it: cursors of `<ULID>,desc`, absent members left out."""
    text = call.query.get("page[size]", "")
    size = min(100, int(text)) if text.isdigit() and int(text) else 100
    begin, end = 0, size
    after, before = call.query.get("page[after]"), call.query.get("page[before]")
    if after:
        begin = _position(rows, after) + 1
        end = begin + size
    elif before:
        end = _position(rows, before)
        begin = max(0, end - size)
    page, more = rows[begin:end], end < len(rows)
    meta: Row = {"has_more": more}
    links: Row = {}
    base = f"{call.account.base}:443/api/v2/{path}"
    if page and begin:
        meta["before_cursor"] = _cursor(page[0])
        links["prev"] = f"{base}?page[before]={meta['before_cursor']}&page[size]={size}"
    if page and more:
        meta["after_cursor"] = _cursor(page[-1])
        links["next"] = f"{base}?page[after]={meta['after_cursor']}&page[size]={size}"
    return {member: [show(r) if show else r for r in page], "meta": meta, "links": links}


def _cursor(row: Row) -> str:
    return base64.b64encode(f"{row['id']},desc".encode()).decode()


def _position(rows: list[Row], cursor: str) -> int:
    try:
        wanted = base64.b64decode(cursor).decode().partition(",")[0]
    except ValueError:
        wanted = ""
    found = next((i for i, row in enumerate(rows) if row["id"] == wanted), None)
    if found is None:
        raise newer(400, "InvalidPaginationParameter", "page cursor is not valid")
    return found


async def create_webhook(call: Call) -> tuple[int, Row]:
    require(call, "manage_extensions_and_channels")
    account, values = call.account, wrapped(call, "webhook", _PERMITTED)
    if source := call.query.get("clone_webhook_id"):
        cloned = account.webhooks.get(source)
        if cloned is None:
            raise not_found()
        values = {**shown(cloned), "authentication": cloned.get("_authentication"), **values}
    _check(values, None)
    if account.plan == "trial" and len(account.webhooks) >= MOST_OF_TRIALS:
        raise newer(400, "WebhookLimitReached", f"Trial accounts are limited to {MOST_OF_TRIALS} webhooks")
    now, user = _stamp(account), str((call.user or {}).get("id"))
    row = {
        "id": ulid(account),
        "name": values["name"],
        "description": values.get("description", ""),
        "status": values["status"],
        "subscriptions": list(values.get("subscriptions") or []),
        "endpoint": values["endpoint"],
        "http_method": values["http_method"],
        "request_format": values["request_format"],
        "custom_headers": values.get("custom_headers"),
        "authentication": _authentication(values.get("authentication")),
        "created_at": now,
        "created_by": user,
        "updated_at": now,
        "updated_by": user,
        "_secret": base64.b64encode(secrets.token_bytes(32)).decode(),
        "_authentication": values.get("authentication"),
    }
    account.webhooks[row["id"]] = row
    return 201, {"webhook": shown(row)}


async def show_webhook(call: Call) -> Row:
    require(call, "manage_extensions_and_channels")
    return {"webhook": shown(find(call))}


async def update_webhook(call: Call) -> tuple[int, None]:
    require(call, "manage_extensions_and_channels")
    row, values = find(call), wrapped(call, "webhook", _PERMITTED)
    _check(values, row)
    row.update({k: values[k] for k in _PERMITTED if k in values and k != "authentication"})
    if "authentication" in values:
        row["_authentication"] = values["authentication"]
        row["authentication"] = _authentication(values["authentication"])
    row["updated_at"], row["updated_by"] = _stamp(call.account), str((call.user or {}).get("id"))
    return 204, None


async def delete_webhook(call: Call) -> tuple[int, None]:
    """Refused while a trigger uses it."""
    require(call, "manage_extensions_and_channels")
    row = find(call)
    for trigger in call.account.triggers.values():
        used = (a["value"][0] for a in trigger["actions"] if a["field"] == "notification_webhook")
        if row["id"] in used:
            raise newer(400, "WebhookInUse", "the webhook is used by a trigger")
    del call.account.webhooks[row["id"]]
    return 204, None


async def signing_secret(call: Call) -> Any:
    require(call, "manage_extensions_and_channels")
    row = find(call)
    if call.request.method == "POST":
        row["_secret"] = base64.b64encode(secrets.token_bytes(32)).decode()
    answer = {"signing_secret": {"secret": row["_secret"], "algorithm": "SHA256"}}
    return (201, answer) if call.request.method == "POST" else answer


async def invocations(call: Call) -> Row:
    """Newest first."""
    require(call, "manage_extensions_and_channels")
    row = find(call)
    rows = [i for i in reversed(call.account.invocations) if i["webhook_id"] == row["id"]]
    if status := call.query.get("filter[status]"):
        rows = [i for i in rows if i["status"] == status]

    def show(invocation: Row) -> Row:
        hidden = ("webhook_id", "attempts")
        return {k: v for k, v in invocation.items() if k not in hidden and not k.startswith("_")}

    return cursor_page(call, "invocations", rows, f"webhooks/{row['id']}/invocations", show)


async def attempts(call: Call) -> Row:
    require(call, "manage_extensions_and_channels")
    row, wanted = find(call), call.path["invocation_id"]
    known = (i for i in call.account.invocations if i["webhook_id"] == row["id"] and i["id"] == wanted)
    invocation = next(known, None)
    if invocation is None:
        raise not_found()
    return {"attempts": invocation["attempts"]}


async def test_webhook(call: Call) -> Row:
    """Sends a request now, signed with the published test secret unless a webhook is named."""
    require(call, "manage_extensions_and_channels")
    request, secret = dict(call.body.get("request") or {}), TEST_SECRET
    if webhook_id := call.query.get("webhook_id"):
        row = call.account.webhooks.get(webhook_id)
        if row is None:
            raise not_found()
        request, secret = {**shown(row), **request}, row["_secret"]
    _check({"name": "test", "status": "active", **request}, None)
    body = str(request.get("payload") or "{}").encode()
    timestamp = stamp(call.account.now())
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Zendesk Webhook",
        "x-zendesk-account-id": str(call.account.id),
        "x-zendesk-webhook-signature": sign(secret, timestamp, body),
        "x-zendesk-webhook-signature-timestamp": timestamp,
    }
    http: httpx2.AsyncClient = call.request.scope["zendesk_http"]
    try:
        answer = await http.request(
            request["http_method"], request["endpoint"], content=body, headers=headers
        )
    except httpx2.TransportError as error:
        raise newer(
            400, "WebhookTestFailed", f"the endpoint did not answer: {type(error).__name__}"
        ) from None
    told = [{"key": k, "value": v} for k, v in answer.headers.items()]
    return {
        "response": {
            "status": answer.reason_phrase,
            "status_code": answer.status_code,
            "headers": told,
            "payload": answer.text,
        }
    }


ROUTES = [
    endpoint("GET", "webhooks", list_webhooks),
    endpoint("POST", "webhooks", create_webhook),
    endpoint("POST", "webhooks/test", test_webhook),
    endpoint("GET", "webhooks/{id}", show_webhook),
    endpoint("PUT PATCH", "webhooks/{id}", update_webhook),
    endpoint("DELETE", "webhooks/{id}", delete_webhook),
    endpoint("GET POST", "webhooks/{id}/signing_secret", signing_secret),
    endpoint("GET", "webhooks/{id}/invocations", invocations),
    endpoint("GET", "webhooks/{id}/invocations/{invocation_id}/attempts", attempts),
]
