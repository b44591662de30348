"""Further ways to tickets: recent ones, problems and incidents, import, spam (facts: Zendesk §3; the reference)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import rows_of, wrapped
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, too_many_created
from tools.zendesk_simulator.paging import ids_of
from tools.zendesk_simulator.resources.jobs import each, start_job, works
from tools.zendesk_simulator.resources.ticket_history import add_comment
from tools.zendesk_simulator.resources.ticket_routes import described, listed, living
from tools.zendesk_simulator.resources.ticket_trash import trash
from tools.zendesk_simulator.resources.tickets import create, find, show
from tools.zendesk_simulator.state import Account, Row

MOST = 100
_IMPORTED = ("created_at", "updated_at")


async def recent(call: Call) -> Row:
    """The last tickets that the caller wrote to."""
    user, account = call.require_agent(), call.account
    seen: dict[int, None] = {}
    for entry in reversed(account.streams["ticket_events"][-1000:]):
        audits = account.audits.get(entry["ticket_id"], ())
        if any(a["id"] == entry["audit_id"] and a["author_id"] == user["id"] for a in audits):
            seen.setdefault(entry["ticket_id"])
    rows = [account.tickets[i] for i in seen if account.tickets[i]["status"] != "deleted"]
    return listed(call, rows, "tickets/recent")


async def problems(call: Call) -> Row:
    call.require_agent()
    return listed(call, [t for t in living(call.account) if t["type"] == "problem"], "problems")


async def incidents(call: Call) -> Row:
    call.require_agent()
    problem = find(call.account, call.path["id"])["id"]
    rows = [t for t in living(call.account) if t["problem_id"] == problem]
    return listed(call, rows, f"tickets/{problem}/incidents")


def _import(account: Account, values: Row, author: int) -> Row:
    """Make a ticket with its history; no trigger runs."""
    comments = values.get("comments") or []
    if comments and not isinstance(comments, list):
        raise invalid(comments="Comments: must be an array")
    first = comments[0] if comments else values.get("comment") or {}
    row, _ = create(account, described({**values, "comment": first}), author, quiet=True)
    for comment in comments[1:]:
        add_comment(account, row, comment, author)
    row.update({k: values[k] for k in _IMPORTED if k in values})
    return row


async def import_one(call: Call) -> tuple[int, Row]:
    call.require_admin()
    values = wrapped(call, "ticket")
    return 201, {"ticket": show(_import(call.account, values, int((call.user or {})["id"])))}


async def import_many(call: Call) -> Row:
    call.require_admin()
    rows = rows_of(call, "tickets")
    if len(rows) > MOST:
        raise too_many_created(MOST, "tickets")
    work = {"kind": "import_tickets", "rows": rows, "author": int((call.user or {})["id"])}
    return {"job_status": start_job(call.account, "Bulk Import Ticket", len(rows), work=work)}


@works("import_tickets")
def _import_all(account: Account, work: Row) -> list[Row]:
    items = [(0, values) for values in work["rows"]]
    return each(items, "create", "Created", lambda v: int(_import(account, v, work["author"])["id"]))


async def spam(call: Call) -> Row:
    """The ticket goes to the trash, its requester is suspended."""
    user, row = call.require_agent(), find(call.account, call.path["id"])
    _spam(call.account, row, int(user["id"]))
    return {}


def _spam(account: Account, row: Row, actor: int) -> None:
    requester = account.users[row["requester_id"]]
    requester["suspended"] = True
    account.changed("users", requester)
    trash(account, row, actor)


async def spam_many(call: Call) -> Row:
    user, ids = call.require_agent(), ids_of(call.request)
    work = {"kind": "spam_tickets", "ids": ids, "author": int(user["id"])}
    return {"job_status": start_job(call.account, "Bulk Mark As Spam", len(ids), work=work)}


@works("spam_tickets")
def _spam_all(account: Account, work: Row) -> list[Row]:
    items = [(i, i) for i in work["ids"]]
    return each(items, "update", "Updated", lambda i: _spam(account, find(account, i), work["author"]))


ROUTES = [
    endpoint("GET", "tickets/recent", recent),
    endpoint("GET", "problems", problems),
    endpoint("GET", "tickets/{id:int}/incidents", incidents),
    endpoint("POST", "imports/tickets", import_one),
    endpoint("POST", "imports/tickets/create_many", import_many),
    endpoint("PUT", "tickets/{id:int}/mark_as_spam", spam),
    endpoint("PUT", "tickets/mark_many_as_spam", spam_many),
]
