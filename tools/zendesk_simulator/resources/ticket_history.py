"""What a ticket remembers: comments, audits, and for the control API who was given it."""

from __future__ import annotations

import html
import re
from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.errors import invalid
from tools.zendesk_simulator.resources.attachments import taken
from tools.zendesk_simulator.state import Account, Row

MOST_COMMENTS = 5000
MOST_BYTES = 65_536
_MARKUP = re.compile(r"<[^>]+>")


def text_of(comment: Row) -> str:
    """Return a comment's plain text."""
    if comment.get("body"):
        return str(comment["body"])
    return html.unescape(_MARKUP.sub("", str(comment.get("html_body") or "")))


def add_comment(account: Account, ticket: Row, given: Row, author: int | None) -> Row:
    """Add a comment; its visibility is that of the ticket unless it says otherwise."""
    comments, text = account.comments[ticket["id"]], text_of(given)
    if len(comments) >= MOST_COMMENTS:
        raise invalid(base=f"Ticket has reached the limit of {MOST_COMMENTS} comments")
    if len(text.encode()) > MOST_BYTES:
        raise invalid(comment=f"Comment: is too long (maximum is {MOST_BYTES} bytes)")
    row: Row = {
        "id": account.next_id("comment"),
        "type": "Comment",
        "author_id": int(given.get("author_id") or author or ticket["requester_id"]),
        "body": text,
        "html_body": given.get("html_body")
        or f'<div class="zd-comment" dir="auto"><p>{html.escape(text)}</p></div>',
        "plain_body": text,
        "public": bool(given.get("public", ticket["is_public"])),
        "attachments": taken(account, given["uploads"]) if given.get("uploads") else [],
        "audit_id": None,
        "created_at": stamp(account.now()),
        "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
        "metadata": {"system": {}, "custom": {}},
    }
    if not comments:
        ticket["is_public"] = row["public"]
    comments.append(row)
    return row


def event(account: Account, kind: str, name: str, value: Any, previous: Any = None) -> Row:
    """Return an event of an audit; values are texts there, ids too."""
    row: Row = {"id": account.next_id("event"), "type": kind, "field_name": name, "value": _text(value)}
    return row if kind == "Create" else {**row, "previous_value": _text(previous)}


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str | list) else str(value)


def add_audit(
    account: Account, ticket: Row, author: int | None, events: list[Row], metadata: Row | None = None
) -> Row:
    """Write an audit and put it at the end of the stream of ticket events."""
    now = account.now()
    audit = {
        "id": account.next_id("audit"),
        "ticket_id": ticket["id"],
        "created_at": stamp(now),
        "author_id": author if author is not None else -1,
        "metadata": {"system": {}, "custom": metadata or {}},
        "events": events,
        "via": {"channel": "api" if author is not None else "rule", "source": {"from": {}, "to": {}}},
    }
    account.audits[ticket["id"]].append(audit)
    account.streams["ticket_events"].append(
        {"at": int(now.timestamp()), "ticket_id": ticket["id"], "audit_id": audit["id"]}
    )
    return audit


def audit_of(account: Account, entry: Row) -> Row | None:
    """Return the audit of an entry of the stream; None when the ticket is destroyed."""
    audits = account.audits.get(entry["ticket_id"], ())
    return next((a for a in audits if a["id"] == entry["audit_id"]), None)


def log_assignment(account: Account, ticket: Row, author: int | None) -> None:
    """Remember for the control API who was given a ticket, when and by whom."""
    if ticket["assignee_id"] is not None:
        account.assignments.append(
            {
                "ticket_id": ticket["id"],
                "assignee_id": ticket["assignee_id"],
                "author_id": author,
                "at": stamp(account.now()),
                "created_at": ticket["created_at"],
            }
        )
