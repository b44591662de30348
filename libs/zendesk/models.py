"""What we keep of Zendesk's objects: ids and routing facts, never a text or an end user's name.

Every class reads its object leniently with `of`; unknown members are dropped here on purpose (the
seed's table of data we collect).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


def instant(value: object) -> datetime | None:
    """Return an aware datetime of Zendesk's several spellings (`…Z`, `… +00:00`), or None."""
    if not isinstance(value, str) or not value:
        return None
    return datetime.fromisoformat(value.replace("Z", "+00:00").replace(" +", "+"))


def _ids(values: object) -> tuple[int, ...]:
    return tuple(int(v) for v in values) if isinstance(values, list) else ()


@dataclass(frozen=True, slots=True)
class User:
    """A user. `name` and `email` are filled for agents and admins only.

    Attributes:
        role: `end-user`, `agent` or `admin`.
        role_type: 0 custom agent, 1 light, 2 chat, 3 contributor, 4 admin, 5 billing admin.
    """

    id: int
    role: str
    name: str = ""
    email: str = ""
    role_type: int | None = None
    custom_role_id: int | None = None
    default_group_id: int | None = None
    organization_id: int | None = None
    active: bool = True
    suspended: bool = False
    user_fields: Json = field(default_factory=dict)
    updated_at: datetime | None = None

    @classmethod
    def of(cls, row: Json) -> User:
        """Read Zendesk's `user` object."""
        staff = row.get("role") in ("agent", "admin")
        return cls(
            id=int(row["id"]),
            role=row.get("role") or "end-user",
            name=str(row.get("name") or "") if staff else "",
            email=str(row.get("email") or "") if staff else "",
            role_type=row.get("role_type"),
            custom_role_id=row.get("custom_role_id"),
            default_group_id=row.get("default_group_id"),
            organization_id=row.get("organization_id"),
            active=bool(row.get("active", True)),
            suspended=bool(row.get("suspended", False)),
            user_fields=dict(row.get("user_fields") or {}) if staff else {},
            updated_at=instant(row.get("updated_at")),
        )


@dataclass(frozen=True, slots=True)
class Group:
    """A group of agents."""

    id: int
    name: str
    deleted: bool = False

    @classmethod
    def of(cls, row: Json) -> Group:
        """Read Zendesk's `group` object."""
        return cls(int(row["id"]), str(row.get("name") or ""), bool(row.get("deleted")))


@dataclass(frozen=True, slots=True)
class Membership:
    """An agent's membership of a group."""

    id: int
    user_id: int
    group_id: int
    default: bool = False

    @classmethod
    def of(cls, row: Json) -> Membership:
        """Read Zendesk's `group_membership` object."""
        return cls(int(row["id"]), int(row["user_id"]), int(row["group_id"]), bool(row.get("default")))


@dataclass(frozen=True, slots=True)
class View:
    """A view: the id is what we keep, the title is shown to admins."""

    id: int
    title: str
    active: bool = True
    conditions: Json = field(default_factory=dict)

    @classmethod
    def of(cls, row: Json) -> View:
        """Read Zendesk's `view` object."""
        return cls(
            int(row["id"]),
            str(row.get("title") or ""),
            bool(row.get("active", True)),
            dict(row.get("conditions") or {}),
        )


