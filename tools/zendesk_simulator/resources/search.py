"""Search, its count and its export (facts: Zendesk §2.3)."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, bad_request, newer, wrong_type
from tools.zendesk_simulator.paging import link, whole
from tools.zendesk_simulator.resources.organizations import living as organizations
from tools.zendesk_simulator.resources.organizations import show as show_organization
from tools.zendesk_simulator.resources.ticket_routes import living as tickets
from tools.zendesk_simulator.resources.tickets import show as show_ticket
from tools.zendesk_simulator.resources.user_routes import living as users
from tools.zendesk_simulator.resources.users import show as show_user
from tools.zendesk_simulator.search_query import matcher, parse
from tools.zendesk_simulator.state import STATUSES, Account, Row
from tools.zendesk_simulator.ticket_index import candidates

KINDS = ("ticket", "user", "organization", "group")
LIMIT = 1000
_SORTS = ("updated_at", "created_at", "priority", "status", "ticket_type")
_PRIORITIES = ("low", "normal", "high", "urgent")


def _rows(account: Account, kind: str) -> Sequence[Row]:
    if kind == "ticket":
        return tickets(account)
    if kind == "user":
        return users(account)
    if kind == "organization":
        return list(organizations(account).values())
    return [g for g in account.groups.values() if not g["deleted"]]


def _shown(kind: str, row: Row) -> Row:
    show: Any = {"ticket": show_ticket, "user": show_user, "organization": show_organization}.get(kind, dict)
    return {**show(row), "result_type": kind}


def _found(call: Call, kinds: tuple[str, ...]) -> list[tuple[str, Row]]:
    user, text = call.require_agent(), call.query.get("query")
    if text is None:
        raise Refusal(422, {"error": "invalid", "description": "Invalid search: Query parameter is required"})
    if only := call.query.get("filter[type]"):
        kinds = tuple(k for k in kinds if k == only)
    asked, _ = parse(text)
    fits = matcher(call.account, text, user["id"])
    wanted = [k for k in kinds if not asked or k in asked]
    return [(k, row) for k in wanted for row in _candidates(call, k, text) if fits(k, row)]


def _candidates(call: Call, kind: str, text: str) -> Sequence[Row]:
    """Return the rows of a kind among which are all that fit."""
    account, user = call.account, call.user
    ids = candidates(account, text, user["id"] if user else None) if kind == "ticket" else None
    if ids is None:
        return _rows(account, kind)
    rows = (account.tickets[i] for i in ids)
    return [row for row in rows if row["status"] != "deleted" and "archived" not in row]


def _order(call: Call, found: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Newest first unless `sort_by` says otherwise; relevance is not simulated."""
    by, order = call.query.get("sort_by"), call.query.get("sort_order", "desc")
    if by not in (None, "", *_SORTS):
        raise Refusal(422, {"error": "invalid", "description": f"Invalid search: invalid sort_by value {by}"})

    def key(item: tuple[str, Row]) -> tuple[Any, int]:
        row = item[1]
        if by == "status":
            return STATUSES.index(row["status"]) if row.get("status") in STATUSES else -1, row["id"]
        if by == "priority":
            return _PRIORITIES.index(row["priority"]) if row.get("priority") in _PRIORITIES else -1, row["id"]
        member = {"ticket_type": "type"}.get(str(by), str(by or "created_at"))
        return str(row.get(member) or ""), row["id"]

    return sorted(found, key=key, reverse=order != "asc")


async def search(call: Call) -> Row:
    """Offset pages only, the first 1,000 results only; the count is the true one."""
    if "page[size]" in call.query or not str(call.query.get("page", "1")).isdigit():
        raise wrong_type("page", "an integer", "api/v2/search/index")
    size, number = min(100, max(1, whole(call.request, "per_page", 100))), whole(call.request, "page", 1)
    found = _order(call, _found(call, KINDS))
    if number * size > LIMIT and (number - 1) * size >= LIMIT:
        text = "Invalid search: Requested response size was greater than Search Response Limits"
        raise Refusal(422, {"error": "invalid", "description": text})
    begin, end = (number - 1) * size, min(LIMIT, number * size)
    account = call.account
    more = number * size < len(found)
    return {
        "results": [_shown(k, row) for k, row in found[begin:end]],
        "facets": None,
        "next_page": link(call.request, account, "search", page=number + 1, per_page=size) if more else None,
        "previous_page": link(call.request, account, "search", page=number - 1, per_page=size)
        if number > 1
        else None,
        "count": len(found),
    }


async def count(call: Call) -> Row:
    return {"count": len(_found(call, KINDS))}


async def export(call: Call) -> Row:
    """Cursor pages over all results of one type, by creation; there is no way back."""
    kind = call.query.get("filter[type]")
    if kind not in KINDS:
        raise newer(400, "InvalidValue", f"filter[type] must be one of {', '.join(KINDS)}")
    text = call.query.get("page[size]", "100")
    if not text.isdigit() or not 1 <= int(text) <= LIMIT:
        raise newer(400, "InvalidPaginationParameter", f"page[size] must be between 1 and {LIMIT}")
    found = sorted(_found(call, (kind,)), key=lambda f: (f[1]["created_at"], f[1]["id"]))
    if cursor := call.query.get("page[after]"):
        after = _position(cursor)
        found = [f for f in found if (f[1]["created_at"], f[1]["id"]) > after]
    page, more = found[: int(text)], len(found) > int(text)
    last = _cursor(page[-1][1]) if page else None
    after_link = {"page[after]": last, "page[size]": int(text)}
    return {
        "results": [_shown(k, row) for k, row in page],
        "facets": None,
        "meta": {"has_more": more, "after_cursor": last, "before_cursor": None},
        "links": {
            "prev": None,
            "next": link(call.request, call.account, "search/export", **after_link) if more else None,
        },
    }


def _cursor(row: Row) -> str:
    return base64.b64encode(json.dumps([row["created_at"], row["id"]]).encode()).decode()


def _position(cursor: str) -> tuple[str, int]:
    try:
        at, row_id = json.loads(base64.b64decode(cursor))
        return str(at), int(row_id)
    except (ValueError, TypeError):
        raise bad_request("InvalidCursor", "page[after] is not valid") from None


ROUTES = [
    endpoint("GET", "search", search),
    endpoint("GET", "search/count", count),
    endpoint("GET", "search/export", export),
]
