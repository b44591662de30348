"""What views hold: tickets, rows, counts, previews, and how old these answers may be (facts: Zendesk §4)."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tools.zendesk_simulator.bodies import wrapped
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import too_many_values
from tools.zendesk_simulator.paging import (
    Rows,
    cursor_size,
    ids_of,
    link,
    number_bytes,
    packed,
    page,
    row_id_of,
)
from tools.zendesk_simulator.resources.sideloads import add_related, add_slas, included
from tools.zendesk_simulator.resources.ticket_rows import show as show_ticket
from tools.zendesk_simulator.resources.view_index import ids_in, in_order
from tools.zendesk_simulator.resources.views import (
    checked_conditions,
    execution_of,
    view_of,
    visible,
)
from tools.zendesk_simulator.rights import may_see, right
from tools.zendesk_simulator.state import Account, Row

EXECUTION_AGE, COUNT_WAIT, BIG_COUNT_AGE = 600.0, 5.0, 3600.0
"""Seconds of a Zendesk whose jobs take one second; a simulator with faster jobs answers fresher in proportion."""
BIG_COUNT = 1000
MOST_COUNTS = 20


def _sorting(call: Call, view: Row) -> tuple[str, str]:
    execution = view["execution"]
    sort_by = call.query.get("sort_by") or execution["sort_by"] or "nice_id"
    order = call.query.get("sort_order") or (
        execution["sort_order"] if "sort_by" not in call.query else "asc"
    )
    return str(sort_by), str(order or "asc")


def _ids(call: Call, view: Row) -> list[int]:
    user, account = call.require_agent(), call.account
    ids = ids_in(account, view, user["id"])
    if right(account, user, "ticket_access") != "all":
        ids = [i for i in ids if may_see(account, user, account.tickets[i])]
    return in_order(account, view, ids, *_sorting(call, view))


def _text_bytes(text: str) -> str:
    return base64.b64encode(b"s" + struct.pack("<I", len(text)) + text.encode()).decode()


async def view_tickets(call: Call) -> Row:
    """Whole tickets. Cursors hold a row offset: rows are skipped or repeated when the view changes meanwhile."""
    view, account = view_of(call), call.account
    ids, tickets = _ids(call, view), account.tickets
    path = f"views/{view['id']}/tickets"

    def shown(row: Row) -> Row:
        return add_slas(account, row) if "slas" in included(call) else show_ticket(row)

    if "page[size]" not in call.query:
        answer = page(call.request, account, "tickets", Rows(tickets, ids), path, shown)
        return add_related(call, answer, answer["tickets"])
    size, begin = cursor_size(call.request), 0
    if after := call.query.get("page[after]"):
        begin = row_id_of(after, "offset")
    elif before := call.query.get("page[before]"):
        begin = max(0, row_id_of(before, "offset") - size)
    sort_by, order = _sorting(call, view)
    sort = _text_bytes(f"{'nice_id' if sort_by == 'created' else sort_by} {order}")

    def cursor(offset: int) -> str:
        return packed({"sort": sort, "offset": number_bytes(offset)})

    end, more = begin + size, begin + size < len(ids)
    after_cursor = cursor(end) if more else None
    before_cursor = cursor(begin) if begin else None
    answer = {
        "tickets": [shown(tickets[i]) for i in ids[begin:end]],
        "meta": {"has_more": more, "after_cursor": after_cursor, "before_cursor": before_cursor},
        "links": {
            "prev": before_cursor
            and link(call.request, account, path, **{"page[before]": before_cursor, "page[size]": size}),
            "next": after_cursor
            and link(call.request, account, path, **{"page[after]": after_cursor, "page[size]": size}),
        },
    }
    return add_related(call, answer, answer["tickets"])


def _cells(account: Account, ticket: Row, columns: list[Row]) -> Row:
    """Return the values of a row's columns."""
    values: dict[str, Any] = {
        "assignee": ticket["assignee_id"],
        "group": ticket["group_id"],
        "requester": ticket["requester_id"],
        "submitter": ticket["submitter_id"],
        "organization": ticket["organization_id"],
        "created": ticket["created_at"],
        "updated": ticket["updated_at"],
        "due_date": ticket["due_at"],
        "description": ticket["subject"],
        "nice_id": ticket["id"],
    }
    row: Row = {}
    for shown in columns:
        name = shown["id"]
        if isinstance(name, int):
            fields = row.setdefault("custom_fields", [])
            value = next((f["value"] for f in ticket["custom_fields"] if f["id"] == name), None)
            fields.append({"id": name, "title": shown["title"], "value": value})
        else:
            key = f"{name}_id" if name in ("assignee", "group", "requester", "submitter") else name
            row[key] = values.get(name, ticket.get(name))
    return row