@dataclass(frozen=True, slots=True)
class Ticket:
    """The routing facts of a ticket.

    Attributes:
        status: new, open, pending, hold, solved, closed or deleted.
        custom_fields: value by ticket field id.
        generated_timestamp: Unix seconds, in exports only.
        next_breach_at: least `breach_at` among active SLA metrics, when side-loaded.
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
    priority: str | None = None
    channel: str | None = None
    tags: tuple[str, ...] = ()
    custom_fields: dict[int, Any] = field(default_factory=dict)
    generated_timestamp: int | None = None
    next_breach_at: datetime | None = None
    scrubbed: bool = False

    @classmethod
    def of(cls, row: Json) -> Ticket:
        """Read Zendesk's `ticket` object."""
        created, updated = instant(row.get("created_at")), instant(row.get("updated_at"))
        if created is None or updated is None:
            raise ValueError(f"ticket `{row.get('id')}` has no created_at or updated_at")
        metrics = (row.get("slas") or {}).get("policy_metrics") or []
        breaches = [instant(m.get("breach_at")) for m in metrics if m.get("stage") == "active"]
        return cls(
            id=int(row["id"]),
            status=str(row.get("status") or "new"),
            created_at=created,
            updated_at=updated,
            requester_id=row.get("requester_id"),
            submitter_id=row.get("submitter_id"),
            assignee_id=row.get("assignee_id"),
            group_id=row.get("group_id"),
            organization_id=row.get("organization_id"),
            priority=row.get("priority"),
            channel=(row.get("via") or {}).get("channel"),
            tags=tuple(row.get("tags") or ()),
            custom_fields={int(f["id"]): f.get("value") for f in row.get("custom_fields") or ()},
            generated_timestamp=row.get("generated_timestamp"),
            next_breach_at=min((b for b in breaches if b), default=None),
            scrubbed=row.get("subject") == "SCRUBBED",
        )


@dataclass(frozen=True, slots=True)
class CustomField:
    """A user field or ticket field."""

    id: int
    key: str
    title: str
    type: str

    @classmethod
    def of(cls, row: Json) -> CustomField:
        """Read Zendesk's `user_field` or `ticket_field` object."""
        return cls(
            int(row["id"]), str(row.get("key") or ""), str(row.get("title") or ""), str(row.get("type") or "")
        )


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook; ids are ULIDs."""

    id: str
    name: str
    endpoint: str
    status: str

    @classmethod
    def of(cls, row: Json) -> Webhook:
        """Read Zendesk's `webhook` object."""
        return cls(
            str(row["id"]),
            str(row.get("name") or ""),
            str(row.get("endpoint") or ""),
            str(row.get("status") or ""),
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger."""

    id: int
    title: str
    active: bool

    @classmethod
    def of(cls, row: Json) -> Trigger:
        """Read Zendesk's `trigger` object."""
        return cls(int(row["id"]), str(row.get("title") or ""), bool(row.get("active", True)))


@dataclass(frozen=True, slots=True)
class Installation:
    """Our app's installation in one account. Empty restrictions mean everybody."""

    id: int
    app_id: int
    enabled: bool
    group_restrictions: tuple[int, ...] = ()
    role_restrictions: tuple[int, ...] = ()

    @classmethod
    def of(cls, row: Json) -> Installation:
        """Read Zendesk's `installation` object."""
        return cls(
            id=int(row["id"]),
            app_id=int(row["app_id"]),
            enabled=bool(row.get("enabled", True)),
            group_restrictions=_ids(row.get("group_restrictions")),
            role_restrictions=_ids(row.get("role_restrictions")),
        )


@dataclass(frozen=True, slots=True)
class JobResult:
    """One row of a job's results."""

    id: int | None
    success: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A background job of Zendesk.

    Attributes:
        status: queued, working, completed, failed or killed.
        results: rows; empty until the end, and for permanent deletions.
    """

    id: str
    status: str
    results: tuple[JobResult, ...] = ()

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "killed")

    @classmethod
    def of(cls, row: Json) -> Job:
        """Read Zendesk's `job_status` object, whose `results` is a list, an object or null."""
        results = row.get("results")
        rows = results if isinstance(results, list) else []
        return cls(
            id=str(row["id"]),
            status=str(row.get("status") or ""),
            results=tuple(
                JobResult(
                    r.get("id"), bool(r.get("success", r.get("error") is None)), str(r.get("error") or "")
                )
                for r in rows
            ),
        )


@dataclass(frozen=True, slots=True)
class ComplianceStatus:
    """One line of a user's permanent deletion over Zendesk's products.

    Attributes:
        application: e.g. `all`, `support`, `chat`.
        action: request_deletion, started or complete.
    """

    application: str
    action: str

    @classmethod
    def of(cls, row: Json) -> ComplianceStatus:
        """Read one of Zendesk's `compliance_deletion_statuses`."""
        return cls(str(row.get("application") or ""), str(row.get("action") or ""))
