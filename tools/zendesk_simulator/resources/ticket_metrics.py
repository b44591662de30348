"""Metrics of tickets, counted from their audits and comments (source: reference Ticket Metrics)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from tools.zendesk_simulator.bodies import find as find_row
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.ticket_routes import living
from tools.zendesk_simulator.resources.tickets import find
from tools.zendesk_simulator.state import Account, Row

_SOLVED = ("solved", "closed")


def _changes(account: Account, ticket: Row, name: str) -> list[tuple[str, str]]:
    """Return when a field became which value, from the creation on."""
    found: list[tuple[str, str]] = []
    for audit in account.audits.get(ticket["id"], ()):
        found += [(audit["created_at"], e["value"]) for e in audit["events"] if e.get("field_name") == name]
    return found


def _minutes(span: timedelta) -> Row:
    """Return a span; business hours are calendar hours here."""
    minutes = int(span / timedelta(minutes=1))
    return {"calendar": minutes, "business": minutes}


def _between(first: str, second: str | None) -> Row:
    if second is None:
        return {"calendar": None, "business": None}
    return _minutes(datetime.fromisoformat(second) - datetime.fromisoformat(first))


def _in_status(account: Account, ticket: Row, *statuses: str) -> Row:
    """Return how long a ticket was in some statuses, until now or until it was solved."""

    def spans() -> Iterator[timedelta]:
        steps = [(datetime.fromisoformat(at), value) for at, value in _changes(account, ticket, "status")]
        for (begin, status), (end, _) in pairwise([*steps, (account.now(), "")]):
            if status in statuses:
                yield end - begin

    return _minutes(sum(spans(), timedelta()))


def metrics_of(account: Account, ticket: Row) -> Row:
    """Return a ticket's metrics; they have the ticket's own id here."""
    statuses = _changes(account, ticket, "status")
    assigned = [at for at, value in _changes(account, ticket, "assignee_id") if value]
    solved = [at for at, value in statuses if value in _SOLVED]
    reopened = sum(a in _SOLVED and b not in _SOLVED for (_, a), (_, b) in pairwise(statuses))
    comments = account.comments.get(ticket["id"], [])
    staff = {u["id"] for u in account.users.values() if u["role"] != "end-user"}
    replies = [c["created_at"] for c in comments[1:] if c["public"] and c["author_id"] in staff]
    asked = [c["created_at"] for c in comments if c["author_id"] == ticket["requester_id"]]
    last_solved = solved[-1] if solved and ticket["status"] in _SOLVED else None
    return {
        "url": account.url(f"ticket_metrics/{ticket['id']}"),
        "id": ticket["id"],
        "ticket_id": ticket["id"],
        "group_stations": len({value for _, value in _changes(account, ticket, "group_id") if value}),
        "assignee_stations": len({value for _, value in _changes(account, ticket, "assignee_id") if value}),
        "reopens": reopened,
        "replies": len(replies),
        "assignee_updated_at": replies[-1] if replies else None,
        "requester_updated_at": asked[-1] if asked else ticket["created_at"],
        "status_updated_at": statuses[-1][0] if statuses else ticket["created_at"],
        "initially_assigned_at": assigned[0] if assigned else None,
        "assigned_at": assigned[-1] if assigned else None,
        "solved_at": last_solved,
        "latest_comment_added_at": comments[-1]["created_at"] if comments else None,
        "reply_time_in_minutes": _between(ticket["created_at"], replies[0] if replies else None),
        "first_resolution_time_in_minutes": _between(ticket["created_at"], solved[0] if solved else None),
        "full_resolution_time_in_minutes": _between(ticket["created_at"], last_solved),
        "agent_wait_time_in_minutes": _in_status(account, ticket, "pending"),
        "requester_wait_time_in_minutes": _in_status(account, ticket, "new", "open", "hold"),
        "on_hold_time_in_minutes": _in_status(account, ticket, "hold"),
        "created_at": ticket["created_at"],
        "updated_at": ticket["updated_at"],
    }


async def of_ticket(call: Call) -> Row:
    call.require_agent()
    return {"ticket_metric": metrics_of(call.account, find(call.account, call.path["id"]))}


async def list_metrics(call: Call) -> Row:
    call.require_agent()
    account = call.account
    return page(
        call.request,
        account,
        "ticket_metrics",
        living(account),
        "ticket_metrics",
        lambda t: metrics_of(account, t),
    )


async def show_metrics(call: Call) -> Row:
    call.require_agent()
    ticket = find_row(call.account.tickets, call.path["id"])
    return {"ticket_metric": metrics_of(call.account, ticket)}


ROUTES = [
    endpoint("GET", "tickets/{id:int}/metrics", of_ticket),
    endpoint("GET", "ticket_metrics", list_metrics),
    endpoint("GET", "ticket_metrics/{id:int}", show_metrics),
]
