"""Memberships of users in organisations."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import find, integer, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.paging import ids_of, page
from tools.zendesk_simulator.resources.jobs import each, start_job
from tools.zendesk_simulator.resources.organizations import living
from tools.zendesk_simulator.state import Account, Row

_TABLE = "organization_memberships"


def _of(account: Account, user_id: int) -> list[Row]:
    return [m for m in account.tables[_TABLE].values() if m["user_id"] == user_id]


def add(account: Account, user_id: int, organization_id: int) -> Row:
    """Put a user into an organisation; the first one is the default."""
    row_id, now = account.next_id(_TABLE), stamp(account.now())
    first = not _of(account, user_id)
    row = {
        "id": row_id,
        "url": account.url(f"{_TABLE}/{row_id}"),
        "user_id": user_id,
        "organization_id": organization_id,
        "default": first,
        "organization_name": account.tables["organizations"][organization_id]["name"],
        "view_tickets": True,
        "created_at": now,
        "updated_at": now,
    }
    account.tables[_TABLE][row_id] = row
    if first:
        account.users[user_id]["organization_id"] = organization_id
        account.changed("users", account.users[user_id])
    return row


def _remove(account: Account, row: Row) -> None:
    del account.tables[_TABLE][row["id"]]
    if row["default"]:
        rest = _of(account, row["user_id"])
        if rest:
            rest[0]["default"] = True
        user = account.users[row["user_id"]]
        user["organization_id"] = rest[0]["organization_id"] if rest else None
        account.changed("users", user)


async def list_memberships(call: Call) -> Row:
    call.require_agent()
    user, organization = call.path.get("user_id"), call.path.get("organization_id")
    rows = [
        m
        for m in call.account.tables[_TABLE].values()
        if (user is None or m["user_id"] == user)
        and (organization is None or m["organization_id"] == organization)
    ]
    return page(call.request, call.account, _TABLE, rows, call.request.url.path.removeprefix("/api/v2/"))


async def create_membership(call: Call) -> tuple[int, Row]:
    call.require_agent()
    values = wrapped(call, "organization_membership", ("user_id", "organization_id", "default"))
    user = find(call.account.users, integer(call, values, "user_id", "organization_membership"))
    organization = integer(call, values, "organization_id", "organization_membership")
    if organization not in living(call.account):
        raise invalid(organization_id="Organization: is invalid")
    if any(m["organization_id"] == organization for m in _of(call.account, user["id"])):
        raise invalid("DuplicateValue", user_id="User has already been taken")
    return 201, {"organization_membership": add(call.account, user["id"], organization)}


async def show_membership(call: Call) -> Row:
    call.require_agent()
    return {"organization_membership": find(call.account.tables[_TABLE], call.path["id"])}


async def delete_membership(call: Call) -> tuple[int, None]:
    call.require_agent()
    _remove(call.account, find(call.account.tables[_TABLE], call.path["id"]))
    return 204, None


async def destroy_many(call: Call) -> Row:
    call.require_agent()
    account, ids = call.account, ids_of(call.request)
    results = each(
        [(i, i) for i in ids],
        "delete",
        "Deleted",
        lambda i: _remove(account, find(account.tables[_TABLE], i)),
    )
    return {"job_status": start_job(account, "Bulk Delete Organization Membership", len(ids), results)}


async def make_default(call: Call) -> Row:
    call.require_agent()
    account = call.account
    chosen = find({m["id"]: m for m in _of(account, call.path["user_id"])}, call.path["id"])
    for row in _of(account, call.path["user_id"]):
        row["default"] = row is chosen
    user = account.users[chosen["user_id"]]
    user["organization_id"] = chosen["organization_id"]
    account.changed("users", user)
    return {_TABLE: _of(account, user["id"])}


ROUTES = [
    endpoint("GET", _TABLE, list_memberships),
    endpoint("POST", _TABLE, create_membership),
    endpoint("DELETE", _TABLE + "/destroy_many", destroy_many),
    endpoint("GET", _TABLE + "/{id:int}", show_membership),
    endpoint("DELETE", _TABLE + "/{id:int}", delete_membership),
    endpoint("GET", "users/{user_id:int}/" + _TABLE, list_memberships),
    endpoint("PUT", "users/{user_id:int}/" + _TABLE + "/{id:int}/make_default", make_default),
    endpoint("GET", "organizations/{organization_id:int}/" + _TABLE, list_memberships),
]
