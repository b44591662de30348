"""Skips of the guided mode: an agent passes a ticket over and says why (facts: Zendesk §8)."""

from __future__ import annotations

from tools.zendesk_simulator.bodies import integer, wrapped
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import number
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.tickets import find, show
from tools.zendesk_simulator.state import Row


async def create_skip(call: Call) -> tuple[int, Row]:
    user, values = call.require_agent(), wrapped(call, "skip", ("ticket_id", "reason"))
    ticket = find(call.account, integer(call, values, "ticket_id", "skip"))
    now = stamp(call.account.now())
    row = {
        "id": call.account.next_id("skip"),
        "ticket_id": ticket["id"],
        "user_id": user["id"],
        "reason": values.get("reason") or "",
        "created_at": now,
        "updated_at": now,
    }
    call.account.skips.append(row)
    return 201, {"skip": {**row, "ticket": show(ticket)}}


async def list_skips(call: Call) -> Row:
    call.require_agent()
    ticket, user = call.path.get("ticket_id"), call.path.get("user_id")
    path = "skips"
    rows = call.account.skips
    if ticket is not None:
        rows, path = [s for s in rows if s["ticket_id"] == number(ticket)], f"tickets/{ticket}/skips"
    if user is not None:
        rows, path = [s for s in rows if s["user_id"] == number(user)], f"users/{user}/skips"
    tickets = call.account.tickets
    rows = [s for s in rows if tickets[s["ticket_id"]]["status"] != "deleted"]

    def with_ticket(row: Row) -> Row:
        return {**row, "ticket": show(tickets[row["ticket_id"]])}

    if call.query.get("sort_order") == "desc":
        rows = rows[::-1]
    return page(call.request, call.account, "skips", rows, path, with_ticket)


ROUTES = [
    endpoint("GET", "skips", list_skips),
    endpoint("POST", "skips", create_skip),
    endpoint("GET", "tickets/{ticket_id:int}/skips", list_skips),
    endpoint("GET", "users/{user_id:int}/skips", list_skips),
]
