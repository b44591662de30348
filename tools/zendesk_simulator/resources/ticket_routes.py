"""Endpoints of single tickets and their lists (facts: Zendesk §3.1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import bad_request, forbidden, invalid, number
from tools.zendesk_simulator.paging import Rows, ids_of, page
from tools.zendesk_simulator.resources.jobs import start_job
from tools.zendesk_simulator.resources.sideloads import add_related, add_slas, included
from tools.zendesk_simulator.resources.ticket_history import text_of
from tools.zendesk_simulator.resources.ticket_rows import PERMITTED
from tools.zendesk_simulator.resources.ticket_trash import trash
from tools.zendesk_simulator.resources.tickets import create, find, show, update
from tools.zendesk_simulator.resources.users import show as show_user
from tools.zendesk_simulator.resources.view_index import ids_in
from tools.zendesk_simulator.rights import may_see, require, right
from tools.zendesk_simulator.state import Account, Row

IDEMPOTENCY_SECONDS = 7200
_EVERY: Row = {"id": "living", "conditions": {}}


def living(account: Account) -> Sequence[Row]:
    """Return the tickets that lists show: neither deleted nor archived."""
    return Rows(account.tickets, ids_in(account, _EVERY))


def _seen(call: Call) -> Row:
    """Return the ticket of the path; refuses those whose access does not reach it."""
    user, row = call.require_agent(), find(call.account, call.path["id"])
    if not may_see(call.account, user, row):
        raise forbidden()
    return row


def seen(call: Call, rows: Sequence[Row]) -> Sequence[Row]:
    """Return the tickets that the caller's access reaches."""
    user, account = call.require_agent(), call.account
    if right(account, user, "ticket_access") == "all":
        return rows
    return [row for row in rows if may_see(account, user, row)]


def described(values: Row) -> Row:
    """Refuse a new ticket without a description."""
    if not text_of(values.get("comment") or {}) and not values.get("description"):
        raise invalid("BlankValue", base="Description: cannot be blank")
    return values


def listed(call: Call, rows: Sequence[Row], path: str) -> Row:
    """Return a page of tickets with what `include` asks for."""
    account = call.account
    with_slas = "slas" in included(call)
    answer = page(
        call.request,
        account,
        "tickets",
        seen(call, rows),
        path,
        (lambda r: add_slas(account, r)) if with_slas else show,
    )
    return add_related(call, answer, answer["tickets"])


async def create_ticket(call: Call) -> tuple[int, Row]:
    author = int(call.require_agent()["id"])
    values = described(wrapped(call, "ticket", PERMITTED))
    account, key = call.account, call.request.headers.get("idempotency-key")
    now = account.now().timestamp()
    if key:
        text = json.dumps(call.body, sort_keys=True)
        if key in account.idempotency and account.idempotency[key][1]["at"] > now - IDEMPOTENCY_SECONDS:
            known, kept = account.idempotency[key]
            if known != text:
                raise bad_request(
                    "IdempotentRequestError",
                    "Request parameters must be identical for requests with the same idempotency key",
                )
            call.headers["x-idempotency-lookup"] = "hit"
            return 201, kept["answer"]
        call.headers["x-idempotency-lookup"] = "miss"
    row, audit = create(account, values, author)
    answer: Row = {"ticket": show(row), "audit": audit}
    if key:
        account.idempotency[key] = (text, {"at": now, "answer": json.loads(json.dumps(answer))})
    if call.query.get("async") == "true":
        result = [{"index": 0, "id": row["id"], "account_id": account.id}]
        job = start_job(account, "Create Ticket", 1, result)
        return 202, {"ticket": {"id": row["id"]}, "job_status": job}
    return 201, answer


async def show_ticket(call: Call) -> Row:
    row = _seen(call)
    shown = add_slas(call.account, row) if "slas" in included(call) else show(row)
    return add_related(call, {"ticket": shown}, [row])


async def list_tickets(call: Call) -> Row:
    call.require_agent()
    rows = living(call.account)
    if wanted := call.query.get("external_id"):
        rows = [t for t in rows if t["external_id"] == wanted]
    return listed(call, rows, "tickets")


