"""Users and their fields, deletion included (facts: Zendesk §5, §10)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import (
    forbidden,
    invalid,
    no_credentials,
    not_found,
    number,
    too_many_values,
)
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.state import Account, Row

APPLICATIONS = ("support", "chat", "explore")
_WRITABLE = (
    "name",
    "role",
    "custom_role_id",
    "organization_id",
    "suspended",
    "external_id",
    "phone",
    "tags",
    "notes",
    "details",
    "default_group_id",
    "time_zone",
)


def add_user(account: Account, spec: Row) -> Row:
    """Make a user from the members of a create request."""
    user_id = int(spec.get("id") or account.next_id("user"))
    account.reserve_id("user", user_id)
    role = spec.get("role", "end-user")
    now = stamp(account.now())
    row: Row = {
        "id": user_id,
        "url": account.url(f"users/{user_id}"),
        "name": spec.get("name", f"User {user_id}"),
        "email": spec.get("email", f"user{user_id}@example.invalid"),
        "created_at": now,
        "updated_at": now,
        "time_zone": "UTC",
        "iana_time_zone": "Etc/UTC",
        "phone": spec.get("phone"),
        "locale_id": 1,
        "locale": "en-US",
        "organization_id": spec.get("organization_id"),
        "role": role,
        "verified": True,
        "external_id": spec.get("external_id"),
        "tags": spec.get("tags", []),
        "alias": None,
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": None,
        "signature": None,
        "details": None,
        "notes": None,
        "role_type": spec.get("role_type", {"admin": 4, "agent": 0}.get(role)),
        "custom_role_id": spec.get("custom_role_id"),
        "moderator": role != "end-user",
        "ticket_restriction": "requested" if role == "end-user" else None,
        "only_private_comments": False,
        "restricted_agent": role != "admin",
        "suspended": bool(spec.get("suspended", False)),
        "default_group_id": spec.get("default_group_id"),
        "report_csv": False,
        "user_fields": dict(spec.get("user_fields") or {}),
    }
    account.users[user_id] = row
    account.changed("users", row)
    return row


def show(row: Row) -> Row:
    """Return a user as the API shows him."""
    return {k: v for k, v in row.items() if k not in ("generated_timestamp", "permanently_deleted")}


def _user(call: Call) -> Row:
    row = call.account.users.get(number(call.path["id"]))
    if row is None or row.get("permanently_deleted"):
        raise not_found()
    return row


def _ids(call: Call) -> list[int]:
    ids = [int(i) for i in str(call.query.get("ids", "")).split(",") if i.strip().isdigit()]
    if len(ids) > 100:
        raise too_many_values(100)
    return ids


async def list_users(call: Call) -> Row:
    call.require_agent()
    roles = set(call.query.getlist("role[]")) | ({call.query["role"]} if "role" in call.query else set())
    rows = [show(u) for u in call.account.users.values() if u["active"] and (not roles or u["role"] in roles)]
    return page(call.request, call.account, "users", sorted(rows, key=lambda u: u["id"]), "users")


async def show_user(call: Call) -> Row:
    call.require_agent()
    return {"user": show(_user(call))}


async def show_many(call: Call) -> Row:
    call.require_agent()
    rows = [show(call.account.users[i]) for i in _ids(call) if i in call.account.users]
    return {"users": rows, "next_page": None, "previous_page": None, "count": len(rows)}


async def me(call: Call) -> Row:
    """The trap: nobody signed in is answered 200 with a user whose id is null."""
    if call.user is None:
        return {
            "user": {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}
        }
    return {"user": {**show(call.user), "authenticity_token": "x"}}


def apply(call: Call, row: Row, values: Row) -> None:
    """Write the members that Zendesk lets one write."""
    if call.user is None:
        raise no_credentials()
    if call.user["role"] != "admin" and row["role"] != "end-user" and row["id"] != call.user["id"]:
        raise forbidden()
    row.update({k: v for k, v in values.items() if k in _WRITABLE})
    for key, value in (values.get("user_fields") or {}).items():
        if not any(f["key"] == key for f in call.account.user_fields.values()):
            continue  # unknown keys are ignored, not refused
        row["user_fields"][key] = value
    call.account.changed("users", row)


async def create_user(call: Call) -> tuple[int, Row]:
    call.require_agent()
    values = call.body.get("user") or {}
    if not values.get("name"):
        raise invalid(name="Name: is too short (minimum is 1 characters)")
    return 201, {"user": show(add_user(call.account, values))}


async def update_user(call: Call) -> Row:
    row = _user(call)
    apply(call, row, call.body.get("user") or {})
    return {"user": show(row)}


async def delete_user(call: Call) -> Row:
    """Soft: 200 with the user; refused while a ticket that is not closed names him as requester."""
    call.require_agent()
    row = _user(call)
    open_ones = [
        t
        for t in call.account.by_requester.get(row["id"], ())
        if t in call.account.tickets and call.account.tickets[t]["status"] not in ("closed", "deleted")
    ]
    if open_ones:
        raise invalid(base=f"User is the requester of {len(open_ones)} tickets that are not closed")
    if row["role"] != "end-user" and (call.user or {}).get("role") != "admin":
        raise forbidden()
    row["active"] = False
    account = call.account
    for membership in [m for m in account.memberships.values() if m["user_id"] == row["id"]]:
        del account.memberships[membership["id"]]
    account.changed("users", row)
    return {"user": show(row)}


def _deleted(call: Call) -> Row:
    row = call.account.users.get(number(call.path["id"]))
    if row is None or row["active"] or row.get("permanently_deleted"):
        raise not_found()
    return row


def _deleted_view(row: Row) -> Row:
    keys = ("id", "name", "email", "created_at", "updated_at", "organization_id", "role", "active", "phone")
    return {**{k: row[k] for k in keys}, "url": row["url"].replace("users", "deleted_users")}


async def list_deleted(call: Call) -> Row:
    call.require_agent()
    rows = [_deleted_view(u) for u in call.account.users.values() if not u["active"]]
    return page(call.request, call.account, "deleted_users", rows, "deleted_users")


async def count_deleted(call: Call) -> Row:
    call.require_agent()
    number_of = sum(not u["active"] for u in call.account.users.values())
    return {"count": {"value": number_of, "refreshed_at": stamp(call.account.now())}}


async def show_deleted(call: Call) -> Row:
    call.require_agent()
    return {"deleted_user": _deleted_view(_deleted(call))}


async def destroy_user(call: Call) -> Row:
    """For good, over all products."""
    call.require_admin()
    row, account = _deleted(call), call.account
    before = _deleted_view(row)
    row |= {
        "name": "Permanently Deleted User",
        "email": None,
        "phone": None,
        "external_id": None,
        "user_fields": {},
        "tags": [],
        "permanently_deleted": True,
    }
    account.changed("users", row)
    account.compliance[row["id"]] = [
        _status(account, row["id"], "all", "request_deletion", (call.user or {}).get("id"))
    ]
    account.compliance[row["id"]][0]["_at"] = account.now().timestamp()
    return {"deleted_user": before}


def _status(account: Account, user_id: int, application: str, action: str, executer: int | None) -> Row:
    return {
        "account_subdomain": account.subdomain,
        "action": action,
        "application": application,
        "created_at": stamp(account.now()),
        "executer_id": executer,
        "user_id": user_id,
    }


async def compliance(call: Call) -> Row:
    """Each product starts, and completes one job time after the other."""
    call.require_agent()
    user_id, account = number(call.path["id"]), call.account
    if user_id not in account.compliance:
        raise not_found()
    statuses = account.compliance[user_id]
    passed = account.now().timestamp() - statuses[0]["_at"]
    shown: list[Row] = [{k: v for k, v in statuses[0].items() if k != "_at"}]
    for place, application in enumerate(APPLICATIONS):
        shown.append(_status(account, user_id, application, "started", None))
        if passed >= account.job_seconds * (place + 1):
            shown.append(_status(account, user_id, application, "complete", None))
    wanted = call.query.get("application")
    rows = [s for s in shown if not wanted or s["application"] == wanted]
    return {
        "compliance_deletion_statuses": rows,
        "next_page": None,
        "previous_page": None,
        "count": len(rows),
    }


async def search(call: Call) -> Row:
    call.require_agent()
    text = str(call.query.get("query", "")).lower()
    rows = [show(u) for u in call.account.users.values() if text in f"{u['name']} {u['email']}".lower()]
    return page(call.request, call.account, "users", rows, "users/search")


async def requested(call: Call) -> Row:
    call.require_agent()
    from tools.zendesk_simulator.resources.tickets import show as show_ticket

    user_id, tickets = number(call.path["id"]), call.account.tickets
    ids = sorted(call.account.by_requester.get(user_id, ()))
    rows = [show_ticket(tickets[i]) for i in ids if i in tickets and tickets[i]["status"] != "deleted"]
    return page(call.request, call.account, "tickets", rows, f"users/{user_id}/tickets/requested")


async def assigned(call: Call) -> Row:
    call.require_agent()
    from tools.zendesk_simulator.resources.tickets import show as show_ticket

    user_id = number(call.path["id"])
    rows: list[Any] = [
        show_ticket(t)
        for t in call.account.tickets.values()
        if t["assignee_id"] == user_id and t["status"] != "deleted"
    ]
    return page(call.request, call.account, "tickets", rows, f"users/{user_id}/tickets/assigned")


ROUTES = [
    endpoint("GET", "users", list_users),
    endpoint("POST", "users", create_user),
    endpoint("GET", "users/me", me),
    endpoint("GET", "users/search", search),
    endpoint("GET", "users/show_many", show_many),
    endpoint("GET", "users/{id:int}", show_user),
    endpoint("PUT", "users/{id:int}", update_user),
    endpoint("DELETE", "users/{id:int}", delete_user),
    endpoint("GET", "users/{id:int}/tickets/requested", requested),
    endpoint("GET", "users/{id:int}/tickets/assigned", assigned),
    endpoint("GET", "users/{id:int}/compliance_deletion_statuses", compliance),
    endpoint("GET", "deleted_users", list_deleted),
    endpoint("GET", "deleted_users/count", count_deleted),
    endpoint("GET", "deleted_users/{id:int}", show_deleted),
    endpoint("DELETE", "deleted_users/{id:int}", destroy_user),
]
