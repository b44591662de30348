"""What happens to a ticket: it is made, it is changed safely, triggers run (facts: Zendesk §3.2)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.errors import conflict, invalid, number
from tools.zendesk_simulator.resources.routing_values import set_ticket_values
from tools.zendesk_simulator.resources.slas import follow
from tools.zendesk_simulator.resources.ticket_history import (
    add_audit,
    add_comment,
    event,
    log_assignment,
    text_of,
)
from tools.zendesk_simulator.resources.ticket_rows import find as find
from tools.zendesk_simulator.resources.ticket_rows import (
    new_row,
    set_fields,
    set_place,
    set_plain,
    set_status,
    set_tags,
)
from tools.zendesk_simulator.resources.ticket_rows import show as show
from tools.zendesk_simulator.resources.triggers import fire
from tools.zendesk_simulator.resources.users import add_user
from tools.zendesk_simulator.state import STATUSES, Account, Row

_WATCHED = (
    "status",
    "priority",
    "type",
    "group_id",
    "assignee_id",
    "tags",
    "subject",
    "requester_id",
    "organization_id",
    "custom_status_id",
    "due_at",
    "external_id",
)
_CREATED = ("subject", "status", "priority", "type", "group_id", "assignee_id", "requester_id", "tags")


def create(account: Account, values: Row, author: int | None, *, quiet: bool = False) -> tuple[Row, Row]:
    """Make a ticket and its first audit; fires triggers unless `quiet`."""
    requester = _requester(account, values) or author
    if requester is None or number(requester) not in account.users:
        raise invalid(requester="Requester: is invalid")
    comment = values.get("comment") or {}
    text = text_of(comment) or values.get("description") or ""
    if values.get("status", "new") not in STATUSES:
        raise invalid(status=f"Status: {values['status']} is not a valid status")
    row = new_row(account, values, int(requester), author)
    row["description"] = text
    if values.get("slas"):
        row["slas"] = values["slas"]
    _set(account, row, values)
    if row["status"] == "new" and row["assignee_id"] is not None and "status" not in values:
        set_status(account, row, {"status": "open"})
    account.tickets[row["id"]] = row
    account.by_requester[row["requester_id"]].add(row["id"])
    said = add_comment(account, row, {**comment, "body": text}, author)
    account.changed("tickets", row)
    events = [event(account, "Create", k, row[k]) for k in _CREATED if row[k] not in (None, [], "")]
    audit = add_audit(account, row, author, [_said(said), *events], values.get("metadata"))
    said["audit_id"] = audit["id"]
    log_assignment(account, row, author)
    _skills(account, row, values)
    if not quiet:
        _run_triggers(account, row, "Create", {}, audit)
    follow(account, row)
    return row, audit


def update(
    account: Account,
    row: Row,
    values: Row,
    author: int | None,
    *,
    safe: bool = False,
    queued_at: str | None = None,
) -> Row:
    """Change a ticket and return the audit; fires triggers.

    `safe_update: false` has the same effect as true (facts §3.2): only its absence is unsafe.

    Args:
        safe: refuse a collision although the values do not ask for it.
        queued_at: stamp where the values bring none (bulk updates).
    """
    if row["status"] == "closed":
        raise invalid("ClosedTicket", status="Status: closed prevents ticket update")
    if "safe_update" in values or safe:
        _refuse_collision(row, values, queued_at)
    before = {k: row[k] for k in _WATCHED}
    custom_before = {f["id"]: f["value"] for f in row["custom_fields"]}
    copy = {**row, "custom_fields": [dict(f) for f in row["custom_fields"]]}
    _set(account, copy, values)
    _settle(account, copy, values, author)
    said = add_comment(account, copy, values["comment"], author) if _speaks(values) else None
    if copy["requester_id"] != row["requester_id"]:
        account.by_requester[row["requester_id"]].discard(row["id"])
        account.by_requester[copy["requester_id"]].add(row["id"])
    row.update(copy)
    changes = {k: v for k, v in before.items() if row[k] != v}
    events = [event(account, "Change", k, row[k], v) for k, v in changes.items()]
    events += [
        event(account, "Change", str(f["id"]), f["value"], custom_before.get(f["id"]))
        for f in row["custom_fields"]
        if f["value"] != custom_before.get(f["id"])
    ]
    account.changed("tickets", row)
    audit = add_audit(account, row, author, ([_said(said)] if said else []) + events, values.get("metadata"))
    if said:
        said["audit_id"] = audit["id"]
    if "assignee_id" in changes:
        log_assignment(account, row, author)
    _skills(account, row, values)
    _run_triggers(account, row, "Change", changes, audit, comment=said)
    follow(account, row)
    return audit


def unassign(account: Account, user_id: int, group_id: int) -> None:
    """Give an agent's working tickets in a group back to the group."""
    for row in list(account.tickets.values()):
        if row["assignee_id"] == user_id and row["group_id"] == group_id and row["status"] in STATUSES[:4]:
            update(account, row, {"assignee_id": None, "group_id": group_id}, None)