async def show_many(call: Call) -> Row:
    call.require_agent()
    tickets = call.account.tickets
    rows = [
        show(tickets[i]) for i in ids_of(call.request) if i in tickets and tickets[i]["status"] != "deleted"
    ]
    answer = {"tickets": rows, "next_page": None, "previous_page": None, "count": len(rows)}
    return add_related(call, answer, rows)


async def count_tickets(call: Call) -> Row:
    call.require_agent()
    value = len(living(call.account))
    return {"count": {"value": value, "refreshed_at": stamp(call.account.now())}}


async def update_ticket(call: Call) -> Row:
    author, row = int(require(call, "ticket_editing")["id"]), _seen(call)
    audit = update(call.account, row, wrapped(call, "ticket", PERMITTED), author)
    return {"ticket": show(row), "audit": audit}


async def delete_ticket(call: Call) -> tuple[int, None]:
    user, row = require(call, "ticket_deletion"), _seen(call)
    if row["status"] == "closed" and user["role"] != "admin":
        raise forbidden()
    trash(call.account, row, int(user["id"]))
    return 204, None


def _of_user(relation: str, fits: Any) -> Any:
    async def of_user(call: Call) -> Row:
        call.require_agent()
        user_id, account = number(call.path["id"]), call.account
        if relation == "requested":
            ids = sorted(account.by_requester.get(user_id, ()))
            rows = [account.tickets[i] for i in ids if i in account.tickets]
            rows = [t for t in rows if t["status"] != "deleted" and "archived" not in t]
        else:
            rows = [t for t in living(account) if fits(t, user_id)]
        return listed(call, rows, f"users/{user_id}/tickets/{relation}")

    return endpoint("GET", f"users/{{id:int}}/tickets/{relation}", of_user)


async def of_organization(call: Call) -> Row:
    call.require_agent()
    wanted = number(call.path["id"])
    rows = [t for t in living(call.account) if t["organization_id"] == wanted]
    return listed(call, rows, f"organizations/{wanted}/tickets")


async def related(call: Call) -> Row:
    call.require_agent()
    row = find(call.account, call.path["id"])
    return {
        "topic_id": None,
        "jira_issue_ids": [],
        "followup_source_ids": [],
        "from_archive": "archived" in row,
        "incidents": 0,
        "url": f"{row['url'].removesuffix('.json')}/related.json",
    }


async def people(call: Call) -> Row:
    """Collaborators, followers or e-mail copies as users."""
    call.require_agent()
    row = find(call.account, call.path["id"])
    kind = call.request.url.path.rsplit("/", 1)[-1]
    member = {"collaborators": "collaborator_ids", "followers": "follower_ids"}.get(kind, "email_cc_ids")
    rows = [show_user(call.account.users[i]) for i in row[member] if i in call.account.users]
    return page(call.request, call.account, "users", rows, f"tickets/{row['id']}/{kind}")


ROUTES = [
    endpoint("GET", "tickets", list_tickets),
    endpoint("POST", "tickets", create_ticket),
    endpoint("GET", "tickets/show_many", show_many),
    endpoint("GET", "tickets/count", count_tickets),
    endpoint("GET", "tickets/{id:int}", show_ticket),
    endpoint("PUT", "tickets/{id:int}", update_ticket),
    endpoint("DELETE", "tickets/{id:int}", delete_ticket),
    endpoint("GET", "tickets/{id:int}/related", related),
    endpoint("GET", "tickets/{id:int}/collaborators", people),
    endpoint("GET", "tickets/{id:int}/followers", people),
    endpoint("GET", "tickets/{id:int}/email_ccs", people),
    _of_user("requested", None),
    _of_user("assigned", lambda t, u: t["assignee_id"] == u),
    _of_user("ccd", lambda t, u: u in t["email_cc_ids"] or u in t["collaborator_ids"]),
    _of_user("followed", lambda t, u: u in t["follower_ids"]),
    endpoint("GET", "organizations/{id:int}/tickets", of_organization),
]
