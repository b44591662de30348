"""Views."""

from __future__ import annotations

from dataclasses import dataclass, field

from libs.zendesk.models.json import Json


@dataclass(frozen=True, slots=True)
class View:
    """A view: the id is what we keep, the title is shown to admins.

    Attributes:
        grouped: whether its rows are in groups, which go before any order; True where Zendesk does not say.
    """

    id: int
    title: str
    active: bool = True
    conditions: Json = field(default_factory=dict, repr=False)
    grouped: bool = True

    @classmethod
    def of(cls, row: Json) -> View:
        """Read Zendesk's `view` object."""
        return cls(
            int(row["id"]),
            str(row.get("title") or ""),
            bool(row.get("active", True)),
            dict(row.get("conditions") or {}),
            bool((row.get("execution") or {"group_by": True}).get("group_by")),
        )


@dataclass(frozen=True, slots=True)
class ViewCount:
    """How many tickets a view holds.

    Attributes:
        value: None while Zendesk still counts; that is not zero.
        fresh: whether Zendesk calls it up to date (big counts are up to 90 minutes old).
    """

    view_id: int
    value: int | None
    fresh: bool

    @classmethod
    def of(cls, row: Json) -> ViewCount:
        """Read Zendesk's `view_count` object."""
        value = row.get("value")
        return cls(int(row["view_id"]), None if value is None else int(value), bool(row.get("fresh")))