def _set(account: Account, row: Row, values: Row) -> None:
    set_plain(row, values)
    set_place(account, row, values)
    set_status(account, row, values)
    set_tags(row, values)
    set_fields(account, row, values)


def _settle(account: Account, row: Row, values: Row, author: int | None) -> None:
    """Do what follows from a change: a new ticket with an assignee is open, a solved one has an assignee."""
    requester = _requester(account, values)
    if requester is not None:
        if number(requester) not in account.users:
            raise invalid(requester="Requester: is invalid")
        row["requester_id"] = int(requester)
    if row["status"] == "new" and row["assignee_id"] is not None and "status" not in values:
        set_status(account, row, {"status": "open"})
    if row["status"] in ("solved", "closed") and row["assignee_id"] is None:
        solver = account.users.get(author or 0)
        if solver is None or solver["role"] == "end-user":
            raise invalid(base="Assignee: is required when solving a ticket")
        row["assignee_id"] = author
    if "slas" in values:
        row["slas"] = values["slas"]


def _requester(account: Account, values: Row) -> Any:
    """Return the requester's id; one given by name and e-mail is made."""
    given = values.get("requester")
    if not isinstance(given, dict) or not given.get("email"):
        return values.get("requester_id")
    mail = str(given["email"]).lower()
    known = (u["id"] for u in account.users.values() if (u["email"] or "").lower() == mail)
    return next(known, None) or add_user(account, {**given, "role": "end-user"})["id"]


def _refuse_collision(row: Row, values: Row, queued_at: str | None) -> None:
    given = values.get("updated_stamp")
    if (given is None) is not ("safe_update" not in values):
        raise invalid(base="Safe update: safe_update and updated_stamp must be given together")
    read_at = _normal(str(given)) if given is not None else queued_at
    if read_at is not None and read_at < row["updated_at"]:
        raise conflict()


def _normal(text: str) -> str:
    return text.replace("+00:00", "Z").replace(" ", "T", 1)[:19] + "Z"


def _speaks(values: Row) -> bool:
    return isinstance(values.get("comment"), dict) and bool(text_of(values["comment"]))


def _said(comment: Row) -> Row:
    return {k: v for k, v in comment.items() if k not in ("created_at", "via", "metadata")}


def _skills(account: Account, row: Row, values: Row) -> None:
    if values.get("attribute_value_ids") is not None:
        set_ticket_values(account, row["id"], values["attribute_value_ids"])


def _run_triggers(
    account: Account, row: Row, kind: str, changes: Row, audit: Row, comment: Row | None = None
) -> None:
    """Run the triggers in order; one that changed the ticket lets the others look again, each runs once."""
    done: set[int] = set()
    public = None if comment is None else comment["public"]
    while (values := fire(account, row, kind, changes, done, public)) is not None:
        before = {k: row[k] for k in _WATCHED}
        _set(account, row, values)
        for name, old in before.items():
            if row[name] != old:
                changes.setdefault(name, old)
                audit["events"].append(event(account, "Change", name, row[name], old))
        if before["assignee_id"] != row["assignee_id"]:
            log_assignment(account, row, None)
