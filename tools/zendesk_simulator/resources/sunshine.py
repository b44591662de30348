"""Legacy custom objects: object types and records (facts: Zendesk §11, policy §3; only what our sync needs)."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, Handler, endpoint
from tools.zendesk_simulator.errors import Refusal
from tools.zendesk_simulator.state import Account, Row

PREFIX = "/api/sunshine/"
MOST_BYTES = 32_768
RECORDS = {"team": 100_000, "growth": 100_000, "professional": 250_000, "enterprise": 1_000_000}
RECORDS_OF_THE_REST = 25_000_000
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,31}")
_CONTROL = re.compile(r"[\x00-\x1f]")


def refuse(status: int, code: str, message: str) -> Refusal:
    """Return a refusal in Sunshine's shape."""
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code)
    return Refusal(
        status, {"errors": [{"code": code, "status": str(status), "title": title, "message": message}]}
    )


def not_found() -> Refusal:
    """No such thing."""
    return refuse(404, "NotFound", "The resource could not be found")


def route(methods: str, path: str, handler: Handler) -> Any:
    """Return a route under Sunshine's own prefix."""
    return endpoint(methods, path, handler, prefix=PREFIX)


def data_of(call: Call) -> Row:
    """Return the `data` of a body.

    Raises:
        Refusal: 400, it has none.
    """
    value = call.body.get("data")
    if not isinstance(value, dict):
        raise refuse(400, "BadRequest", "the body must have an object `data`")
    for name in ("key", "type", "relationship_type", "source", "external_id"):
        if not isinstance(value.get(name), str | None):
            raise refuse(422, "UnprocessableEntity", f"/data/{name} must be a text")
    return value


def merge_patch(call: Call) -> None:
    """Refuse a PATCH that is no merge patch."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in ("application/merge-patch+json", "application/json"):
        raise refuse(415, "UnsupportedMediaType", "use application/merge-patch+json")


def admin(call: Call) -> None:
    """Refuse everybody but administrators."""
    if call.user is None:
        raise refuse(401, "Unauthorized", "sign in")
    if call.user["role"] != "admin":
        raise refuse(403, "Forbidden", "only administrators may do this")


def agent(call: Call) -> None:
    """Refuse end users."""
    if call.user is None:
        raise refuse(401, "Unauthorized", "sign in")
    if call.user["role"] == "end-user":
        raise refuse(403, "Forbidden", "only agents may do this")


def checked_key(key: object, taken: dict[Any, Row]) -> str:
    """Return a type's key: 2 to 32 characters; `zen:` names Zendesk's own."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise refuse(422, "UnprocessableEntity", "/data/key must have 2 to 32 letters, digits, - or _")
    if key in taken:
        raise refuse(422, "UnprocessableEntity", f"/data/key `{key}` is taken")
    return key


def listed(rows: list[Row]) -> Row:
    """Return a list; it fits on one page here."""
    return {"data": rows, "links": {"previous": None, "next": None}}


def _schema(value: object) -> Row:
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("properties"), dict)
        or not value["properties"]
    ):
        raise refuse(422, "UnprocessableEntity", "/data/schema must have properties")
    if len(json.dumps(value)) > MOST_BYTES:
        raise refuse(413, "PayloadTooLarge", "the schema is larger than 32 KB")
    for name in value["properties"]:
        if name.startswith("_") or name == "*" or _CONTROL.search(name):
            raise refuse(422, "UnprocessableEntity", f"/data/schema/properties/{name} is no name")
    return {**value, "additionalProperties": False}


def object_type(account: Account, key: object) -> Row:
    """Return an object type."""
    row = account.tables["sunshine_types"].get(key)
    if row is None:
        raise not_found()
    return row


async def list_types(call: Call) -> Row:
    agent(call)
    return listed(list(call.account.tables["sunshine_types"].values()))


async def create_type(call: Call) -> tuple[int, Row]:
    admin(call)
    given, now, rows = data_of(call), stamp(call.account.now()), call.account.tables["sunshine_types"]
    row = {"key": checked_key(given.get("key"), rows), "schema": _schema(given.get("schema"))}
    rows[row["key"]] = {**row, "created_at": now, "updated_at": now}
    return 201, {"data": rows[row["key"]]}


async def show_type(call: Call) -> Row:
    agent(call)
    return {"data": object_type(call.account, call.path["key"])}


async def update_type(call: Call) -> Row:
    admin(call)
    row = object_type(call.account, call.path["key"])
    row["schema"], row["updated_at"] = _schema(data_of(call).get("schema")), stamp(call.account.now())
    return {"data": row}


