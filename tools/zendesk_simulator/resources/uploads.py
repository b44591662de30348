"""Files that are uploaded, then put on a comment (facts: Zendesk §3.1, §10; reference Attachments)."""

from __future__ import annotations

import base64
import hashlib
import secrets

from starlette.responses import Response

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.endpoint import Call, endpoint
from tools.zendesk_simulator.errors import Refusal, missing, not_found
from tools.zendesk_simulator.resources.attachments import shown
from tools.zendesk_simulator.resources.ticket_history import add_audit
from tools.zendesk_simulator.resources.ticket_rows import find
from tools.zendesk_simulator.rights import require
from tools.zendesk_simulator.state import Account, Row

MOST_BYTES = 50 * 1024 * 1024
REDACTED = "redacted.txt"


async def upload(call: Call) -> tuple[int, Row]:
    """A second file with the token of the first joins it."""
    call.require_agent()
    account, name = call.account, str(call.query.get("filename") or "")
    if not name:
        raise missing("filename")
    content = await call.request.body()
    if len(content) > MOST_BYTES:
        raise Refusal(413, {"error": "AttachmentTooLarge", "description": "The file is larger than 50 MB"})
    row = {
        "id": account.next_id("attachment"),
        "token": secrets.token_urlsafe(16),
        "file_name": name,
        "content_type": call.request.headers.get("content-type", "application/octet-stream"),
        "size": len(content),
        "content": base64.b64encode(content).decode(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "deleted": False,
    }
    account.tables["attachments"][row["id"]] = row
    token = str(call.query.get("token") or secrets.token_urlsafe(24))
    held = account.tables["uploads"].setdefault(token, {"ids": [], "expires_at": stamp(account.now())})
    held["ids"].append(row["id"])
    rows = [shown(account, account.tables["attachments"][i]) for i in held["ids"]]
    return 201, {"upload": {"token": token, "attachment": rows[-1], "attachments": rows}}


async def delete_upload(call: Call) -> tuple[int, None]:
    call.require_agent()
    held = call.account.tables["uploads"].pop(call.path["token"], None)
    if held is None:
        raise not_found()
    for row_id in held["ids"]:
        del call.account.tables["attachments"][row_id]
    return 204, None


def _attachment(account: Account, row_id: object) -> Row:
    row: Row | None = account.tables["attachments"].get(row_id)
    if row is None:
        raise not_found()
    return row


async def show_attachment(call: Call) -> Row:
    call.require_agent()
    return {"attachment": shown(call.account, _attachment(call.account, call.path["id"]))}


async def content(call: Call) -> Response:
    """The file itself, for whoever has its token."""
    rows = call.account.tables["attachments"].values()
    row = next((r for r in rows if r["token"] == call.path["token"]), None)
    if row is None:
        raise not_found()
    return Response(base64.b64decode(row["content"]), media_type=row["content_type"])


async def redact(call: Call) -> Row:
    """The file is replaced by an empty one of another name, for good."""
    user, account = require(call, "ticket_redaction"), call.account
    ticket = find(account, call.path["id"])
    comment = next((c for c in account.comments[ticket["id"]] if c["id"] == call.path["comment_id"]), None)
    held = [a["id"] for a in comment["attachments"]] if comment else []
    if comment is None or call.path["attachment_id"] not in held:
        raise not_found()
    row = _attachment(account, call.path["attachment_id"])
    row |= {"file_name": REDACTED, "content": "", "size": 0, "content_type": "text/plain", "deleted": True}
    comment["attachments"] = [shown(account, _attachment(account, i)) for i in held]
    event = {"id": account.next_id("event"), "type": "AttachmentRedactionEvent", "attachment_id": row["id"]}
    add_audit(account, ticket, int(user["id"]), [{**event, "comment_id": comment["id"]}])
    account.changed("tickets", ticket)
    return {"attachment": shown(account, row)}


ROUTES = [
    endpoint("POST", "uploads", upload),
    endpoint("DELETE", "uploads/{token}", delete_upload),
    endpoint("GET", "attachments/{id:int}", show_attachment),
    endpoint("GET", "attachments/token/{token}/", content, api=False),
    endpoint(
        "PUT", "tickets/{id:int}/comments/{comment_id:int}/attachments/{attachment_id:int}/redact", redact
    ),
]
