"""What a user's rows grant, without asking about single records: the basis of every list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.policy.domain.decide import ACTIONS, User, row_of
from services.policy.domain.permissions import ROLES, RU, Json


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of one user on the records of one type.

    Attributes:
        on_all: actions on every record.
        by_relationship: relationship type -> further actions on records it leads to; no empty ones.
    """

    on_all: frozenset[str] = frozenset()
    by_relationship: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def carriers(self, action: str) -> list[str]:
        """Return the relationship types that give an action, by key."""
        return sorted(key for key, actions in self.by_relationship.items() if action in actions)


def rights_of(user: User | None, permissions: Json | None) -> Rights:
    """Return what `decide` allows a user on records of a type.

    INVARIANT: for a record, `decide` allows an action exactly when it is in `on_all`, or in
    `by_relationship[k]` for a relationship of type k from the user to the record.
    """
    if user is None or permissions is None or user.role not in ROLES:
        return Rights()
    _, row = row_of(permissions["rbac"], user)
    on_all = frozenset(action for action in ACTIONS if row.get(action, False))
    more: dict[str, frozenset[str]] = {}
    for key, policy in permissions["rebac"].items():
        _, row = row_of(policy, user)
        if actions := frozenset(action for action in RU if row.get(action, False)) - on_all:
            more[key] = actions
    return Rights(on_all, more)
