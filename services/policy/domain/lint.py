"""Holes and oddities in policies: warnings, never refusals (facts: policy §2.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from libs.decision.rows import ROLES, RU, Json


@dataclass(frozen=True, slots=True)
class LintWarning:
    """One thing to look at.

    Attributes:
        code: stable, for programs.
        type: key of the type.
        text: one sentence.
    """

    code: str
    type: str
    text: str


def lint(
    object_types: Mapping[str, Json], relationship_types: Mapping[str, Json], custom_roles: Collection[int]
) -> list[LintWarning]:
    """Return warnings by type.

    Args:
        object_types: permissions by key.
        relationship_types: permissions by key.
        custom_roles: those that some known user has.
    """
    found: list[LintWarning] = []
    for key, permissions in sorted(object_types.items()):
        found += _of_policy(key, "rbac", permissions["rbac"], custom_roles)
        for carrier, policy in sorted(permissions["rebac"].items()):
            found += _of_policy(key, f"rebac/{carrier}", policy, custom_roles)
            found += _never_adds(key, carrier, policy, permissions["rbac"])
    carriers = {carrier for p in object_types.values() for carrier in p["rebac"]}
    for key, permissions in sorted(relationship_types.items()):
        found += _of_policy(key, "rbac", permissions["rbac"], custom_roles)
        if key in carriers:
            found += _may_grant(key, permissions["rbac"])
    return found


def _rows(policy: Json) -> Iterator[tuple[str, Json]]:
    yield from ((role, policy[role]) for role in ROLES)
    yield from ((f"custom/{role}", row) for role, row in sorted(policy.get("custom", {}).items()))


def _of_policy(key: str, name: str, policy: Json, custom_roles: Collection[int]) -> Iterator[LintWarning]:
    for row_name, row in _rows(policy):
        if row["update"] and not row["read"]:
            yield LintWarning(
                "UPDATE_WITHOUT_READ", key, f"row {row_name} of {name} may change what it may not read"
            )
        if row_name == "admin" and not all(row.values()):
            lacking = ", ".join(verb for verb in sorted(row) if not row[verb])
            yield LintWarning("ADMIN_RESTRICTED", key, f"row admin of {name} lacks {lacking}")
        kind, _, role = row_name.partition("/")
        if kind == "custom" and role not in map(str, custom_roles):
            yield LintWarning("UNUSED_CUSTOM_ROLE", key, f"no known user has custom role {role} of {name}")


def _never_adds(key: str, carrier: str, policy: Json, rbac: Json) -> Iterator[LintWarning]:
    """Warn of a policy whose every right is granted by role already."""
    custom = {**policy.get("custom", {}), **rbac.get("custom", {})}
    pairs = [(policy[role], rbac[role]) for role in ROLES]
    pairs += [
        (policy.get("custom", {}).get(r, policy["agent"]), rbac.get("custom", {}).get(r, rbac["agent"]))
        for r in custom
    ]
    if not any(row[verb] and not base[verb] for row, base in pairs for verb in RU):
        yield LintWarning("ADDS_NOTHING", key, f"roles already have every right that rebac/{carrier} gives")


def _may_grant(key: str, rbac: Json) -> Iterator[LintWarning]:
    """Warn when those who may create the relationship's records can give themselves rights by them."""
    for name, row in _rows(rbac):
        if name != "admin" and row["create"]:
            code = "END_USERS_MAY_GRANT" if name == "end_user" else "AGENTS_MAY_GRANT"
            yield LintWarning(
                code,
                key,
                f"row {name} may create relationships that give rights, so it may give any user any",
            )
