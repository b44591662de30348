"""The decision of seed 002: RBAC, then ReBAC; deny by default; never an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.policy.domain.permissions import ROLES, RU, Json

ACTIONS = ("create", "read", "update", "delete")


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
        related: whether the relationship exists; True for rbac, which needs none.
        why: one sentence.
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
    """Return the row that counts for a user: a custom row replaces the agent row whole.

    Each policy is asked by itself: a custom row in one says nothing about another.
    """
    role = str(user.custom_role_id)
    if user.role == "agent" and user.custom_role_id is not None and role in policy.get("custom", {}):
        return f"custom/{role}", policy["custom"][role]
    return user.role, policy[user.role]


def _read_row(policy: Json, user: User, action: str) -> tuple[str, bool, str]:
    """Return the row's name, what it says, and the sentence about it."""
    name, row = row_of(policy, user)
    allows = bool(row.get(action, False))
    why = f"row {name} says {str(allows).lower()} for {action}"
    if name == "agent" and user.custom_role_id is not None:
        why += f", custom role {user.custom_role_id} has no row of its own"
    return name, allows, why


def decide(
    user: User | None, action: str, permissions: Json | None, record: str, related: Related
) -> Decided:
    """Decide one question.

    Args:
        user: None = unknown.
        action: create, read, update or delete; anything else is denied.
        permissions: of the type; None = unknown type.
        record: id of the record; empty = the type itself, or a record to be created.
        related: asks for relationship records.
    """
    if user is None:
        return Decided(False, "UNKNOWN_USER")
    if user.role not in ROLES:
        return Decided(False, "UNKNOWN_ROLE")
    if permissions is None:
        return Decided(False, "UNKNOWN_TYPE")
    name, allows, why = _read_row(permissions["rbac"], user, action)
    tried = [Tried("rbac", name, allows, True, why)]
    if allows:
        return Decided(True, "RBAC", tried=tuple(tried))
    if not record and action == "read" and user.role == "admin":
        return Decided(True, "ADMIN_READS_TYPES", tried=tuple(tried))
    if action in RU and record:
        for key, policy in sorted(permissions["rebac"].items()):
            name, allows, why = _read_row(policy, user, action)
            relationship = related(key)
            found = "the relationship exists" if relationship is not None else "there is no such relationship"
            tried.append(Tried(f"rebac/{key}", name, allows, relationship is not None, f"{why}; {found}"))
            if allows and relationship is not None:
                return Decided(True, f"REBAC:{key}", relationship, tuple(tried))
    return Decided(False, "NO_RULE_ALLOWS", tried=tuple(tried))
