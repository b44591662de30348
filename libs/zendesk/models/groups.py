"""Groups, memberships, organisations."""

from __future__ import annotations

from dataclasses import dataclass

from libs.zendesk.models.json import Json


@dataclass(frozen=True, slots=True)
class Group:
    """A group of agents."""

    id: int
    name: str
    deleted: bool = False
    is_public: bool = True

    @classmethod
    def of(cls, row: Json) -> Group:
        """Read Zendesk's `group` object."""
        return cls(
            int(row["id"]),
            str(row.get("name") or ""),
            bool(row.get("deleted")),
            bool(row.get("is_public", True)),
        )


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
class Organization:
    """An organisation of end users: its id alone, for its name and domains are about them."""

    id: int

    @classmethod
    def of(cls, row: Json) -> Organization:
        """Read Zendesk's `organization` object."""
        return cls(int(row["id"]))
