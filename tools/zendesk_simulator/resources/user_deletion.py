"""A user's way out: soft deletion, permanent deletion, what the products report (facts: Zendesk §10)."""

from __future__ import annotations

from datetime import timedelta

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import forbidden, invalid, not_found, number
from tools.zendesk_simulator.lifecycle import SWEEPS
from tools.zendesk_simulator.paging import one_page, page
from tools.zendesk_simulator.resources.events import DELETED, emit
from tools.zendesk_simulator.resources.users import find, leave_groups, requests_open, show
from tools.zendesk_simulator.state import Account, Row

APPLICATIONS = ("support", "chat", "explore")
RECOVERY = timedelta(days=30)
_SHOWN = (
    "id",
    "name",
    "email",
    "created_at",
    "updated_at",
    "time_zone",
    "phone",
    "shared_phone_number",
    "photo",
    "locale_id",
    "locale",
    "organization_id",
    "role",
    "active",
)


def _owner(account: Account) -> int:
    """Return the account owner: the oldest administrator."""
    return min((u["id"] for u in account.users.values() if u["role"] == "admin"), default=0)


def soft_delete(account: Account, row: Row, actor: Row | None) -> None:
    """Delete a user so that he is not shown any more: not recoverable, destroyed for good after 30 days.

    Raises:
        Refusal: 422 while a ticket that is not closed names him as requester, and for the account owner; 403
            for an agent who deletes another agent.
    """
    if open_ones := requests_open(account, row["id"]):
        raise invalid(base=f"User is the requester of {open_ones} tickets that are not closed")
    if row["id"] == _owner(account):
        raise invalid(base="The account owner cannot be deleted")
    if actor is not None and row["role"] != "end-user" and actor["role"] != "admin":
        raise forbidden()
    if not row["active"]:
        raise not_found()
    row["active"] = False
    row["deleted_at"] = stamp(account.now())
    leave_groups(account, row)
    account.changed("users", row)
    emit(account, DELETED, row)


async def delete_user(call: Call) -> Row:
    """Soft: 200 with the user."""
    actor, row = call.require_agent(), find(call.account, call.path["id"])
    soft_delete(call.account, row, actor)
    return {"user": show(row)}


def _deleted(call: Call) -> Row:
    row = call.account.users.get(number(call.path["id"]))
    if row is None or row["active"] or row.get("permanently_deleted"):
        raise not_found()
    return row


def _view(row: Row) -> Row:
    return {**{k: row[k] for k in _SHOWN}, "url": row["url"].replace("/users/", "/deleted_users/")}


async def list_deleted(call: Call) -> Row:
    call.require_agent()
    rows = sorted((u for u in call.account.users.values() if not u["active"]), key=lambda u: u["id"])
    return page(call.request, call.account, "deleted_users", rows, "deleted_users", _view)


async def count_deleted(call: Call) -> Row:
    call.require_agent()
    number_of = sum(not u["active"] for u in call.account.users.values())
    return {"count": {"value": number_of, "refreshed_at": stamp(call.account.now())}}


async def show_deleted(call: Call) -> Row:
    call.require_agent()
    return {"deleted_user": _view(_deleted(call))}


def destroy(account: Account, row: Row, executer: int | None) -> None:
    """Destroy a user for good, over all products."""
    row |= {
        "name": "Permanently Deleted User",
        "email": None,
        "phone": None,
        "external_id": None,
        "alias": None,
        "signature": None,
        "details": None,
        "notes": None,
        "user_fields": {},
        "tags": [],
        "permanently_deleted": True,
    }
    identities = account.tables["identities"]
    for row_id in [i for i, r in identities.items() if r["user_id"] == row["id"]]:
        del identities[row_id]
    account.changed("users", row)
    status = _status(account, row["id"], "all", "request_deletion", executer)
    account.compliance[row["id"]] = [{**status, "_at": account.now().timestamp()}]


async def destroy_user(call: Call) -> Row:
    call.require_admin()
    row = _deleted(call)
    before = _view(row)
    destroy(call.account, row, (call.user or {}).get("id"))
    return {"deleted_user": before}


def _sweep(account: Account) -> None:
    limit = stamp(account.now() - RECOVERY)
    for row in account.users.values():
        if not row["active"] and not row.get("permanently_deleted") and row["deleted_at"] <= limit:
            destroy(account, row, None)


SWEEPS.append(_sweep)


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
    """Each product is asked, starts, and completes one job time after the other."""
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
    return one_page(
        "compliance_deletion_statuses", [s for s in shown if not wanted or s["application"] == wanted]
    )


ROUTES = [
    endpoint("DELETE", "users/{id:int}", delete_user),
    endpoint("GET", "users/{id:int}/compliance_deletion_statuses", compliance),
    endpoint("GET", "deleted_users", list_deleted),
    endpoint("GET", "deleted_users/count", count_deleted),
    endpoint("GET", "deleted_users/{id:int}", show_deleted),
    endpoint("DELETE", "deleted_users/{id:int}", destroy_user),
]