async def delete_type(call: Call) -> tuple[int, None]:
    """Refused while it has records or a relationship type names it."""
    admin(call)
    account, key = call.account, object_type(call.account, call.path["key"])["key"]
    used = any(r["type"] == key for r in account.tables["sunshine_records"].values())
    named = any(key in (t["source"], *targets(t)) for t in account.tables["sunshine_relations"].values())
    if used or named:
        raise refuse(422, "UnprocessableEntity", "the type is in use")
    del account.tables["sunshine_types"][key]
    return 204, None


def targets(relation: Row) -> list[str]:
    """Return the target of a relationship type; a list of one means one-to-many."""
    target = relation["target"]
    return target if isinstance(target, list) else [target]


def _record(call: Call) -> Row:
    row = call.account.tables["sunshine_records"].get(call.path["id"])
    if row is None:
        raise not_found()
    return row


def _attributes(kind: Row, value: object, before: Row) -> Row:
    if not isinstance(value, dict):
        raise refuse(422, "UnprocessableEntity", "/data/attributes must be an object")
    for name in value:
        if name not in kind["schema"]["properties"]:
            raise refuse(422, "UnprocessableEntity", f"/data/attributes/{name} is not in the schema")
    merged = {k: v for k, v in {**before, **value}.items() if v is not None}
    missing = [n for n in kind["schema"].get("required", ()) if n not in merged]
    if missing:
        raise refuse(422, "UnprocessableEntity", f"/data/attributes/{missing[0]} is required")
    if len(json.dumps(merged)) > MOST_BYTES:
        raise refuse(413, "PayloadTooLarge", "the record is larger than 32 KB")
    return merged


async def list_records(call: Call) -> Row:
    agent(call)
    rows = list(call.account.tables["sunshine_records"].values())
    if "type" in call.query:
        object_type(call.account, call.query["type"])
        rows = [r for r in rows if r["type"] == call.query["type"]]
    if "ids" in call.query:
        wanted = call.query["ids"].split(",")
        rows = [r for r in rows if r["id"] in wanted]
    if "external_id" in call.query:
        external = call.query["external_id"].lower()
        rows = [r for r in rows if str(r["external_id"]).lower() == external]
    return listed(rows)


async def create_record(call: Call) -> tuple[int, Row]:
    agent(call)
    account, given = call.account, data_of(call)
    kind, rows, now = (
        object_type(account, given.get("type")),
        account.tables["sunshine_records"],
        stamp(account.now()),
    )
    if len(rows) >= RECORDS.get(account.plan, RECORDS_OF_THE_REST):
        words = "You have exceeded the maximum number of resources for this account"
        raise refuse(429, "TooManyRequests", words)
    external = given.get("external_id")
    if external and any(str(r["external_id"]).lower() == str(external).lower() for r in rows.values()):
        raise refuse(422, "UnprocessableEntity", f"/data/external_id `{external}` is taken")
    row = {"id": str(uuid.uuid4()), "type": kind["key"], "external_id": external}
    row |= {
        "attributes": _attributes(kind, given.get("attributes"), {}),
        "created_at": now,
        "updated_at": now,
    }
    rows[row["id"]] = row
    return 201, {"data": row}


async def show_record(call: Call) -> Row:
    agent(call)
    return {"data": _record(call)}


async def update_record(call: Call) -> Row:
    agent(call)
    merge_patch(call)
    row = _record(call)
    kind = object_type(call.account, row["type"])
    row["attributes"] = _attributes(kind, data_of(call).get("attributes", {}), row["attributes"])
    row["updated_at"] = stamp(call.account.now())
    return {"data": row}


async def delete_record(call: Call) -> tuple[int, None]:
    agent(call)
    row, account = _record(call), call.account
    ends = account.tables["sunshine_relationships"].values()
    if any(row["id"] in (r["source"], r["target"]) for r in ends):
        raise refuse(422, "UnprocessableEntity", "the record has relationships")
    del account.tables["sunshine_records"][row["id"]]
    return 204, None


async def limits(call: Call) -> Row:
    agent(call)
    account = call.account
    most = RECORDS.get(account.plan, RECORDS_OF_THE_REST)
    used = {
        "object_records": len(account.tables["sunshine_records"]),
        "relationship_records": len(account.tables["sunshine_relationships"]),
    }
    return {"data": [{"key": key, "limit": most, "count": count} for key, count in used.items()]}


ROUTES = [
    route("GET", "objects/types", list_types),
    route("POST", "objects/types", create_type),
    route("GET", "objects/types/{key}", show_type),
    route("PUT", "objects/types/{key}", update_type),
    route("DELETE", "objects/types/{key}", delete_type),
    route("GET", "objects/records", list_records),
    route("POST", "objects/records", create_record),
    route("GET", "objects/records/{id}", show_record),
    route("PATCH", "objects/records/{id}", update_record),
    route("DELETE", "objects/records/{id}", delete_record),
    route("GET", "limits", limits),
]
