"""Many tickets in one job: create, update, delete, merge (facts: Zendesk §2.5, §3)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.bodies import rows_of, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, invalid, number, too_many_created, too_many_values
from tools.zendesk_simulator.faults import rows_to_do
from tools.zendesk_simulator.paging import ids_of
from tools.zendesk_simulator.resources.jobs import each, not_created, start_job, works
from tools.zendesk_simulator.resources.ticket_routes import described
from tools.zendesk_simulator.resources.ticket_rows import PERMITTED
from tools.zendesk_simulator.resources.ticket_trash import trash
from tools.zendesk_simulator.resources.tickets import create, find, update
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

MOST = 100


async def create_many(call: Call) -> Row:
    author, rows = int(call.require_agent()["id"]), rows_of(call, "tickets")
    if len(rows) > MOST:
        raise too_many_created(MOST, "tickets")
    work = {"kind": "create_tickets", "rows": rows, "author": author}
    return {"job_status": start_job(call.account, "Bulk Create Ticket", len(rows), work=work)}


@works("create_tickets")
def _create(account: Account, work: Row) -> list[Row]:
    results: list[Row] = []
    for index, values in enumerate(rows_to_do(work["rows"])):
        try:
            row, _ = create(account, described(values), work["author"])
            results.append({"index": index, "id": row["id"], "account_id": account.id})
        except Refusal as refusal:
            results.append(not_created(index, refusal))
    return results


async def update_many(call: Call) -> Row:
    """One job; each row is safe (facts §3.2): bulk form against the time of queuing, batch form by its stamp."""
    author, account = int(require(call, "ticket_editing")["id"]), call.account
    work: Row = {"kind": "update_tickets", "author": author, "queued_at": stamp(account.now())}
    if "tickets" in call.body:
        rows = rows_of(call, "tickets")
        if len(rows) > MOST:
            raise too_many_values(MOST)
        work["batch"] = [(number(t.get("id")), t) for t in rows]
    else:
        ids = ids_of(call.request)
        if not ids and (external := call.query.get("external_ids")):
            wanted = external.split(",")
            ids = [t["id"] for t in account.tickets.values() if t["external_id"] in wanted]
        values = wrapped(call, "ticket", PERMITTED)
        work["batch"] = [(i, values) for i in ids]
    job = start_job(account, "Bulk Update Ticket", len(work["batch"]), work=work)
    return {"job_status": job}


@works("update_tickets")
def _update(account: Account, work: Row) -> list[Row]:
    def one(item: tuple[int, Row]) -> None:
        ticket_id, values = item
        values = {k: v for k, v in values.items() if k != "id"}
        stamped = "safe_update" in values or "updated_stamp" in values
        update(
            account,
            find(account, ticket_id),
            values,
            work["author"],
            safe=True,
            queued_at=None if stamped else work["queued_at"],
        )

    return each([(i, (i, v)) for i, v in work["batch"]], "update", "Updated", one)


async def destroy_many(call: Call) -> Row:
    author, ids = int(require(call, "ticket_deletion")["id"]), ids_of(call.request)
    work = {"kind": "trash_tickets", "ids": ids, "author": author}
    return {"job_status": start_job(call.account, "Bulk Update Ticket", len(ids), work=work)}


@works("trash_tickets")
def _trash(account: Account, work: Row) -> list[Row]:
    return each(
        [(i, i) for i in work["ids"]],
        "delete",
        "Deleted",
        lambda i: trash(account, find(account, i), work["author"]),
    )


async def merge(call: Call) -> Row:
    """Merge tickets into one: they are closed, and both sides get a comment."""
    author, target = int(require(call, "ticket_merge")["id"]), find(call.account, call.path["id"])
    ids: list[Any] = call.body.get("ids") or []
    if not ids:
        raise invalid(base="ids: must not be empty")
    if len(ids) > 5:
        raise invalid(base="Only 5 tickets can be merged at once")
    if target["status"] == "closed":
        raise invalid("ClosedTicket", base="Cannot merge into a closed ticket")
    work = {**call.body, "kind": "merge_tickets", "target": target["id"], "author": author}
    return {"job_status": start_job(call.account, "Bulk Merge Ticket", len(ids), work=work)}


@works("merge_tickets")
def _merge(account: Account, work: Row) -> list[Row]:
    target = find(account, work["target"])

    def one(ticket_id: int) -> None:
        source = find(account, ticket_id)
        said = (
            work.get("source_comment") or f"This request was closed and merged into request #{target['id']}"
        )
        public = bool(work.get("source_comment_is_public", True))
        values = {
            "comment": {"body": said, "public": public},
            "status": "closed",
            "additional_tags": ["closed_by_merge"],
            "assignee_id": source["assignee_id"] or target["assignee_id"] or work["author"],
        }
        update(account, source, values, work["author"])
        heard = (
            work.get("target_comment") or f"Request #{source['id']} was closed and merged into this request."
        )
        public = bool(work.get("target_comment_is_public", True))
        update(account, target, {"comment": {"body": heard, "public": public}}, work["author"])

    return each([(number(i), number(i)) for i in work["ids"]], "merge", "Merged", one)


ROUTES = [
    endpoint("PUT", "tickets/update_many", update_many),
    endpoint("POST", "tickets/create_many", create_many),
    endpoint("DELETE", "tickets/destroy_many", destroy_many),
    endpoint("POST", "tickets/{id:int}/merge", merge),
]
