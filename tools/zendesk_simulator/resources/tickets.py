"""Tickets: create, update safely, many at once, trash (facts: Zendesk §3, §10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import (
    Refusal,
    bad_request,
    conflict,
    invalid,
    no_credentials,
    not_found,
    number,
    too_many_values,
)
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.jobs import start_job
from tools.zendesk_simulator.resources.triggers import fire
from tools.zendesk_simulator.state import STATUSES, Account, Row

_PLAIN = ("subject", "priority", "type", "external_id", "organization_id", "due_at", "problem_id", "brand_id")


def show(row: Row) -> Row:
    """Return a ticket as the API shows it."""
    return {k: v for k, v in row.items() if k not in ("generated_timestamp", "description_text")}


def find(account: Account, ticket_id: object, *, deleted: bool = False) -> Row:
    """Return a living ticket (or a deleted one)."""
    row = account.tickets.get(number(ticket_id))
    if row is None or (row["status"] == "deleted") is not deleted:
        raise not_found()
    return row


def create(account: Account, values: Row, author: int | None, *, quiet: bool = False) -> tuple[Row, Row]:
    """Make a ticket and its first audit; fires triggers unless `quiet`."""
    ticket_id, now = account.next_id("ticket"), stamp(account.now())
    comment = values.get("comment") or {}
    text = comment.get("body") or comment.get("html_body") or values.get("description") or ""
    requester = values.get("requester_id") or author
    if requester is None or int(requester) not in account.users:
        raise invalid(requester="Requester: is not a user of this account")
    row: Row = {
        "url": account.url(f"tickets/{ticket_id}"),
        "id": ticket_id,
        "external_id": None,
        "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": now,
        "updated_at": now,
        "type": None,
        "subject": values.get("subject", ""),
        "raw_subject": values.get("subject", ""),
        "description": text,
        "priority": None,
        "status": values.get("status", "new"),
        "recipient": None,
        "requester_id": int(requester),
        "submitter_id": values.get("submitter_id") or author or int(requester),
        "assignee_id": None,
        "organization_id": None,
        "group_id": None,
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
        "forum_topic_id": None,
        "problem_id": None,
        "has_incidents": False,
        "is_public": True,
        "due_at": None,
        "tags": list(values.get("tags") or []),
        "custom_fields": [{"id": i, "value": None} for i in account.ticket_fields],
        "satisfaction_rating": None,
        "sharing_agreement_ids": [],
        "custom_status_id": None,
        "fields": [],
        "followup_ids": [],
        "ticket_form_id": None,
        "brand_id": None,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
    }
    row |= {k: values[k] for k in _PLAIN if k in values}
    _place(account, row, values)
    _fields(account, row, values)
    account.tickets[ticket_id] = row
    account.by_requester[row["requester_id"]].add(ticket_id)
    account.comments[ticket_id].append(_comment(account, ticket_id, comment, author, text))
    account.changed("tickets", row)
    events = [
        {"id": account.next_id("event"), "type": "Create", "field_name": k, "value": row[k]}
        for k in ("status", "priority", "group_id", "assignee_id", "requester_id")
        if row[k] is not None
    ]
    audit = _audit(account, ticket_id, author, events)
    _log_assignment(account, row, author)
    if not quiet:
        fire(account, row, "Create", {})
    return row, audit


def _comment(account: Account, ticket_id: int, comment: Row, author: int | None, text: str) -> Row:
    return {
        "id": account.next_id("comment"),
        "type": "Comment",
        "author_id": comment.get("author_id") or author,
        "body": text,
        "html_body": f"<p>{text}</p>",
        "plain_body": text,
        "public": comment.get("public", True),
        "attachments": [],
        "created_at": stamp(account.now()),
        "via": {"channel": "api"},
        "metadata": {},
    }


def _audit(account: Account, ticket_id: int, author: int | None, events: list[Row]) -> Row:
    audit = {
        "id": account.next_id("audit"),
        "ticket_id": ticket_id,
        "created_at": stamp(account.now()),
        "author_id": author,
        "metadata": {"system": {}, "custom": {}},
        "events": events,
        "via": {"channel": "api"},
    }
    account.audits[ticket_id].append(audit)
    return audit


def _place(account: Account, row: Row, values: Row) -> None:
    """Set group and assignee together, as Zendesk does."""
    if "group_id" in values:
        group = values["group_id"]
        if group is not None and int(group) not in account.groups:
            raise invalid(group="Group: is not a group of this account")
        row["group_id"] = int(group) if group is not None else None
        if "assignee_id" not in values and row["assignee_id"] is not None:
            row["assignee_id"] = None
    if "assignee_id" not in values:
        return
    if values["assignee_id"] is None:
        row["assignee_id"] = None
        return
    agent = account.users.get(int(values["assignee_id"]))
    if agent is None or agent["role"] == "end-user" or not agent["active"]:
        raise invalid(assignee="Assignee: is not an agent")
    groups = account.groups_of(agent["id"])
    if "group_id" not in values and row["group_id"] not in groups:
        row["group_id"] = agent["default_group_id"]
    if row["group_id"] is not None and row["group_id"] not in groups:
        raise invalid(assignee="Assignee: is not a member of the group")
    row["assignee_id"] = agent["id"]


def _fields(account: Account, row: Row, values: Row) -> None:
    given = values.get("custom_fields") or []
    if isinstance(given, dict):
        given = [{"id": int(k), "value": v} for k, v in given.items()]
    present = {f["id"]: f for f in row["custom_fields"]}
    for entry in given:
        field_id = int(entry["id"])
        if field_id in account.ticket_fields:
            if field_id not in present:
                present[field_id] = {"id": field_id, "value": None}
                row["custom_fields"].append(present[field_id])
            present[field_id]["value"] = entry.get("value")
    row["fields"] = row["custom_fields"]


def update(account: Account, row: Row, values: Row, author: int | None, *, safe: bool = False) -> Row:
    """Change a ticket and return the audit; fires triggers.

    `safe_update: false` has the same effect as true (facts §3.2): only its absence is unsafe.
    """
    if row["status"] == "closed":
        raise invalid(status="Status: closed prevents ticket update")
    if "safe_update" in values or safe:
        given = values.get("updated_stamp")
        if given is not None and _normal(str(given)) < row["updated_at"]:
            raise conflict()
    before = {
        k: row[k]
        for k in ("status", "priority", "group_id", "assignee_id", "tags", "subject", "requester_id")
    }
    custom_before = {f["id"]: f["value"] for f in row["custom_fields"]}
    row.update({k: values[k] for k in _PLAIN if k in values})
    _place(account, row, values)
    if "status" in values:
        if values["status"] not in STATUSES:
            raise invalid(status="Status: is not valid")
        row["status"] = values["status"]
    elif row["status"] == "new" and row["assignee_id"] is not None:
        row["status"] = "open"
    if row["status"] in ("solved", "closed") and row["assignee_id"] is None:
        row["assignee_id"] = author
    _tags(row, values)
    _fields(account, row, values)
    if values.get("comment"):
        text = values["comment"].get("body") or values["comment"].get("html_body") or ""
        account.comments[row["id"]].append(_comment(account, row["id"], values["comment"], author, text))
    changes = {k: v for k, v in before.items() if row[k] != v}
    events: list[Row] = [
        {
            "id": account.next_id("event"),
            "type": "Change",
            "field_name": k,
            "value": row[k],
            "previous_value": v,
        }
        for k, v in changes.items()
    ]
    events += [
        {
            "id": account.next_id("event"),
            "type": "Change",
            "field_name": str(f["id"]),
            "value": f["value"],
            "previous_value": custom_before.get(f["id"]),
        }
        for f in row["custom_fields"]
        if f["value"] != custom_before.get(f["id"])
    ]
    account.changed("tickets", row)
    audit = _audit(account, row["id"], author, events)
    if "assignee_id" in changes:
        _log_assignment(account, row, author)
    fire(account, row, "Change", changes)
    return audit


def _log_assignment(account: Account, row: Row, author: int | None) -> None:
    """Remember for the control API who was given a ticket, when and by whom."""
    if row["assignee_id"] is not None:
        account.assignments.append(
            {
                "ticket_id": row["id"],
                "assignee_id": row["assignee_id"],
                "author_id": author,
                "at": stamp(account.now()),
                "created_at": row["created_at"],
            }
        )


def _normal(text: str) -> str:
    return text.replace("+00:00", "Z").replace(" ", "T", 1)[:19] + "Z"


def _tags(row: Row, values: Row) -> None:
    if "tags" in values:
        row["tags"] = list(values["tags"] or [])
    row["tags"] = [t for t in row["tags"] if t not in (values.get("remove_tags") or ())]
    row["tags"] += [t for t in values.get("additional_tags") or () if t not in row["tags"]]


def unassign(account: Account, user_id: int, group_id: int) -> None:
    """Give an agent's working tickets in a group back to the group."""
    for row in list(account.tickets.values()):
        if row["assignee_id"] == user_id and row["group_id"] == group_id and row["status"] in STATUSES[:4]:
            update(account, row, {"assignee_id": None, "group_id": group_id}, None)


