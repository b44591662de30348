"""Cursor and offset pages (facts: Zendesk §2.3)."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from tools.zendesk_simulator.errors import bad_request
from tools.zendesk_simulator.state import Account, Row


def cursor_of(row_id: int) -> str:
    """Return the opaque cursor after a row."""
    value = base64.b64encode(b"i" + struct.pack("<q", row_id)).decode()
    return base64.b64encode(json.dumps({"o": "id", "v": value}, separators=(",", ":")).encode()).decode()


def row_id_of(cursor: str) -> int:
    """Return the row that a cursor stands after."""
    try:
        value = json.loads(base64.b64decode(cursor))["v"]
        return int(struct.unpack("<q", base64.b64decode(value)[1:])[0])
    except (ValueError, KeyError, TypeError, struct.error):
        raise bad_request("InvalidCursor", "Invalid cursor") from None


def _integer(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdigit() else default


def page(request: Request, account: Account, member: str, rows: Sequence[Row], path: str) -> dict[str, Any]:
    """Return one page of rows (ordered by id): cursor style with `page[size]`, else offset style."""
    if "page[size]" in request.query_params:
        return _by_cursor(request, account, member, rows, path)
    size = min(100, max(1, _integer(request, "per_page", 100)))
    number = max(1, _integer(request, "page", 1))
    if number * size > 10_000 + size:
        raise bad_request("InvalidPaginationDepth", "Offset pagination is limited to 10,000 records")
    begin, end = (number - 1) * size, number * size

    def link(n: int) -> str:
        return f"{account.url(path)}?page={n}&per_page={size}"

    return {
        member: rows[begin:end],
        "next_page": link(number + 1) if end < len(rows) else None,
        "previous_page": link(number - 1) if number > 1 else None,
        "count": len(rows),
    }


def _by_cursor(
    request: Request, account: Account, member: str, rows: Sequence[Row], path: str
) -> dict[str, Any]:
    size = min(100, max(1, _integer(request, "page[size]", 100)))
    after, before = request.query_params.get("page[after]"), request.query_params.get("page[before]")
    begin = 0
    if after:
        last = row_id_of(after)
        begin = next((i for i, row in enumerate(rows) if row["id"] > last), len(rows))
    elif before:
        first = row_id_of(before)
        end = next((i for i, row in enumerate(rows) if row["id"] >= first), len(rows))
        begin = max(0, end - size)
    shown = rows[begin : begin + size]
    more = begin + size < len(rows)
    first_cursor = cursor_of(shown[0]["id"]) if shown else None
    last_cursor = cursor_of(shown[-1]["id"]) if shown else None

    def link(name: str, cursor: str | None) -> str | None:
        return f"{account.url(path)}?page[size]={size}&page[{name}]={cursor}" if cursor else None

    return {
        member: shown,
        "meta": {"has_more": more, "after_cursor": last_cursor, "before_cursor": first_cursor},
        "links": {"prev": link("before", first_cursor), "next": link("after", last_cursor) if more else None},
    }
