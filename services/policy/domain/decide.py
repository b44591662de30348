"""The decision of seed 002: RBAC, then ReBAC; deny by default; never an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.policy.domain.permissions import Json


@dataclass(frozen=True, slots=True)
class User:
    """Who asks.

    Attributes:
        role: admin, agent or end_user.
        custom_role_id: counts for agents only.
    """

    id: int
    role: str
    custom_role_id: int | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One rule that was tried.

    Attributes:
        policy: `rbac` or `rebac/{key}`.
        row: `admin`, `agent`, `end_user` or `custom/{id}`.
        allows: whether the row allows the action.
        related: whether the relationship exists.
    """

    policy: str
    row: str
    allows: bool
    related: bool
    why: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer with its reason.

    Attributes:
        reason: RBAC, REBAC:{key}, or why not.
        relationship: id of the record that allowed it.
        tried: every rule, in order.
    """

    allowed: bool
    reason: str
    relationship: str = ""
    tried: tuple[Tried, ...] = ()


Related = Callable[[str], str | None]
"""Relationship type -> id of a record from the user to the record in question, or None."""


def row_of(policy: Json, user: User) -> tuple[str, Json]:
    """Return the row that counts for a user: a custom row replaces the agent row whole."""
    role = str(user.custom_role_id)
    if user.role == "agent" and user.custom_role_id is not None and role in policy.get("custom", {}):
        return f"custom/{role}", policy["custom"][role]
    return user.role, policy[user.role]


def decide(
    user: User | None, action: str, permissions: Json | None, record: str, related: Related
) -> Decided:
    """Decide one question.

    Args:
        user: None = unknown.
        action: create, read, update or delete.
        permissions: of the type; None = unknown type.
        record: id of the record; empty = the type itself, or a record to be created.
        related: asks for relationship records.
    """
    if user is None:
        return Decided(False, "UNKNOWN_USER")
    if permissions is None:
        return Decided(False, "UNKNOWN_TYPE")
    name, row = row_of(permissions["rbac"], user)
    allows = bool(row.get(action, False))
    tried = [Tried("rbac", name, allows, True, f"row {name} says {str(allows).lower()} for {action}")]
    if allows:
        return Decided(True, "RBAC", tried=tuple(tried))
    if not record and action == "read" and user.role == "admin":
        return Decided(True, "ADMIN_READS_TYPES", tried=tuple(tried))
    if action in ("read", "update") and record:
        for key, policy in sorted(permissions["rebac"].items()):
            name, row = row_of(policy, user)
            allows = bool(row.get(action, False))
            relationship = related(key) if allows else None
            why = (
                f"row {name} says false"
                if not allows
                else "the relationship exists"
                if relationship
                else "no such relationship"
            )
            tried.append(Tried(f"rebac/{key}", name, allows, relationship is not None, why))
            if relationship is not None:
                return Decided(True, f"REBAC:{key}", relationship, tuple(tried))
    return Decided(False, "NO_RULE_ALLOWS", tried=tuple(tried))
