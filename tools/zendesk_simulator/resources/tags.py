"""Tags of tickets, users and organisations, and of the account (facts: Zendesk §3.1)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from starlette.routing import Route

from tools.zendesk_simulator.bodies import action_of, find
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import wrong_type
from tools.zendesk_simulator.paging import page
from tools.zendesk_simulator.resources.ticket_rows import find as find_ticket
from tools.zendesk_simulator.resources.ticket_rows import set_tags
from tools.zendesk_simulator.resources.tickets import update
from tools.zendesk_simulator.state import Account, Row

_MEMBER = {"POST": "tags", "PUT": "additional_tags", "DELETE": "remove_tags"}
_STATUS = {"POST": 201, "PUT": 200, "DELETE": 204}


def _given(call: Call) -> Row:
    """POST sets, PUT adds, DELETE removes."""
    tags = call.body.get("tags")
    if not isinstance(tags, list | str):
        raise wrong_type("tags", "an array", action_of(call))
    return {_MEMBER[call.request.method]: tags}


async def of_ticket(call: Call) -> Any:
    user, row = call.require_agent(), find_ticket(call.account, call.path["id"])
    if call.request.method == "GET":
        return {"tags": row["tags"]}
    update(call.account, row, _given(call), int(user["id"]))
    return _STATUS[call.request.method], {"tags": row["tags"]}


async def of_user(call: Call) -> Any:
    call.require_agent()
    row = find(call.account.users, call.path["id"])
    if call.request.method == "GET":
        return {"tags": row["tags"]}
    set_tags(row, _given(call))
    call.account.changed("users", row)
    return _STATUS[call.request.method], {"tags": row["tags"]}


async def of_organization(call: Call) -> Any:
    call.require_agent()
    row = find(call.account.tables["organizations"], call.path["id"])
    if call.request.method == "GET":
        return {"tags": row["tags"]}
    set_tags(row, _given(call))
    call.account.changed("organizations", row)
    return _STATUS[call.request.method], {"tags": row["tags"]}


def _counted(account: Account) -> list[Row]:
    counts = Counter(t for row in account.tickets.values() if row["status"] != "deleted" for t in row["tags"])
    return [{"id": i, "name": name, "count": n} for i, (name, n) in enumerate(counts.most_common(20_000), 1)]


async def list_tags(call: Call) -> Row:
    """The 20,000 most used tags of tickets."""
    call.require_agent()
    return page(
        call.request,
        call.account,
        "tags",
        _counted(call.account),
        "tags",
        lambda r: {k: v for k, v in r.items() if k != "id"},
    )


async def count_tags(call: Call) -> Row:
    call.require_agent()
    value = len(_counted(call.account))
    return {"count": {"value": value, "refreshed_at": stamp(call.account.now())}}


async def autocomplete(call: Call) -> Row:
    call.require_agent()
    start = str(call.query.get("name", "")).lower()
    return {"tags": sorted(r["name"] for r in _counted(call.account) if r["name"].lower().startswith(start))}


ROUTES: list[Route] = [
    endpoint("GET POST PUT DELETE", "tickets/{id:int}/tags", of_ticket),
    endpoint("GET POST PUT DELETE", "users/{id:int}/tags", of_user),
    endpoint("GET POST PUT DELETE", "organizations/{id:int}/tags", of_organization),
    endpoint("GET", "tags", list_tags),
    endpoint("GET", "tags/count", count_tags),
    endpoint("GET", "autocomplete/tags", autocomplete),
]
