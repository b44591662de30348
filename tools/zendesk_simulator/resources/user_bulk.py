"""Many users in one job: create, update, delete; merging two (facts: Zendesk §5)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.bodies import rows_of, wrapped
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import (
    Refusal,
    forbidden,
    invalid,
    number,
    too_many_created,
    too_many_values,
)
from tools.zendesk_simulator.faults import rows_to_do
from tools.zendesk_simulator.paging import ids_of
from tools.zendesk_simulator.resources.events import MERGED, emit
from tools.zendesk_simulator.resources.jobs import each, not_created, start_job, works
from tools.zendesk_simulator.resources.user_deletion import soft_delete
from tools.zendesk_simulator.resources.user_routes import living, same_user
from tools.zendesk_simulator.resources.users import PERMITTED, add_user, check, find, may_write, show, write
from tools.zendesk_simulator.state import Account, Row

MOST = 100


def _limited(call: Call) -> list[Row]:
    rows = rows_of(call, "users")
    if len(rows) > MOST:
        raise too_many_created(MOST, "users")
    return rows


async def create_many(call: Call) -> Row:
    rows, writer = _limited(call), call.require_agent()["id"]
    work = {"kind": "create_users", "rows": rows, "writer": writer, "update": False}
    return {"job_status": start_job(call.account, "Bulk Create User", len(rows), work=work)}


async def create_or_update_many(call: Call) -> Row:
    rows, writer = _limited(call), call.require_agent()["id"]
    work = {"kind": "create_users", "rows": rows, "writer": writer, "update": True}
    return {"job_status": start_job(call.account, "Bulk Create Or Update User", len(rows), work=work)}


@works("create_users")
def _create(account: Account, work: Row) -> list[Row]:
    results: list[Row] = []
    for index, values in enumerate(rows_to_do(work["rows"])):
        row = same_user(account, values) if work["update"] else None
        shown: Row = {k: values[k] for k in ("email", "external_id") if values.get(k)}
        try:
            may_write(account.users[work["writer"]], values, row)
            check(account, values, row)
            if row is None:
                made = add_user(account, {"email": None, **values})
                results.append({"index": index, "id": made["id"], "status": "Created", **shown})
            else:
                write(account, row, values)
                done = {"action": "update", "success": True, "status": "Updated"}
                results.append({"index": index, "id": row["id"], **done, **shown})
        except Refusal as refusal:
            results.append({**not_created(index, refusal), **shown})
    return results


def _ids(call: Call) -> list[int]:
    if external := call.query.get("external_ids"):
        wanted = external.split(",")
        return [u["id"] for u in living(call.account) if u["external_id"] in wanted]
    return ids_of(call.request)


async def update_many(call: Call) -> Row:
    writer: int = call.require_agent()["id"]
    if "users" in call.body:
        rows = rows_of(call, "users")
        if len(rows) > MOST:
            raise too_many_values(MOST)
        batch = [(int(u.get("id") or (same_user(call.account, u) or {"id": 0})["id"]), u) for u in rows]
    else:
        values = wrapped(call, "user", PERMITTED)
        batch = [(i, values) for i in _ids(call)]
    work = {"kind": "update_users", "batch": batch, "writer": writer}
    return {"job_status": start_job(call.account, "Bulk Update User", len(batch), work=work)}


@works("update_users")
def _update(account: Account, work: Row) -> list[Row]:
    def one(item: tuple[int, Row]) -> None:
        row = find(account, item[0])
        values = {k: v for k, v in item[1].items() if k != "id"}
        may_write(account.users[work["writer"]], values, row)
        check(account, values, row)
        write(account, row, values)

    return each([(i, (i, v)) for i, v in work["batch"]], "update", "Updated", one)


async def destroy_many(call: Call) -> Row:
    writer, ids = call.require_agent()["id"], _ids(call)
    work = {"kind": "delete_users", "ids": ids, "writer": writer}
    return {"job_status": start_job(call.account, "Bulk Delete User", len(ids), work=work)}


@works("delete_users")
def _delete(account: Account, work: Row) -> list[Row]:
    def one(user_id: int) -> None:
        soft_delete(account, find(account, user_id), account.users[work["writer"]])

    return each([(i, i) for i in work["ids"]], "delete", "Deleted", one)


async def merge(call: Call) -> Row:
    """The user of the path goes into the one of the body: end users only."""
    call.require_agent()
    account, loser = call.account, find(call.account, call.path["id"])
    winner = find(account, wrapped(call, "user", ("id",)).get("id"))
    if loser["role"] != "end-user" or winner["role"] != "end-user":
        raise forbidden()
    if loser is winner:
        raise invalid(base="Users cannot be merged with themselves")
    for ticket_id in sorted(account.by_requester.pop(loser["id"], set())):
        account.tickets[ticket_id]["requester_id"] = winner["id"]
        account.by_requester[winner["id"]].add(ticket_id)
        account.changed("tickets", account.tickets[ticket_id])
    for identity in account.tables["identities"].values():
        if identity["user_id"] == loser["id"]:
            identity |= {"user_id": winner["id"], "primary": False}
    soft_delete(account, loser, None)
    account.changed("users", winner)
    emit(account, MERGED, winner, {"user": {"id": str(loser["id"])}})
    return {"user": show(winner)}


async def logout_many(call: Call) -> tuple[int, Any]:
    call.require_admin()
    ids = {number(i) for i in ids_of(call.request)}
    for token in [t for t in call.account.tokens.values() if t.user_id in ids]:
        call.account.tokens.pop(token.access, None)
    return 202, {}


ROUTES = [
    endpoint("POST", "users/create_many", create_many),
    endpoint("POST", "users/create_or_update_many", create_or_update_many),
    endpoint("PUT", "users/update_many", update_many),
    endpoint("DELETE", "users/destroy_many", destroy_many),
    endpoint("POST", "users/logout_many", logout_many),
    endpoint("PUT", "users/{id:int}/merge", merge),
]
