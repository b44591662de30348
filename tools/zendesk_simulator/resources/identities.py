"""Identities of a user: e-mail addresses and phone numbers (facts: Zendesk §10, §13.4)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import find, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import forbidden, invalid, not_found, number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.state import Account, Row

TYPES = ("email", "twitter", "facebook", "google", "phone_number", "agent_forwarding", "sdk", "any_channel")


def add_identity(
    account: Account, user_id: int, kind: str, value: str, *, primary: bool, verified: bool
) -> Row:
    """Give a user an identity."""
    row_id, now = account.next_id("identity"), stamp(account.now())
    row = {
        "url": account.url(f"users/{user_id}/identities/{row_id}"),
        "id": row_id,
        "user_id": user_id,
        "type": kind,
        "value": value,
        "verified": verified,
        "primary": primary,
        "created_at": now,
        "updated_at": now,
        "undeliverable_count": 0,
        "deliverable_state": "deliverable",
    }
    account.tables["identities"][row_id] = row
    return row


def _user(call: Call) -> Row:
    user = find(call.account.users, call.path["user_id"])
    if user.get("permanently_deleted"):
        raise not_found()
    if call.request.method != "GET":
        writer = call.require_agent()
        if writer["role"] != "admin" and user["role"] != "end-user" and user["id"] != writer["id"]:
            raise forbidden()
    return user


def _rows(call: Call) -> list[Row]:
    user_id = number(call.path["user_id"])
    return [r for r in call.account.tables["identities"].values() if r["user_id"] == user_id]


def _identity(call: Call) -> Row:
    wanted = number(call.path["id"])
    found = next((r for r in _rows(call) if r["id"] == wanted), None)
    if found is None:
        raise not_found()
    return found


async def list_identities(call: Call) -> Row:
    call.require_agent()
    user = _user(call)
    return page(call.request, call.account, "identities", _rows(call), f"users/{user['id']}/identities")


async def create_identity(call: Call) -> tuple[int, Row]:
    user, values = _user(call), wrapped(call, "identity", ("type", "value", "verified", "primary"))
    if values.get("type") not in TYPES:
        raise invalid(type="Type: is invalid")
    value = str(values.get("value") or "")
    if not value:
        raise invalid("BlankValue", value="Value: cannot be blank")
    taken = (r for r in call.account.tables["identities"].values() if r["value"].lower() == value.lower())
    if next(taken, None):
        raise invalid("DuplicateValue", value=f"Value: {value} is already being used by another user")
    row = add_identity(
        call.account,
        user["id"],
        values["type"],
        value,
        primary=False,
        verified=bool(values.get("verified", False)),
    )
    if values.get("primary"):
        _make_primary(call.account, user, row)
    call.account.changed("users", user)
    return 201, {"identity": row}


async def show_identity(call: Call) -> Row:
    call.require_agent()
    _user(call)
    return {"identity": _identity(call)}


async def update_identity(call: Call) -> Row:
    user, row = _user(call), _identity(call)
    values = wrapped(call, "identity", ("value", "verified"))
    row.update({k: values[k] for k in ("value", "verified") if k in values})
    if row["primary"] and row["type"] == "email":
        user["email"] = row["value"]
    call.account.changed("users", user)
    return {"identity": row}


def _make_primary(account: Account, user: Row, chosen: Row) -> None:
    for row in account.tables["identities"].values():
        if row["user_id"] == user["id"] and row["type"] == chosen["type"]:
            row["primary"] = row is chosen
    if chosen["type"] == "email":
        user["email"] = chosen["value"]


async def make_primary(call: Call) -> Row:
    user, row = _user(call), _identity(call)
    _make_primary(call.account, user, row)
    call.account.changed("users", user)
    return {"identities": _rows(call), "next_page": None, "previous_page": None, "count": len(_rows(call))}


async def verify(call: Call) -> Row:
    _user(call)
    row = _identity(call)
    row["verified"] = True
    return {"identity": row}


async def request_verification(call: Call) -> Row:
    _user(call)
    _identity(call)
    return {}


async def delete_identity(call: Call) -> tuple[int, None]:
    user, row = _user(call), _identity(call)
    if row["primary"] and len(_rows(call)) > 1:
        raise invalid(base="Primary identity cannot be deleted")
    del call.account.tables["identities"][row["id"]]
    if row["primary"] and row["type"] == "email":
        user["email"] = None
    call.account.changed("users", user)
    return 204, None


_ONE = "users/{user_id:int}/identities/{id:int}"
ROUTES = [
    endpoint("GET", "users/{user_id:int}/identities", list_identities),
    endpoint("POST", "users/{user_id:int}/identities", create_identity),
    endpoint("GET", _ONE, show_identity),
    endpoint("PUT", _ONE, update_identity),
    endpoint("DELETE", _ONE, delete_identity),
    endpoint("PUT", _ONE + "/make_primary", make_primary),
    endpoint("PUT", _ONE + "/verify", verify),
    endpoint("PUT", _ONE + "/request_verification", request_verification),
]
