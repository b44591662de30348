"""Tickets: routing facts only, never a text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.zendesk.models.json import Json, instant, known_instant, optional_id

_ROUTING = frozenset({"status", "priority", "group_id", "assignee_id", "requester_id", "organization_id"})


@dataclass(frozen=True, slots=True)
class Ticket:
    """The routing facts of a ticket.

    Attributes:
        status: new, open, pending, hold, solved, closed or deleted.
        custom_fields: value by id of the ticket fields that the reader asked for; end users fill in the rest.
        generated_timestamp: Unix seconds, in exports only.
        next_breach_at: least `breach_at` among active SLA metrics, when side-loaded.
        scrubbed: permanently deleted; only a tombstone is left.
    """

    id: int
    status: str
    created_at: datetime
    updated_at: datetime
    requester_id: int | None = None
    submitter_id: int | None = None
    assignee_id: int | None = None
    group_id: int | None = None
    organization_id: int | None = None
    brand_id: int | None = None
    form_id: int | None = None
    priority: str | None = None
    channel: str | None = None
    tags: tuple[str, ...] = ()
    custom_fields: dict[int, Any] = field(default_factory=dict)
    custom_status_id: int | None = None
    generated_timestamp: int | None = None
    next_breach_at: datetime | None = None
    scrubbed: bool = False

    @classmethod
    def of(cls, row: Json, fields: Collection[int] = ()) -> Ticket:
        """Read Zendesk's `ticket` object.

        Args:
            fields: ids of the custom fields whose values are kept.
        """
        metrics = (row.get("slas") or {}).get("policy_metrics") or []
        breaches = [instant(m.get("breach_at")) for m in metrics if m.get("stage") == "active"]
        given = {int(f["id"]): f.get("value") for f in row.get("custom_fields") or ()}
        return cls(
            id=int(row["id"]),
            status=str(row.get("status") or "new"),
            created_at=known_instant(row, "created_at"),
            updated_at=known_instant(row, "updated_at"),
            requester_id=optional_id(row.get("requester_id")),
            submitter_id=optional_id(row.get("submitter_id")),
            assignee_id=optional_id(row.get("assignee_id")),
            group_id=optional_id(row.get("group_id")),
            organization_id=optional_id(row.get("organization_id")),
            brand_id=optional_id(row.get("brand_id")),
            form_id=optional_id(row.get("ticket_form_id")),
            priority=row.get("priority"),
            channel=(row.get("via") or {}).get("channel"),
            tags=tuple(row.get("tags") or ()),
            custom_fields={k: v for k, v in given.items() if k in fields},
            custom_status_id=optional_id(row.get("custom_status_id")),
            generated_timestamp=row.get("generated_timestamp"),
            next_breach_at=min((b for b in breaches if b), default=None),
            scrubbed=row.get("subject") == "SCRUBBED",
        )


@dataclass(frozen=True, slots=True)
class DeletedTicket:
    """A ticket in the trash, where Zendesk still shows its subject and we do not keep it."""

    id: int
    deleted_at: datetime | None
    previous_state: str
    actor_id: int | None

    @classmethod
    def of(cls, row: Json) -> DeletedTicket:
        """Read one of Zendesk's `deleted_tickets`."""
        actor = row.get("actor") or {}
        return cls(
            int(row["id"]),
            instant(row.get("deleted_at")),
            str(row.get("previous_state") or ""),
            optional_id(actor.get("id")),
        )


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One changed field of a ticket. Values are kept of routing fields only, which hold ids and codes.

    Attributes:
        field: name, or the id of a custom field.
    """

    field: str
    value: str | None = None
    previous_value: str | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """One change of a ticket: who, when, which fields; comments and their texts are left out."""

    id: int
    ticket_id: int
    created_at: datetime
    author_id: int | None
    changes: tuple[FieldChange, ...] = ()

    @classmethod
    def of(cls, row: Json) -> Audit:
        """Read Zendesk's `audit` object."""
        events = [e for e in row.get("events") or () if e.get("type") in ("Create", "Change")]
        return cls(
            int(row["id"]),
            int(row["ticket_id"]),
            known_instant(row, "created_at"),
            optional_id(row.get("author_id")),
            tuple(_change(e) for e in events),
        )


def _change(event: Json) -> FieldChange:
    name = str(event.get("field_name") or "")
    if name not in _ROUTING:
        return FieldChange(name)
    return FieldChange(name, _text(event.get("value")), _text(event.get("previous_value")))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Skip:
    """An agent passed a ticket over; the reason, a free text, is not kept."""

    id: int
    ticket_id: int
    user_id: int
    created_at: datetime | None = None

    @classmethod
    def of(cls, row: Json) -> Skip:
        """Read Zendesk's `skip` object."""
        return cls(int(row["id"]), int(row["ticket_id"]), int(row["user_id"]), instant(row.get("created_at")))
