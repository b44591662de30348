"""The row of a ticket: its members, its place, its fields and tags (facts: Zendesk §3.1)."""

from __future__ import annotations

from typing import Any

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.errors import invalid, not_found, number
from tools.zendesk_simulator.resources.custom_statuses import default_of
from tools.zendesk_simulator.state import STATUSES, Account, Row

PRIORITIES = ("urgent", "high", "normal", "low")
TYPES = ("problem", "incident", "question", "task")
PLAIN = ("subject", "priority", "type", "external_id", "organization_id", "due_at", "problem_id", "brand_id")
PERMITTED = (
    *PLAIN,
    "comment",
    "status",
    "custom_status_id",
    "requester_id",
    "requester",
    "submitter_id",
    "assignee_id",
    "assignee_email",
    "group_id",
    "tags",
    "additional_tags",
    "remove_tags",
    "custom_fields",
    "fields",
    "collaborator_ids",
    "follower_ids",
    "email_cc_ids",
    "attribute_value_ids",
    "safe_update",
    "updated_stamp",
    "metadata",
    "description",
    "raw_subject",
    "recipient",
    "ticket_form_id",
    "via_followup_source_id",
)
_HIDDEN = ("generated_timestamp", "slas", "archived")


def show(row: Row) -> Row:
    """Return a ticket as the API shows it."""
    return {k: v for k, v in row.items() if k not in _HIDDEN}


def find(account: Account, ticket_id: object, *, deleted: bool = False) -> Row:
    """Return a living ticket (or a deleted one)."""
    row = account.tickets.get(number(ticket_id))
    if row is None or (row["status"] == "deleted") is not deleted:
        raise not_found()
    return row


def new_row(account: Account, values: Row, requester: int, author: int | None) -> Row:
    """Return a ticket's row with everything but its place and fields."""
    ticket_id, now = account.next_id("ticket"), stamp(account.now())
    status = values.get("status", "new")
    return {
        "url": account.url(f"tickets/{ticket_id}"),
        "id": ticket_id,
        "external_id": None,
        "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": now,
        "updated_at": now,
        "type": None,
        "subject": values.get("subject", ""),
        "raw_subject": values.get("subject", ""),
        "description": "",
        "priority": None,
        "status": status,
        "recipient": values.get("recipient"),
        "requester_id": requester,
        "submitter_id": int(values.get("submitter_id") or author or requester),
        "assignee_id": None,
        "organization_id": (account.users.get(requester) or {}).get("organization_id"),
        "group_id": None,
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
        "forum_topic_id": None,
        "problem_id": None,
        "has_incidents": False,
        "is_public": True,
        "due_at": None,
        "tags": [],
        "custom_fields": [{"id": i, "value": None} for i, f in account.ticket_fields.items() if f["active"]],
        "satisfaction_rating": None,
        "sharing_agreement_ids": [],
        "custom_status_id": default_of(account, status),
        "fields": [],
        "followup_ids": [],
        "ticket_form_id": None,
        "brand_id": None,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
    }


def set_plain(row: Row, values: Row) -> None:
    """Set the members that are taken as they are."""
    if values.get("priority") not in (None, "", *PRIORITIES):
        raise invalid(priority=f"Priority: {values['priority']} is not a valid priority")
    if values.get("type") not in (None, "", *TYPES):
        raise invalid(type=f"Type: {values['type']} is not a valid type")
    row.update({k: values[k] if values[k] != "" else None for k in PLAIN if k in values})
    if "subject" in values:
        row["subject"] = row["raw_subject"] = values["subject"] or ""
    for name in ("collaborator_ids", "follower_ids", "email_cc_ids"):
        if name in values:
            row[name] = [int(i) for i in values[name] or []]


def set_status(account: Account, row: Row, values: Row) -> None:
    """Set status and custom status, which belong together: the status is the custom status's category."""
    custom = values.get("custom_status_id")
    if custom is not None:
        known = account.tables["custom_statuses"].get(number(custom))
        if known is None or not known["active"]:
            raise invalid(custom_status_id="Custom status: is invalid")
        row["custom_status_id"], row["status"] = known["id"], known["status_category"]
    elif "status" in values:
        if values["status"] not in STATUSES:
            raise invalid(status=f"Status: {values['status']} is not a valid status")
        if values["status"] != row["status"]:
            row["status"] = values["status"]
            row["custom_status_id"] = default_of(account, row["status"])


def set_place(account: Account, row: Row, values: Row) -> None:
    """Set group and assignee together, as Zendesk does."""
    if "group_id" in values:
        group = values["group_id"]
        if group is not None and (account.groups.get(number(group)) or {"deleted": True})["deleted"]:
            raise invalid(group="Group: is invalid")
        row["group_id"] = int(group) if group is not None else None
        if not {"assignee_id", "assignee_email"} & set(values):
            row["assignee_id"] = None
    if values.get("assignee_email"):
        mail = str(values["assignee_email"]).lower()
        found = (u["id"] for u in account.users.values() if (u["email"] or "").lower() == mail)
        values = {**values, "assignee_id": next(found, 0)}
    if "assignee_id" not in values:
        return
    if values["assignee_id"] is None:
        row["assignee_id"] = None
        return
    agent = account.users.get(number(values["assignee_id"]))
    if agent is None or agent["role"] == "end-user" or not agent["active"] or agent["suspended"]:
        raise invalid(assignee="Assignee: is invalid")
    groups = account.groups_of(agent["id"])
    if "group_id" not in values and row["group_id"] not in groups:
        row["group_id"] = agent["default_group_id"]
    if row["group_id"] is not None and row["group_id"] not in groups:
        raise invalid(assignee="Assignee: is not a member of the group")
    row["assignee_id"] = agent["id"]


def set_fields(account: Account, row: Row, values: Row) -> None:
    """Set custom fields; ids that are not fields of the account are ignored."""
    given: Any = values.get("custom_fields") or values.get("fields") or []
    if isinstance(given, dict):
        given = [{"id": k, "value": v} for k, v in given.items()]
    present = {f["id"]: f for f in row["custom_fields"]}
    for entry in given:
        field_id = number(entry["id"])
        if field_id in account.ticket_fields:
            if field_id not in present:
                present[field_id] = {"id": field_id, "value": None}
                row["custom_fields"].append(present[field_id])
            present[field_id]["value"] = entry.get("value")
    row["fields"] = row["custom_fields"]


def set_tags(row: Row, values: Row) -> None:
    """Overwrite, add and remove tags."""

    def words(name: str) -> list[str]:
        given = values.get(name) or []
        return given.split() if isinstance(given, str) else [str(tag) for tag in given]

    if "tags" in values:
        row["tags"] = list(dict.fromkeys(words("tags")))
    removed = set(words("remove_tags"))
    row["tags"] = [t for t in row["tags"] if t not in removed]
    row["tags"] += [t for t in dict.fromkeys(words("additional_tags")) if t not in row["tags"]]