def _author(call: Call) -> int:
    if call.user is None:
        raise no_credentials()
    return int(call.user["id"])


async def create_ticket(call: Call) -> tuple[int, Row] | Any:
    author, values = _author(call), call.body.get("ticket") or {}
    key = call.request.headers.get("idempotency-key")
    account = call.account
    if key:
        text = json.dumps(call.body, sort_keys=True)
        if key in account.idempotency:
            known, answer = account.idempotency[key]
            if known != text:
                raise bad_request("InvalidIdempotencyKey", "The key was used with another body")
            return 201, answer
    row, audit = create(account, values, author)
    answer = {"ticket": show(row), "audit": audit}
    if key:
        account.idempotency[key] = (text, json.loads(json.dumps(answer)))
    return 201, answer


async def show_ticket(call: Call) -> Row:
    _author(call)
    return {"ticket": show(find(call.account, call.path["id"]))}


async def list_tickets(call: Call) -> Row:
    _author(call)
    rows = [show(t) for t in call.account.tickets.values() if t["status"] != "deleted"]
    return page(call.request, call.account, "tickets", rows, "tickets")


async def show_many(call: Call) -> Row:
    _author(call)
    ids = _ids(call)
    rows = [
        show(call.account.tickets[i])
        for i in ids
        if i in call.account.tickets and call.account.tickets[i]["status"] != "deleted"
    ]
    return {"tickets": rows, "next_page": None, "previous_page": None, "count": len(rows)}


