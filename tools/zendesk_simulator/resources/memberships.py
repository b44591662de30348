"""Memberships of agents in groups; leaving one unassigns (facts: Zendesk §5)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import integer, rows_of, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import (
    Refusal,
    invalid,
    not_found,
    number,
    too_many_created,
)
from tools.zendesk_simulator.paging import ids_of, page
from tools.zendesk_simulator.resources.jobs import each, not_created, start_job, works
from tools.zendesk_simulator.resources.sideloads import add_related
from tools.zendesk_simulator.resources.tickets import unassign
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

MOST = 100


def add_membership(account: Account, user_id: int, group_id: int) -> Row:
    """Put an agent into a group; twice is once."""
    for known in account.memberships.values():
        if known["user_id"] == user_id and known["group_id"] == group_id:
            return known
    row_id, now = account.next_id("membership"), stamp(account.now())
    first = not account.groups_of(user_id)
    row = {
        "id": row_id,
        "url": account.url(f"group_memberships/{row_id}"),
        "user_id": user_id,
        "group_id": group_id,
        "default": first,
        "created_at": now,
        "updated_at": now,
    }
    account.memberships[row_id] = row
    if first:
        account.users[user_id]["default_group_id"] = group_id
    return row


def remove(account: Account, row: Row) -> None:
    """Take an agent out of a group at once, and queue the job that unassigns his working tickets there."""
    del account.memberships[row["id"]]
    user = account.users[row["user_id"]]
    if row["default"]:
        others = sorted(m["id"] for m in account.memberships.values() if m["user_id"] == user["id"])
        for membership_id in others[:1]:
            account.memberships[membership_id]["default"] = True
        user["default_group_id"] = account.memberships[others[0]]["group_id"] if others else None
    work = {"kind": "unassign", "user_id": row["user_id"], "group_id": row["group_id"]}
    start_job(account, "Unassign Working Tickets", None, work=work, internal=True)


@works("unassign")
def _unassign(account: Account, work: Row) -> Row:
    unassign(account, work["user_id"], work["group_id"])
    return {"success": True}


def _check(call: Call, values: Row) -> tuple[int, int]:
    user = integer(call, values, "user_id", "group_membership")
    group = integer(call, values, "group_id", "group_membership")
    agent = call.account.users.get(user or 0)
    if agent is None or agent["role"] == "end-user" or not agent["active"]:
        raise invalid(user_id="User: must be an agent")
    if (call.account.groups.get(group or 0) or {"deleted": True})["deleted"]:
        raise invalid(group_id="Group: is invalid")
    known = call.account.memberships.values()
    if any(m["user_id"] == user and m["group_id"] == group for m in known):
        raise invalid("DuplicateValue", user_id="User has already been taken")
    return int(user or 0), int(group or 0)


async def list_memberships(call: Call) -> Row:
    call.require_agent()
    user, group = call.path.get("user_id"), call.path.get("group_id")
    account = call.account
    rows = [
        m
        for m in account.memberships.values()
        if (user is None or m["user_id"] == user) and (group is None or m["group_id"] == group)
    ]
    if call.request.url.path.endswith("/assignable"):
        rows = [m for m in rows if account.users[m["user_id"]]["role"] != "end-user"]
        rows = [m for m in rows if not account.users[m["user_id"]]["suspended"]]
    path = call.request.url.path.removeprefix("/api/v2/")
    answer = page(call.request, account, "group_memberships", rows, path)
    return add_related(call, answer, answer["group_memberships"])


def _membership(call: Call) -> Row:
    row = call.account.memberships.get(number(call.path["id"]))
    if row is None or row["user_id"] != call.path.get("user_id", row["user_id"]):
        raise not_found()
    return row


async def show_membership(call: Call) -> Row:
    call.require_agent()
    return {"group_membership": _membership(call)}


async def create_membership(call: Call) -> tuple[int, Row]:
    require(call, "manage_group_memberships")
    values = wrapped(call, "group_membership", ("user_id", "group_id", "default"))
    if "user_id" in call.path:
        values = {**values, "user_id": call.path["user_id"]}
    return 201, {"group_membership": add_membership(call.account, *_check(call, values))}


async def delete_membership(call: Call) -> tuple[int, None]:
    require(call, "manage_group_memberships")
    remove(call.account, _membership(call))
    return 204, None


async def create_many(call: Call) -> Row:
    require(call, "manage_group_memberships")
    rows = rows_of(call, "group_memberships")
    if len(rows) > MOST:
        raise too_many_created(MOST, "group_memberships")
    results: list[Row] = []
    for index, values in enumerate(rows):
        try:
            made = add_membership(call.account, *_check(call, values))
            results.append({"index": index, "id": made["id"], "status": "Created"})
        except Refusal as refusal:
            results.append(not_created(index, refusal))
    return {"job_status": start_job(call.account, "Bulk Create Group Membership", len(rows), results)}


async def destroy_many(call: Call) -> Row:
    require(call, "manage_group_memberships")
    account, ids = call.account, ids_of(call.request)

    def one(row_id: int) -> None:
        if row_id not in account.memberships:
            raise not_found()
        remove(account, account.memberships[row_id])

    results = each([(i, i) for i in ids], "delete", "Deleted", one)
    return {"job_status": start_job(account, "Bulk Delete Group Membership", len(ids), results)}


async def make_default(call: Call) -> Row:
    """Answers the user's memberships."""
    require(call, "manage_group_memberships")
    chosen, account = _membership(call), call.account
    mine = [m for m in account.memberships.values() if m["user_id"] == chosen["user_id"]]
    for row in mine:
        row["default"] = row is chosen
    account.users[chosen["user_id"]]["default_group_id"] = chosen["group_id"]
    return {"group_memberships": mine, "next_page": None, "previous_page": None, "count": len(mine)}


ROUTES = [
    endpoint("GET", "group_memberships", list_memberships),
    endpoint("POST", "group_memberships", create_membership),
    endpoint("GET", "group_memberships/assignable", list_memberships),
    endpoint("POST", "group_memberships/create_many", create_many),
    endpoint("DELETE", "group_memberships/destroy_many", destroy_many),
    endpoint("GET", "group_memberships/{id:int}", show_membership),
    endpoint("DELETE", "group_memberships/{id:int}", delete_membership),
    endpoint("GET", "users/{user_id:int}/group_memberships", list_memberships),
    endpoint("POST", "users/{user_id:int}/group_memberships", create_membership),
    endpoint("GET", "users/{user_id:int}/group_memberships/{id:int}", show_membership),
    endpoint("DELETE", "users/{user_id:int}/group_memberships/{id:int}", delete_membership),
    endpoint("PUT", "users/{user_id:int}/group_memberships/{id:int}/make_default", make_default),
    endpoint("GET", "groups/{group_id:int}/memberships", list_memberships),
    endpoint("GET", "groups/{group_id:int}/memberships/assignable", list_memberships),
]
