"""Comments and their redaction, audits (facts: Zendesk §3.2, §10)."""

from __future__ import annotations

import re

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import invalid, missing, not_found, number
from tools.zendesk_simulator.paging import page, whole
from tools.zendesk_simulator.resources.sideloads import add_related
from tools.zendesk_simulator.resources.ticket_history import add_audit, audit_of
from tools.zendesk_simulator.resources.ticket_rows import find
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

BLOCK = "▇"
_MARKED = re.compile(r"<redact>(.*?)</redact>", re.DOTALL)
_MARKUP = re.compile(r"<[^>]+>")


async def list_comments(call: Call) -> Row:
    call.require_agent()
    ticket_id = find(call.account, call.path["id"])["id"]
    rows = list(call.account.comments[ticket_id])
    if call.query.get("sort_order") == "desc":
        rows.reverse()
    path = f"tickets/{ticket_id}/comments"
    answer = page(call.request, call.account, "comments", rows, path, sorts=("created_at", "id"))
    return add_related(call, answer, answer["comments"])


async def count_comments(call: Call) -> Row:
    call.require_agent()
    value = len(call.account.comments[find(call.account, call.path["id"])["id"]])
    return {"count": {"value": value, "refreshed_at": stamp(call.account.now())}}


def _comment(account: Account, ticket_id: int, comment_id: object) -> Row:
    wanted = number(comment_id)
    found = next((c for c in account.comments.get(ticket_id, ()) if c["id"] == wanted), None)
    if found is None:
        raise not_found()
    return found


def _blocks(text: str) -> str:
    return BLOCK * len(_MARKUP.sub("", text))


def _redacted(call: Call, ticket: Row, comment: Row, secrets: list[str]) -> Row:
    """Cover words in a comment, in the description and in the audits; closed tickets included."""
    account = call.account
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        cover = BLOCK * len(secret)
        for member in ("body", "html_body", "plain_body"):
            comment[member] = comment[member].replace(secret, cover)
        if account.comments[ticket["id"]][0] is comment:
            ticket["description"] = ticket["description"].replace(secret, cover)
        for audit in account.audits[ticket["id"]]:
            for event in audit["events"]:
                if event["id"] == comment["id"]:
                    event |= {k: comment[k] for k in ("body", "html_body", "plain_body")}
    account.changed("tickets", ticket)
    event = {"id": account.next_id("event"), "type": "CommentRedactionEvent", "comment_id": comment["id"]}
    add_audit(account, ticket, (call.user or {}).get("id"), [event])
    return {"comment": comment}


async def redact_text(call: Call) -> Row:
    """The older way: the words themselves."""
    require(call, "ticket_redaction")
    ticket = find(call.account, call.path["id"])
    comment = _comment(call.account, ticket["id"], call.path["comment_id"])
    text = str(call.body.get("text") or "")
    if not text:
        raise missing("text")
    if text not in comment["body"]:
        raise invalid(text="Text: not found in the comment")
    return _redacted(call, ticket, comment, [text])


async def redact_marked(call: Call) -> Row:
    """The agent workspace's way: the comment's HTML with `<redact>` around the words."""
    require(call, "ticket_redaction")
    ticket = find(call.account, call.body.get("ticket_id"))
    comment = _comment(call.account, ticket["id"], call.path["comment_id"])
    words = [_MARKUP.sub("", m) for m in _MARKED.findall(str(call.body.get("html_body") or ""))]
    if not words and not call.body.get("external_attachment_urls"):
        raise missing("html_body")
    return _redacted(call, ticket, comment, words)


async def make_private(call: Call) -> Row:
    call.require_agent()
    ticket = find(call.account, call.path["id"])
    _comment(call.account, ticket["id"], call.path["comment_id"])["public"] = False
    call.account.changed("tickets", ticket)
    return {}


async def list_audits(call: Call) -> Row:
    call.require_agent()
    ticket_id = find(call.account, call.path["id"])["id"]
    audits = call.account.audits[ticket_id]
    answer = page(call.request, call.account, "audits", audits, f"tickets/{ticket_id}/audits")
    return add_related(call, answer, answer["audits"])


async def show_audit(call: Call) -> Row:
    call.require_agent()
    ticket_id, wanted = find(call.account, call.path["id"])["id"], number(call.path["audit_id"])
    found = next((a for a in call.account.audits[ticket_id] if a["id"] == wanted), None)
    if found is None:
        raise not_found()
    return {"audit": found}


async def count_audits(call: Call) -> Row:
    call.require_agent()
    value = len(call.account.audits[find(call.account, call.path["id"])["id"]])
    return {"count": {"value": value, "refreshed_at": stamp(call.account.now())}}


async def all_audits(call: Call) -> Row:
    """Newest first; a cursor of its own: the id of the last audit."""
    call.require_agent()
    account = call.account
    entries = account.streams["ticket_events"]
    stream = [a for a in (audit_of(account, e) for e in entries) if a is not None]
    cursor, limit = call.query.get("cursor"), min(1000, max(1, whole(call.request, "limit", 1000)))
    stream.sort(key=lambda a: a["id"], reverse=True)
    if cursor:
        stream = [a for a in stream if a["id"] < number(cursor)]
    shown = stream[:limit]
    base = account.url("ticket_audits")
    more = len(stream) > len(shown)
    return {
        "audits": shown,
        "before_cursor": str(shown[0]["id"]) if shown else None,
        "after_cursor": str(shown[-1]["id"]) if more else None,
        "before_url": f"{base}?cursor={shown[0]['id']}" if cursor and shown else None,
        "after_url": f"{base}?cursor={shown[-1]['id']}&limit={limit}" if more else None,
    }


ROUTES = [
    endpoint("GET", "tickets/{id:int}/comments", list_comments),
    endpoint("GET", "tickets/{id:int}/comments/count", count_comments),
    endpoint("PUT", "tickets/{id:int}/comments/{comment_id:int}/redact", redact_text),
    endpoint("PUT", "tickets/{id:int}/comments/{comment_id:int}/make_private", make_private),
    endpoint("PUT", "comment_redactions/{comment_id:int}", redact_marked),
    endpoint("GET", "tickets/{id:int}/audits", list_audits),
    endpoint("GET", "tickets/{id:int}/audits/count", count_audits),
    endpoint("GET", "tickets/{id:int}/audits/{audit_id:int}", show_audit),
    endpoint("GET", "ticket_audits", all_audits),
]
