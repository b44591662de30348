"""Cursor and offset pages (facts: Zendesk §2.3).

Cursor style with `page[size]`, else offset style. With both, the cursor wins and `sort_by` is ignored, as on the
live service; past 10,000 records offset pages are refused; cursors sort by `id`, `updated_at` or `status` only.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, overload
from urllib.parse import quote, urlencode

from starlette.requests import Request

from tools.zendesk_simulator.errors import Refusal, bad_request, newer, wrong_type
from tools.zendesk_simulator.state import Account, Row

MAXIMUM = 100
DEEPEST = 10_000
Show = Callable[[Row], Any]
CURSOR_SORTS = ("id", "updated_at", "status")
_PAGE_PARAMETERS = {"page", "per_page", "page[size]", "page[after]", "page[before]"}


def packed(value: dict[str, str]) -> str:
    """Return a cursor: base64 of JSON."""
    return base64.b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def number_bytes(value: int) -> str:
    """Return a number as cursors hold it: base64 of `i` and a little-endian int64."""
    return base64.b64encode(b"i" + struct.pack("<q", value)).decode()


def cursor_of(row_id: int, order: str = "id") -> str:
    """Return the opaque cursor after a row."""
    return packed({"o": order, "v": number_bytes(row_id)})


def row_id_of(cursor: str, member: str = "v") -> int:
    """Return the row that a cursor stands after."""
    try:
        value = json.loads(base64.b64decode(cursor))[member]
        return int(struct.unpack("<q", base64.b64decode(value)[1:])[0])
    except (ValueError, KeyError, TypeError, struct.error):
        raise newer(400, "InvalidPaginationParameter", "page[after] is not valid") from None


class Rows(Sequence[Row]):
    """Rows of a table by their ids, looked up when they are read: a page of a long list costs a page."""

    def __init__(self, table: Mapping[int, Row], ids: Sequence[int]) -> None:
        self._table = table
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [self._table[i] for i in self._ids[place]]
        return self._table[self._ids[place]]


def as_is(row: Row) -> Row:
    """Show a row as it is."""
    return row


def whole(request: Request, name: str, default: int) -> int:
    """Return a whole number of the query; other text is refused."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    if not text.lstrip("-").isdigit():
        words = [w for w in request.url.path.split("/") if w and not w.isdigit()]
        raise wrong_type(name, "an integer", "/".join([*words, "index"]))
    return int(text)