async def update_ticket(call: Call) -> Row:
    author, row = _author(call), find(call.account, call.path["id"])
    audit = update(call.account, row, call.body.get("ticket") or {}, author)
    return {"ticket": show(row), "audit": audit}


async def delete_ticket(call: Call) -> tuple[int, None]:
    call.require_agent()
    trash(call.account, find(call.account, call.path["id"]), _author(call))
    return 204, None


def trash(account: Account, row: Row, actor: int) -> None:
    """Move a ticket to the trash; subject and description stay readable there."""
    account.trash[row["id"]] = {
        "previous_state": row["status"],
        "deleted_at": stamp(account.now()),
        "actor": actor,
    }
    row["status"] = "deleted"
    account.changed("tickets", row)


def _ids(call: Call) -> list[int]:
    ids = [int(i) for i in str(call.query.get("ids", "")).split(",") if i.strip().isdigit()]
    if len(ids) > 100:
        raise too_many_values(100)
    return ids


def _each(ids: list[int], action: str, done: str, one: Callable[[int], None]) -> list[Row]:
    results: list[Row] = []
    for ticket_id in ids:
        try:
            one(ticket_id)
            results.append({"action": action, "status": done, "success": True, "id": ticket_id})
        except Refusal as refusal:
            error = refusal.body.get("error") if isinstance(refusal.body, dict) else str(refusal.body)
            results.append(
                {"action": action, "status": "Failed", "success": False, "id": ticket_id, "error": error}
            )
    return results


async def update_many(call: Call) -> Row:
    """One job; each row is safe (facts §3.2), collisions show per row."""
    author, account = _author(call), call.account
    if "tickets" in call.body:
        batch = {int(t["id"]): t for t in call.body["tickets"]}
    else:
        batch = dict.fromkeys(_ids(call), call.body.get("ticket") or {})
    if len(batch) > 100:
        raise too_many_values(100)

    def one(ticket_id: int) -> None:
        values = {k: v for k, v in batch[ticket_id].items() if k != "id"}
        update(account, find(account, ticket_id), values, author, safe=True)

    results = _each(list(batch), "update", "Updated", one)
    return {"job_status": start_job(account, "Bulk Update Ticket", len(batch), results)}


