"""Incremental exports: cursor and time (facts: Zendesk §7). Admins only; never the last minute of tickets."""

from __future__ import annotations

import base64
import functools

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import bad_request
from tools.zendesk_simulator.state import Row

HIDDEN_SECONDS = 60


def cursor_of(row: Row) -> str:
    """Return the cursor after a row."""
    return base64.b64encode(f"{row['generated_timestamp']}.0||{row['id']}|".encode()).decode()


def position_of(cursor: str) -> tuple[int, int]:
    """Return (generated_timestamp, id) of a cursor."""
    try:
        at, _, rest = base64.b64decode(cursor).decode().partition(".0||")
        return int(at), int(rest.rstrip("|"))
    except (ValueError, UnicodeDecodeError):
        raise bad_request("InvalidValue", "cursor is not valid") from None


def _start(call: Call) -> int:
    text = str(call.query.get("start_time", ""))
    now = int(call.account.now().timestamp())
    if not text.isdigit():
        raise bad_request("InvalidValue", "start_time is not valid")
    if int(text) > now - HIDDEN_SECONDS:
        raise bad_request("StartTimeTooRecent", "Too recent start_time. Use a start_time older than 1 minute")
    return int(text)


def _limit(call: Call) -> int:
    text = str(call.query.get("per_page", ""))
    return min(1000, int(text)) if text.isdigit() and int(text) > 0 else 1000


def _before(call: Call, kind: str) -> int:
    now = int(call.account.now().timestamp())
    return now - HIDDEN_SECONDS if kind == "tickets" else now + 1


async def by_cursor(call: Call, kind: str) -> Row:
    call.require_admin()
    cursor = call.query.get("cursor")
    after = position_of(cursor) if cursor else (_start(call), -1)
    rows, ended = call.account.exported(kind, after, _before(call, kind), _limit(call))
    last = cursor_of(rows[-1]) if rows else cursor
    if last is None:
        last = base64.b64encode(f"{after[0]}.0||0|".encode()).decode()
    url = f"{call.account.base}/api/v2/incremental/{kind}/cursor.json?cursor={last}"
    return {
        kind: [_export(r) for r in rows],
        "after_url": url,
        "before_url": None,
        "after_cursor": last,
        "before_cursor": None,
        "end_of_stream": ended,
    }


def _export(row: Row) -> Row:
    if "assignee_id" in row:
        return row
    hidden = () if not row["active"] else ("permanently_deleted",)
    shown = {k: v for k, v in row.items() if k not in hidden}
    if not row["active"]:
        shown.setdefault("permanently_deleted", False)
    return shown


async def by_time(call: Call, kind: str) -> Row:
    """Stops at the limit; a second that is whole on the page is never cut (facts §7)."""
    call.require_admin()
    start, limit = _start(call), _limit(call)
    rows, ended = call.account.exported(kind, (start, -1), _before(call, kind), limit)
    end_time = rows[-1]["generated_timestamp"] if rows else start
    if rows and not ended and rows[0]["generated_timestamp"] == end_time:
        more, ended = call.account.exported(kind, (end_time, rows[-1]["id"]), end_time + 1, 1_000_000)
        rows += more
        end_time += 1
    return {
        kind: [_export(r) for r in rows],
        "count": len(rows),
        "next_page": f"{call.account.base}/api/v2/incremental/{kind}.json?start_time={end_time}",
        "end_time": end_time,
        "end_of_stream": ended,
    }


ROUTES = [
    route
    for kind in ("tickets", "users")
    for route in (
        endpoint("GET", f"incremental/{kind}/cursor", functools.partial(by_cursor, kind=kind)),
        endpoint("GET", f"incremental/{kind}", functools.partial(by_time, kind=kind)),
    )
]