def link(request: Request, account: Account, path: str, **changes: object) -> str:
    """Return the address of another page: the request's own query with other page parameters."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in _PAGE_PARAMETERS]
    query = urlencode([*kept, *changes.items()], quote_via=quote, safe="[],")
    return f"{account.url(path)}?{query}"


def _sorted_by(rows: Sequence[Row], name: str, *, descending: bool) -> Sequence[Row]:
    return sorted(rows, key=lambda r: (str(r.get(name) or ""), r.get("id", 0)), reverse=descending)


def page(
    request: Request,
    account: Account,
    member: str,
    rows: Sequence[Row],
    path: str,
    show: Show = as_is,
    sorts: tuple[str, ...] = CURSOR_SORTS,
) -> dict[str, Any]:
    """Return one page of rows that are ordered by id.

    Args:
        member: name of the rows in the answer.
        path: of the endpoint, without suffix, for the links.
        show: makes the answer's row of a row; only rows of the page are shown.
        sorts: what cursor pages can be sorted by.
    """
    if "page[size]" in request.query_params:
        return _by_cursor(request, account, member, rows, path, show, sorts)
    size = whole(request, "per_page", MAXIMUM)
    number = max(1, whole(request, "page", 1))
    size = min(MAXIMUM, size) if size > 0 else MAXIMUM
    if (number - 1) * size >= DEEPEST:
        text = f"Pagination requests using Offset Pagination are limited to {DEEPEST} records"
        raise newer(400, "InvalidPaginationDepth", text)
    if (by := request.query_params.get("sort_by")) and rows and by in rows[0]:
        rows = _sorted_by(rows, by, descending=request.query_params.get("sort_order") == "desc")
    begin, end = (number - 1) * size, number * size
    return {
        member: [show(row) for row in rows[begin:end]],
        "next_page": link(request, account, path, page=number + 1, per_page=size)
        if end < len(rows)
        else None,
        "previous_page": link(request, account, path, page=number - 1, per_page=size) if number > 1 else None,
        "count": len(rows),
    }


def one_page(member: str, rows: Sequence[Any]) -> dict[str, Any]:
    """Return rows that Zendesk never pages, with the offset members."""
    return {member: list(rows), "next_page": None, "previous_page": None, "count": len(rows)}


def cursor_size(request: Request, most: int = MAXIMUM) -> int:
    """Return `page[size]`; refuses what is not between 1 and the most."""
    text = request.query_params.get("page[size]", "")
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise newer(400, "InvalidPaginationParameter", f"page[size] must be between 1 and {most}")
    return int(text)


def _order(request: Request, sorts: tuple[str, ...]) -> str:
    order = request.query_params.get("sort", "id")
    if order.lstrip("-") not in sorts:
        raise newer(400, "InvalidPaginationParameter", "sort is not valid")
    return str(order)


def _by_cursor(
    request: Request,
    account: Account,
    member: str,
    rows: Sequence[Row],
    path: str,
    show: Show,
    sorts: tuple[str, ...],
) -> dict[str, Any]:
    size, order = cursor_size(request), _order(request, sorts)
    if order != "id" and rows and order.lstrip("-") in rows[0]:
        rows = _sorted_by(rows, order.lstrip("-"), descending=order.startswith("-"))
    after, before = request.query_params.get("page[after]"), request.query_params.get("page[before]")
    begin, end = 0, size
    if after:
        begin = _place(rows, row_id_of(after), order) + 1
        end = begin + size
    elif before:
        end = _place(rows, row_id_of(before), order)
        begin = max(0, end - size)
    shown = rows[begin:end]
    more = end < len(rows)
    first = cursor_of(shown[0]["id"], order) if shown else None
    last = cursor_of(shown[-1]["id"], order) if shown else None
    return {
        member: [show(row) for row in shown],
        "meta": {"has_more": more, "after_cursor": last, "before_cursor": first},
        "links": {
            "prev": link(request, account, path, **{"page[before]": first, "page[size]": size})
            if first
            else None,
            "next": link(request, account, path, **{"page[after]": last, "page[size]": size})
            if more
            else None,
        },
    }


def _place(rows: Sequence[Row], row_id: int, order: str) -> int:
    """Return the position of a row; where it is gone, of the last one before it."""
    if order == "id":
        low, high = 0, len(rows)
        while low < high:
            middle = (low + high) // 2
            if rows[middle]["id"] <= row_id:
                low = middle + 1
            else:
                high = middle
        if low and rows[low - 1]["id"] == row_id:
            return low - 1
        if all(a["id"] < b["id"] for a, b in pairwise(rows)):
            return low - 1
    return next((i for i, row in enumerate(rows) if row["id"] == row_id), len(rows))


def ids_of(request: Request, name: str = "ids", most: int = MAXIMUM) -> list[int]:
    """Return the ids of a query parameter (`1,2,3`).

    Raises:
        Refusal: more than `most`, or text that is no id.
    """
    texts = [t.strip() for t in request.query_params.get(name, "").split(",") if t.strip()]
    if len(texts) > most:
        text = f"Parameter  cannot specify more than {most} values"
        raise Refusal(400, {"error": "TooManyValues", "description": text, "max_count": most})
    if any(not t.isdigit() for t in texts):
        raise bad_request("InvalidValue", f"Parameter {name} must be a list of ids")
    return [int(t) for t in texts]
