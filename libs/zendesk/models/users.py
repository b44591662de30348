"""Users and what says how far their deletion is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from libs.zendesk.models.json import Json, instant, optional_id

KEPT_FIELDS = "playlist_"
"""Prefix of the user fields that are kept: the three of the seed's table (facts: Zendesk §15.1, decision 20)."""


@dataclass(frozen=True, slots=True)
class User:
    """A user. `name` and `email` are filled for agents and admins only, and are in no `repr`.

    Attributes:
        role: `end-user`, `agent` or `admin`.
        role_type: 0 custom agent, 1 light, 2 chat, 3 contributor, 4 admin, 5 billing admin.
        user_fields: of agents and admins, ours only.
        permanently_deleted: nothing of the person is left at Zendesk (exports of inactive users only).
    """

    id: int
    role: str
    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    role_type: int | None = None
    custom_role_id: int | None = None
    default_group_id: int | None = None
    organization_id: int | None = None
    active: bool = True
    suspended: bool = False
    user_fields: Json = field(default_factory=dict, repr=False)
    updated_at: datetime | None = None
    permanently_deleted: bool = False

    @classmethod
    def of(cls, row: Json) -> User:
        """Read Zendesk's `user` object."""
        staff = row.get("role") in ("agent", "admin")
        fields = row.get("user_fields") or {}
        return cls(
            id=int(row["id"]),
            role=row["role"] if staff else "end-user",
            name=str(row.get("name") or "") if staff else "",
            email=str(row.get("email") or "") if staff else "",
            role_type=row.get("role_type"),
            custom_role_id=optional_id(row.get("custom_role_id")),
            default_group_id=optional_id(row.get("default_group_id")),
            organization_id=optional_id(row.get("organization_id")),
            active=bool(row.get("active", True)),
            suspended=bool(row.get("suspended", False)),
            user_fields={k: v for k, v in fields.items() if k.startswith(KEPT_FIELDS)} if staff else {},
            updated_at=instant(row.get("updated_at")),
            permanently_deleted=bool(row.get("permanently_deleted", False)),
        )


@dataclass(frozen=True, slots=True)
class DeletedUser:
    """A softly deleted user."""

    id: int

    @classmethod
    def of(cls, row: Json) -> DeletedUser:
        """Read Zendesk's `deleted_user` object."""
        return cls(int(row["id"]))


@dataclass(frozen=True, slots=True)
class ComplianceStatus:
    """One line of a user's permanent deletion over Zendesk's products.

    Attributes:
        application: e.g. `all`, `support`, `chat`; the full list is not published.
        action: request_deletion, started or complete.
    """

    application: str
    action: str
    created_at: datetime | None = None

    @classmethod
    def of(cls, row: Json) -> ComplianceStatus:
        """Read one of Zendesk's `compliance_deletion_statuses`."""
        return cls(
            str(row.get("application") or ""), str(row.get("action") or ""), instant(row.get("created_at"))
        )


@dataclass(frozen=True, slots=True)
class CustomRole:
    """A role of Enterprise accounts.

    Attributes:
        configuration: what it allows, as Zendesk spells it, e.g. `ticket_access`.
    """

    id: int
    name: str
    role_type: int | None = None
    configuration: Json = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, row: Json) -> CustomRole:
        """Read Zendesk's `custom_role` object."""
        return cls(
            int(row["id"]),
            str(row.get("name") or ""),
            row.get("role_type"),
            dict(row.get("configuration") or {}),
        )
