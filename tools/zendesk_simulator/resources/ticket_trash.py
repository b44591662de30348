"""The trash: deletion, restoring, permanent deletion, and the archive (facts: Zendesk §3.2, §7, §10)."""

from __future__ import annotations

from datetime import timedelta

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import not_found, number
from tools.zendesk_simulator.faults import rows_to_do
from tools.zendesk_simulator.lifecycle import SWEEPS
from tools.zendesk_simulator.paging import ids_of, page
from tools.zendesk_simulator.resources.jobs import start_job, works
from tools.zendesk_simulator.resources.slas import follow
from tools.zendesk_simulator.resources.ticket_rows import find
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

TRASH_LIFE = timedelta(days=30)
ARCHIVE_AGE = timedelta(days=120)


def trash(account: Account, row: Row, actor: int) -> None:
    """Move a ticket to the trash; subject and description stay readable there."""
    account.trash[row["id"]] = {
        "previous_state": row["status"],
        "deleted_at": stamp(account.now()),
        "actor": actor,
    }
    row["status"] = "deleted"
    account.changed("tickets", row)
    follow(account, row)


def scrub(account: Account, row: Row) -> None:
    """Destroy a ticket for good: what stays is not personal (facts §7, seed 001)."""
    account.trash.pop(row["id"], None)
    row |= {
        "subject": "SCRUBBED",
        "raw_subject": "SCRUBBED",
        "description": "X",
        "tags": [],
        "custom_fields": [],
        "fields": [],
        "external_id": None,
        "assignee_id": None,
        "group_id": None,
        "recipient": None,
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
    }
    for comment in account.comments.pop(row["id"], []):
        for attachment in comment["attachments"]:
            account.tables["attachments"].pop(attachment["id"], None)
    account.audits.pop(row["id"], None)
    account.tables["ticket_values"].pop(row["id"], None)
    account.tables["sla_states"].pop(row["id"], None)
    account.changed("tickets", row, event=False)


def _sweep(account: Account) -> None:
    """Destroy what is 30 days in the trash; archive what is 120 days closed."""
    now = account.now()
    limit = stamp(now - TRASH_LIFE)
    for ticket_id in [i for i, t in account.trash.items() if t["deleted_at"] <= limit]:
        scrub(account, account.tickets[ticket_id])
    old = stamp(now - ARCHIVE_AGE)
    for row in account.tickets.values():
        if row["status"] == "closed" and row["updated_at"] <= old and "archived" not in row:
            row["archived"] = True
            account.touched.append(row["id"])


SWEEPS.append(_sweep)


async def list_deleted(call: Call) -> Row:
    require(call, "view_deleted_tickets")
    account = call.account
    rows = [
        {
            "id": i,
            "subject": account.tickets[i]["subject"],
            "description": account.tickets[i]["description"],
            "actor": {"id": t["actor"], "name": account.users[t["actor"]]["name"]},
            "deleted_at": t["deleted_at"],
            "previous_state": t["previous_state"],
        }
        for i, t in account.trash.items()
    ]
    rows.sort(key=lambda r: r["deleted_at"])
    return page(call.request, account, "deleted_tickets", rows, "deleted_tickets")


def _trashed(account: Account, ticket_id: object) -> Row:
    row = find(account, ticket_id, deleted=True)
    if row["id"] not in account.trash:
        raise not_found()
    return row


def _restore(account: Account, row: Row) -> None:
    row["status"] = account.trash.pop(row["id"])["previous_state"]
    account.changed("tickets", row)
    follow(account, row)


async def restore(call: Call) -> Row:
    require(call, "ticket_deletion")
    _restore(call.account, _trashed(call.account, call.path["id"]))
    return {}


async def restore_many(call: Call) -> Row:
    require(call, "ticket_deletion")
    for ticket_id in ids_of(call.request):
        if ticket_id in call.account.trash:
            _restore(call.account, call.account.tickets[ticket_id])
    return {}


async def destroy_one(call: Call) -> Row:
    require(call, "ticket_deletion")
    row = _trashed(call.account, number(call.path["id"]))
    return _destroy(call.account, [row["id"]])


async def destroy_many(call: Call) -> Row:
    require(call, "ticket_deletion")
    return _destroy(call.account, ids_of(call.request))


def _destroy(account: Account, ids: list[int]) -> Row:
    work = {"kind": "scrub_tickets", "ids": ids}
    return {"job_status": start_job(account, "Permanently Delete Tickets", None, work=work)}


@works("scrub_tickets")
def _scrub_many(account: Account, work: Row) -> Row:
    """One that is not there does not stop the rest."""
    for ticket_id in rows_to_do(work["ids"]):
        if ticket_id in account.trash:
            scrub(account, account.tickets[ticket_id])
    return {"success": True}


ROUTES = [
    endpoint("GET", "deleted_tickets", list_deleted),
    endpoint("DELETE", "deleted_tickets/destroy_many", destroy_many),
    endpoint("PUT", "deleted_tickets/restore_many", restore_many),
    endpoint("PUT", "deleted_tickets/{id:int}/restore", restore),
    endpoint("DELETE", "deleted_tickets/{id:int}", destroy_one),
]
