"""Policies beyond the seed: what they may say, and that they fit the types they speak of.

Paths are bounded: at most 8 steps and 16 hops. Only a type that leads from a type to itself may repeat, never
at the first step, so that a walk ends whatever cycles the records form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from libs.decision.conditions import Condition
from libs.decision.rows import GROUP, ORGANIZATION, ROLES, USER, Json, TypeRow
from libs.kernel.errors import FieldViolation
from services.policy.domain.errors import ExtensionsInvalidError

STARTS = {"user": USER, "group": GROUP, "organization": ORGANIZATION}
MAXIMUM_POLICIES = 50
MAXIMUM_STEPS = 8
MAXIMUM_HOPS = 16
_NAME = re.compile(r"[0-9a-z_-]{2,32}", re.ASCII)
_ROLE_ID = re.compile(r"[0-9]{1,20}", re.ASCII)


def check_extensions(extensions: Json, on: TypeRow, types: Mapping[str, TypeRow]) -> None:
    """Refuse extensions that break a rule.

    Args:
        extensions: as `TypeRow.extensions`.
        on: the object type.
        types: relationship types by key.

    Raises:
        ExtensionsInvalidError: names every fault.
    """
    faults = [*_policies(extensions.get("policies", {}), on, types), *_conditions(extensions, on)]
    if faults:
        shown = "; ".join(f"`{fault.field}` {fault.description}" for fault in faults[:3])
        raise ExtensionsInvalidError(f"the extensions break rules: {shown}", violations=faults)


def _policies(policies: Json, on: TypeRow, types: Mapping[str, TypeRow]) -> Iterator[FieldViolation]:
    if len(policies) > MAXIMUM_POLICIES:
        yield FieldViolation("policies", f"are more than {MAXIMUM_POLICIES}")
    for name, policy in policies.items():
        field = f"policies[{name}]"
        if not _NAME.fullmatch(name):
            yield FieldViolation(field, "is not of 2 to 32 characters of a-z, 0-9, _ and -")
        if policy["start"] not in STARTS:
            yield FieldViolation(f"{field}.start", f"is not one of {', '.join(STARTS)}")
        else:
            yield from _path(policy, f"{field}.path", STARTS[policy["start"]], on, types)
        yield from _rows(policy, f"{field}.rows")
        yield from _condition(policy.get("condition", ""), f"{field}.condition")


def _path(
    policy: Json, field: str, start: str, on: TypeRow, types: Mapping[str, TypeRow]
) -> Iterator[FieldViolation]:
    path = policy["path"]
    if not path:
        if start != USER:
            yield FieldViolation(field, "is empty: then it starts at a user")
        return
    if len(path) > MAXIMUM_STEPS:
        yield FieldViolation(field, f"has more than {MAXIMUM_STEPS} steps")
    if sum(max(1, step["up_to"]) for step in path) > MAXIMUM_HOPS:
        yield FieldViolation(field, f"may go over more than {MAXIMUM_HOPS} hops")
    if path[0]["up_to"]:
        yield FieldViolation(f"{field}[0].up_to", "the first step is exactly one hop")
    here = start
    for place, step in enumerate(path):
        at = f"{field}[{place}]"
        found = types.get(step["type"])
        if found is None:
            yield FieldViolation(f"{at}.type", f"`{step['type'][:64]}` is no relationship type")
            return
        if found.source != here:
            yield FieldViolation(f"{at}.type", f"`{found.key}` starts at {found.source}, not at {here}")
        yield from _repeat(step, found, f"{at}.up_to")
        here = found.target
    if here != on.key:
        yield FieldViolation(field, f"leads to {here}, not to {on.key}")


def _repeat(step: Json, found: TypeRow, field: str) -> Iterator[FieldViolation]:
    if step["up_to"] < 0:
        yield FieldViolation(field, "is negative")
    elif step["up_to"] and found.source != found.target:
        yield FieldViolation(field, f"`{found.key}` does not lead from a type to itself")


def _rows(policy: Json, field: str) -> Iterator[FieldViolation]:
    for key, row in policy["rows"].get("custom", {}).items():
        if not _ROLE_ID.fullmatch(key):
            yield FieldViolation(
                f"{field}.custom[{key[:64]}]", "is not the id of a custom role: 1 to 20 digits"
            )
        yield from _row(policy, row, f"{field}.custom[{key[:64]}]")
    for role in ROLES:
        yield from _row(policy, policy["rows"][role], f"{field}.{role}")


def _row(policy: Json, row: Json, field: str) -> Iterator[FieldViolation]:
    if policy["path"]:
        for verb in ("create", "delete"):
            if row.get(verb):
                yield FieldViolation(f"{field}.{verb}", "a relationship gives read and update only")


def _conditions(extensions: Json, on: TypeRow) -> Iterator[FieldViolation]:
    allowed = {"rbac", *(f"rebac/{key}" for key in on.permissions["rebac"])}
    for name, source in extensions.get("conditions", {}).items():
        field = f"conditions[{name[:64]}]"
        if name not in allowed:
            yield FieldViolation(field, f"is not one of {', '.join(sorted(allowed))}")
        if not source:
            yield FieldViolation(field, "is empty")
        yield from _condition(source, field)


def _condition(source: str, field: str) -> Iterator[FieldViolation]:
    if source:
        try:
            Condition(source)
        except ValueError as error:
            yield FieldViolation(field, str(error))