async def create_many(call: Call) -> Row:
    author, values = _author(call), call.body.get("tickets") or []
    if len(values) > 100:
        raise too_many_values(100)
    results = []
    for index, spec in enumerate(values):
        row, _ = create(call.account, spec, author)
        results.append({"index": index, "id": row["id"], "account_id": call.account.id})
    return {"job_status": start_job(call.account, "Bulk Create Ticket", len(values), results)}


async def destroy_many(call: Call) -> Row:
    call.require_agent()
    account, ids = call.account, _ids(call)
    results = _each(ids, "delete", "Deleted", lambda i: trash(account, find(account, i), _author(call)))
    return {"job_status": start_job(account, "Bulk Update Ticket", len(ids), results)}


async def list_audits(call: Call) -> Row:
    find(call.account, call.path["id"])
    audits = call.account.audits[call.path["id"]]
    return page(call.request, call.account, "audits", audits, f"tickets/{call.path['id']}/audits")


async def list_comments(call: Call) -> Row:
    find(call.account, call.path["id"])
    comments = call.account.comments[call.path["id"]]
    return page(call.request, call.account, "comments", comments, f"tickets/{call.path['id']}/comments")


async def tags(call: Call) -> Any:
    row = find(call.account, call.path["id"])
    method = call.request.method
    if method == "GET":
        return {"tags": row["tags"]}
    given = call.body.get("tags") or []
    values = {"POST": {"tags": given}, "PUT": {"additional_tags": given}, "DELETE": {"remove_tags": given}}[
        method
    ]
    update(call.account, row, values, _author(call))
    return {"POST": (201, {"tags": row["tags"]}), "PUT": {"tags": row["tags"]}, "DELETE": (204, None)}[method]


async def list_deleted(call: Call) -> Row:
    call.require_agent()
    account = call.account
    rows = [
        {
            "id": i,
            "subject": account.tickets[i]["subject"],
            "actor": {"id": t["actor"], "name": account.users[t["actor"]]["name"]},
            "deleted_at": t["deleted_at"],
            "previous_state": t["previous_state"],
        }
        for i, t in account.trash.items()
    ]
    return page(call.request, account, "deleted_tickets", rows, "deleted_tickets")


def _trashed(account: Account, ticket_id: object) -> Row:
    row = find(account, ticket_id, deleted=True)
    if row["id"] not in account.trash:
        raise not_found()
    return row


async def restore(call: Call) -> Row:
    call.require_agent()
    row = _trashed(call.account, call.path["id"])
    row["status"] = call.account.trash.pop(row["id"])["previous_state"]
    call.account.changed("tickets", row)
    return {}


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
    }
    account.comments.pop(row["id"], None)
    account.audits.pop(row["id"], None)
    account.changed("tickets", row, event=False)


async def destroy_one(call: Call) -> Row:
    call.require_agent()
    scrub(call.account, _trashed(call.account, call.path["id"]))
    return {"job_status": start_job(call.account, "Permanently Delete Tickets", None, {"success": True})}


async def destroy_permanently_many(call: Call) -> Row:
    call.require_agent()
    for ticket_id in _ids(call):
        if ticket_id in call.account.trash:
            scrub(call.account, call.account.tickets[ticket_id])
    return {"job_status": start_job(call.account, "Permanently Delete Tickets", None, {"success": True})}


ROUTES = [
    endpoint("GET", "tickets", list_tickets),
    endpoint("POST", "tickets", create_ticket),
    endpoint("GET", "tickets/show_many", show_many),
    endpoint("PUT", "tickets/update_many", update_many),
    endpoint("POST", "tickets/create_many", create_many),
    endpoint("DELETE", "tickets/destroy_many", destroy_many),
    endpoint("GET", "tickets/{id:int}", show_ticket),
    endpoint("PUT", "tickets/{id:int}", update_ticket),
    endpoint("DELETE", "tickets/{id:int}", delete_ticket),
    endpoint("GET", "tickets/{id:int}/audits", list_audits),
    endpoint("GET", "tickets/{id:int}/comments", list_comments),
    endpoint("GET POST PUT DELETE", "tickets/{id:int}/tags", tags),
    endpoint("GET", "deleted_tickets", list_deleted),
    endpoint("DELETE", "deleted_tickets/destroy_many", destroy_permanently_many),
    endpoint("PUT", "deleted_tickets/{id:int}/restore", restore),
    endpoint("DELETE", "deleted_tickets/{id:int}", destroy_one),
]
