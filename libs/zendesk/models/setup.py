"""What an app sets up in an account: fields, webhooks, triggers, its installation."""

from __future__ import annotations

from dataclasses import dataclass

from libs.zendesk.models.json import Json, id_tuple


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
            group_restrictions=id_tuple(row.get("group_restrictions")),
            role_restrictions=id_tuple(row.get("role_restrictions")),
        )
