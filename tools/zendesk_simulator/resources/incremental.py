"""Incremental exports: cursor and time (facts: Zendesk §6, §7). Admins only; never the last minute of tickets."""

from __future__ import annotations

import base64
import functools
from typing import Any

from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, bad_request
from tools.zendesk_simulator.resources.sideloads import add_related
from tools.zendesk_simulator.resources.ticket_history import audit_of
from tools.zendesk_simulator.state import Account, Row

HIDDEN_SECONDS = 60
MOST, SAMPLE, ROUTING_MOST = 1000, 50, 3000
_LAST = 1 << 62
_INTERNAL = ("slas", "archived", "deleted_at")


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
    if not text:
        raise bad_request("StartTimeMissing", "start_time parameter is missing")
    if not text.isdigit():
        raise bad_request("InvalidValue", "start_time parameter must be a Unix timestamp")
    if int(text) > now - HIDDEN_SECONDS:
        words = "Too recent start_time. Use a start_time older than 1 minute"
        raise Refusal(422, {"error": "InvalidValue", "description": words})
    return int(text)


def _limit(call: Call) -> int:
    text = str(call.query.get("per_page", ""))
    return min(MOST, int(text)) if text.isdigit() and int(text) > 0 else MOST


def _before(account: Account, kind: str) -> int:
    now = int(account.now().timestamp())
    return now - HIDDEN_SECONDS if kind in ("tickets", "ticket_events") else now + 1


def _kept(call: Call, kind: str) -> dict[str, str]:
    """Return the parameters that the next page's address keeps."""
    names = ("per_page", "include", "exclude_deleted")
    return {n: call.query[n] for n in names if n in call.query and call.query[n] != "None"}


def _url(call: Call, kind: str, **parameters: Any) -> str:
    query = "&".join(f"{k}={v}" for k, v in {**parameters, **_kept(call, kind)}.items())
    return f"{call.account.base}/api/v2/incremental/{kind}.json?{query}"


def _shown(call: Call, kind: str, rows: list[Row]) -> list[Row]:
    if kind == "tickets" and call.query.get("exclude_deleted") == "true":
        rows = [r for r in rows if r["status"] != "deleted"]
    return [_export(r) for r in rows]


def _export(row: Row) -> Row:
    shown = {k: v for k, v in row.items() if k not in _INTERNAL}
    if "user_fields" in row:
        shown.pop("permanently_deleted", None)
        if not row["active"]:
            shown["permanently_deleted"] = bool(row.get("permanently_deleted"))
    if "domain_names" in row:
        shown["deleted_at"] = row["deleted_at"]
    return shown


async def by_cursor(call: Call, kind: str) -> Row:
    """The position is the last row's; the last cursor is kept for the next poll."""
    call.require_admin()
    cursor = call.query.get("cursor")
    after = position_of(cursor) if cursor else (_start(call), -1)
    rows, ended = call.account.exported(kind, after, _before(call.account, kind), _limit(call))
    last = cursor_of(rows[-1]) if rows else cursor
    if last is None:
        last = base64.b64encode(f"{after[0]}.0||0|".encode()).decode()
    answer = {
        kind: _shown(call, kind, rows),
        "after_url": _url(call, f"{kind}/cursor", cursor=last),
        "before_url": None,
        "after_cursor": last,
        "before_cursor": None,
        "end_of_stream": ended,
    }
    return add_related(call, answer, rows)


def _mixed(row: Row) -> tuple[int, int]:
    """Order of the time export: by second, within one not by id."""
    return row["generated_timestamp"], (row["id"] * 2_654_435_761) % 4_294_967_296


async def by_time(call: Call, kind: str, most: int | None = None) -> Row:
    """Stops at the limit; a page of one second only is extended to all of that second (facts §7)."""
    call.require_admin()
    start, limit, account = _start(call), most or _limit(call), call.account
    before = _before(account, kind)
    rows, ended = account.exported(kind, (start, -1), before, limit)
    end_time = rows[-1]["generated_timestamp"] if rows else start
    if rows and not ended and rows[0]["generated_timestamp"] == end_time:
        more, _ = account.exported(kind, (end_time, rows[-1]["id"]), end_time + 1, _LAST)
        rows += more
        ended = not account.exported(kind, (end_time, _LAST), before, 1)[0]
        end_time += 1
    answer = {
        kind: _shown(call, kind, sorted(rows, key=_mixed)),
        "count": len(rows),
        "next_page": _url(call, kind, start_time=end_time),
        "end_time": end_time,
        "end_of_stream": ended,
    }
    return add_related(call, answer, rows)


