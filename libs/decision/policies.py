"""Policies of a type, made ready to be asked: rows as bit masks, conditions compiled, answers made beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from libs.decision.conditions import Condition
from libs.decision.rows import ACTIONS, ROLES, USER, Json, TypeRow, User

BITS = {action: 1 << position for position, action in enumerate(ACTIONS)}
RELATED = BITS["read"] | BITS["update"]
"""What a relationship can give; never create or delete (seed 002)."""


class Step(NamedTuple):
    """One hop of a path.

    Attributes:
        type: key of a relationship type, followed from source to target.
        up_to: 0 = exactly one hop; n = none to n hops, never at the first step.
    """

    type: str
    up_to: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy.

    Attributes:
        name: `rbac`, `rebac/{key}` or `extended/{name}`; what `tried` and the log call it.
        reason: of what it allows: RBAC, `REBAC:{key}` or `EXTENDED:{name}`.
        rows: role, or id of a custom role as text, to a mask of `BITS`.
        path: from the subject to the record; empty = no relationship is needed.
        start: `zen:user`, `zen:group` or `zen:organization`: where the path starts.
        condition: must be met too; None = always.
    """

    name: str
    reason: str
    rows: dict[str, int]
    path: tuple[Step, ...] = ()
    start: str = USER
    condition: Condition | None = None

    def row_of(self, user: User) -> str:
        """Return the key of the row that counts: a custom row replaces the agent row whole.

        Each policy is asked by itself: a custom row in one says nothing about another (facts: policy §1.5).
        """
        if user.custom_role_id is not None and user.role == "agent":
            custom = str(user.custom_role_id)
            if custom in self.rows:
                return custom
        return user.role


@dataclass(frozen=True, slots=True, eq=False)
class CompiledType:
    """A type with its policies in the order in which they are asked.

    Attributes:
        further: those that are asked when the role alone does not allow it.
        mask: what any of `further` could give to anybody: nothing else needs to be asked for it.
        plain: whether there is nothing but the seed's rules.
    """

    row: TypeRow
    rbac: Policy
    further: tuple[Policy, ...]
    mask: int
    plain: bool

    @property
    def steps(self) -> frozenset[str]:
        """Relationship types that any policy follows."""
        return frozenset(step.type for policy in self.further for step in policy.path)


def row_name(key: str) -> str:
    """Return a row's name for people and logs: admin, agent, end_user or custom/{id}."""
    return key if key in ROLES else f"custom/{key}"


def _mask(row: Json, allowed: int) -> int:
    return sum(BITS[verb] for verb, value in row.items() if value) & allowed


def _rows(policy: Json, allowed: int) -> dict[str, int]:
    rows = {role: _mask(policy[role], allowed) for role in ROLES}
    return {**{str(k): _mask(v, allowed) for k, v in policy.get("custom", {}).items()}, **rows}


def compile_type(row: TypeRow) -> CompiledType:
    """Return a type's policies, ready to be asked.

    Raises:
        ValueError: a condition is no condition; what is stored has been checked before.
    """
    extensions = row.extensions
    on_seed = {name: Condition(source) for name, source in extensions.get("conditions", {}).items()}
    every = sum(BITS.values())
    rbac = Policy("rbac", "RBAC", _rows(row.permissions["rbac"], every), condition=on_seed.get("rbac"))
    further = [
        Policy(
            f"rebac/{key}",
            f"REBAC:{key}",
            _rows(policy, RELATED),
            (Step(key),),
            condition=on_seed.get(f"rebac/{key}"),
        )
        for key, policy in sorted(row.permissions["rebac"].items())
    ]
    for name, extended in sorted(extensions.get("policies", {}).items()):
        path = tuple(Step(step["type"], step.get("up_to", 0)) for step in extended.get("path", ()))
        condition = extended.get("condition")
        further.append(
            Policy(
                f"extended/{name}",
                f"EXTENDED:{name}",
                _rows(extended["rows"], RELATED if path else every),
                path,
                f"zen:{extended.get('start', 'user')}",
                Condition(condition) if condition else None,
            )
        )
    mask = 0
    for policy in further:
        for value in policy.rows.values():
            mask |= value
    plain = not extensions.get("policies") and not extensions.get("conditions")
    return CompiledType(row, rbac, tuple(further), mask, plain)