def _executed(call: Call, view: Row, ids: list[int], path: str) -> Row:
    account, columns = call.account, view["execution"]["columns"]

    def row_of(ticket: Row) -> Row:
        partial = {
            k: ticket[k] for k in ("id", "subject", "description", "status", "type", "priority", "url")
        }
        last = account.comments.get(ticket["id"]) or [{}]
        partial["last_comment"] = {
            k: last[-1].get(k) for k in ("id", "body", "public", "author_id", "created_at")
        }
        return {"ticket": partial, "ticket_id": ticket["id"], **_cells(account, ticket, columns)}

    answer = page(call.request, account, "rows", Rows(account.tickets, ids), path, row_of)
    people = [account.tickets[r["ticket_id"]] for r in answer["rows"]]
    answer |= {
        "columns": [{"id": c["id"], "title": c["title"]} for c in columns],
        "groups": [],
        "view": {"id": view.get("id"), "url": view.get("url")},
    }
    return add_related(call, answer, people)


async def execute(call: Call) -> Row:
    """Rows of the view's columns: an answer of the last ten minutes."""
    view, account = view_of(call), call.account
    kept, now = account.tables["view_executions"], account.now().timestamp()
    key = f"{view['updated_at']} {_sorting(call, view)} {(call.user or {}).get('id')}"
    known = kept.get(view["id"])
    if known is None or known["key"] != key or known["at"] <= now - EXECUTION_AGE * account.job_seconds:
        known = {"key": key, "at": now, "ids": list(_ids(call, view))}
        kept[view["id"]] = known
    return _executed(call, view, known["ids"], f"views/{view['id']}/execute")


def counted(account: Account, view: Row, user_id: int | None) -> Row:
    """Return a view's count: null at first, some seconds later a number; a big one stays for an hour."""
    kept, now = account.tables["view_counts"], account.now().timestamp()
    wait, age = COUNT_WAIT * account.job_seconds, BIG_COUNT_AGE * account.job_seconds
    known = kept.get(view["id"])
    if known is None:
        known = kept[view["id"]] = {"asked": now, "at": None, "value": None}
    elif now >= known["asked"] + wait:
        big = (known["value"] or 0) >= BIG_COUNT
        if not big or known["at"] <= now - age:
            known |= {"value": len(ids_in(account, view, user_id)), "at": now}
    fresh = known["at"] is not None
    return {
        "url": account.url(f"views/{view['id']}/count"),
        "view_id": view["id"],
        "value": known["value"],
        "pretty": str(known["value"]) if fresh else "...",
        "fresh": fresh,
        "active": view["active"],
    }


async def count(call: Call) -> Row:
    view = view_of(call)
    return {"view_count": counted(call.account, view, (call.user or {}).get("id"))}


async def count_many(call: Call) -> Row:
    """At most 20; a common client names them `count_many` instead of `ids`."""
    user = call.require_agent()
    ids = ids_of(call.request) or ids_of(call.request, "count_many")
    if len(ids) > MOST_COUNTS:
        raise too_many_values(MOST_COUNTS)
    rows = [v for v in visible(call.account, user) if v["id"] in ids]
    return {"view_counts": [counted(call.account, v, user["id"]) for v in rows]}


def _preview(call: Call) -> Row:
    call.require_agent()
    values = wrapped(call, "view")
    conditions = checked_conditions(values, "api/v2/rules/views/preview")
    return {"id": None, "conditions": conditions, "execution": execution_of(call.account, values)}


def _previewed(call: Call, view: Row) -> list[int]:
    user_id = (call.user or {}).get("id")
    ids = ids_in(call.account, {**view, "id": "preview"}, user_id)
    call.account.tables["view_index"].pop("preview", None)
    return in_order(call.account, view, ids, *_sorting(call, view))


async def preview(call: Call) -> Row:
    view = _preview(call)
    return _executed(call, view, _previewed(call, view), "views/preview")


async def preview_count(call: Call) -> Row:
    value = len(_previewed(call, _preview(call)))
    return {"view_count": {"view_id": None, "value": value, "pretty": str(value), "fresh": True}}


async def export(call: Call) -> Row:
    view = view_of(call)
    return {"export": {"view_id": view["id"], "status": "starting"}}


ROUTES = [
    endpoint("GET", "views/{id:int}/tickets", view_tickets),
    endpoint("GET", "views/{id:int}/execute", execute),
    endpoint("GET", "views/{id:int}/count", count),
    endpoint("GET", "views/{id:int}/export", export),
    endpoint("GET", "views/count_many", count_many),
    endpoint("POST", "views/preview", preview),
    endpoint("POST", "views/preview/count", preview_count),
]