async def sample(call: Call) -> Row:
    """The first rows only, to test a client with."""
    kind = call.path["kind"]
    if kind not in ("tickets", "users", "organizations"):
        raise bad_request("InvalidValue", "incremental_resource is not valid")
    return await by_time(call, kind, SAMPLE)


async def ticket_events(call: Call) -> Row:
    """Audits as events; comments only with `include=comment_events`."""
    call.require_admin()
    start, limit, account = _start(call), _limit(call), call.account
    before = _before(account, "ticket_events")
    stream = account.streams["ticket_events"]
    entries = [e for e in stream if start <= e["at"] < before]
    page = entries[:limit]
    if page and len(entries) > limit and page[0]["at"] == page[-1]["at"]:
        page = [e for e in entries if e["at"] == page[0]["at"]]
        end_time = page[0]["at"] + 1
    else:
        end_time = page[-1]["at"] if page else start
    ended = len(page) == len(entries)
    with_comments = "comment_events" in str(call.query.get("include", ""))
    audits = [(e["at"], audit_of(account, e)) for e in page]
    rows = [_event(at, audit, with_comments) for at, audit in audits if audit is not None]
    return {
        "ticket_events": rows,
        "count": len(rows),
        "next_page": _url(call, "ticket_events", start_time=end_time),
        "end_time": end_time,
        "end_of_stream": ended,
    }


def _event(at: int, audit: Row, with_comments: bool) -> Row:
    children = []
    for event in audit["events"]:
        if event["type"] == "Comment":
            if with_comments:
                children.append({**event, "event_type": "Comment"})
        elif "field_name" in event:
            child = {
                "id": event["id"],
                "via": "API",
                "event_type": event["type"],
                event["field_name"]: event["value"],
            }
            children.append({**child, "previous_value": event.get("previous_value")})
    return {
        "id": audit["id"],
        "ticket_id": audit["ticket_id"],
        "timestamp": at,
        "created_at": audit["created_at"],
        "updater_id": audit["author_id"],
        "via": "API",
        "system": audit["metadata"]["system"],
        "metadata": audit["metadata"],
        "event_type": "Audit",
        "child_events": children,
    }


async def routing(call: Call, kind: str) -> Row:
    """Skills and who has them, as events; over when the count is 0. Without a cursor from the start on."""
    call.require_admin()
    stream, cursor = call.account.streams[f"routing/{kind}"], call.query.get("cursor")
    if cursor:
        begin = position_of(cursor)[1]
    else:
        start = int(call.query["start_time"]) if str(call.query.get("start_time", "")).isdigit() else 0
        begin = next((i for i, e in enumerate(stream) if e["at"] >= start), len(stream))
    rows = stream[begin : begin + ROUTING_MOST]
    end_time = rows[-1]["at"] if rows else int(call.account.now().timestamp())
    following = base64.b64encode(f"{end_time}.0||{begin + len(rows)}|".encode()).decode()
    return {
        kind: [{k: v for k, v in e.items() if k != "at"} for e in rows],
        "count": len(rows),
        "end_time": end_time,
        "next_page": f"{call.account.base}/api/v2/incremental/routing/{kind}.json?cursor={following}",
    }


ROUTES = [
    *(
        endpoint("GET", f"incremental/{kind}/cursor", functools.partial(by_cursor, kind=kind))
        for kind in ("tickets", "users")
    ),
    *(
        endpoint("GET", f"incremental/{kind}", functools.partial(by_time, kind=kind))
        for kind in ("tickets", "users", "organizations")
    ),
    endpoint("GET", "incremental/ticket_events", ticket_events),
    endpoint("GET", "incremental/{kind}/sample", sample),
    *(
        endpoint("GET", f"incremental/routing/{kind}", functools.partial(routing, kind=kind))
        for kind in ("attributes", "attribute_values", "instance_values")
    ),
]
