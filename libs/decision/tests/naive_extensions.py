"""What goes beyond the seed, read slowly: every walk over the raw rows is tried, depth first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import cel

from libs.decision.decide import Given
from libs.decision.rows import Json, RelationshipRow, TypeRow, User
from libs.decision.tests import naive
from libs.decision.tests.world import World

Walk = tuple[RelationshipRow, ...]


class Answer(NamedTuple):
    """An answer, the policies whose conditions failed, and every walk that could be its reason."""

    allowed: bool
    reason: str
    failed: frozenset[str] = frozenset()
    walks: tuple[Walk, ...] = ()


def starts(user: User, start: str) -> list[str]:
    if start == "group":
        return [f"zen:group:{one}" for one in user.groups]
    if start == "organization":
        return [f"zen:organization:{user.organization}"] if user.organization is not None else []
    return [f"zen:user:{user.id}"]


def walks(
    world: World, path: list[Json], at: str, now: float, *, first: bool = True
) -> Iterator[tuple[str, Walk]]:
    """Yield where a path leads to and how: a step is one hop, or none to `up_to`; the first is one hop always."""
    if not path:
        yield at, ()
        return
    step, rest = path[0], path[1:]
    up_to = 0 if first else step.get("up_to", 0)
    if up_to:
        yield from walks(world, rest, at, now, first=False)
    for hop in world.relationships.values():
        if (hop.type, hop.source) == (step["type"], at) and any(
            naive.related(world, hop.type, hop.source, hop.target, now)
        ):
            left = [{**step, "up_to": up_to - 1}, *rest] if up_to > 1 else rest
            for end, further in walks(world, left, hop.target, now, first=False):
                yield end, (hop, *further)


def met(source: str | None, variables: Json) -> bool | None:
    """Ask a condition; None = it failed."""
    if source is None:
        return True
    try:
        value = cel.compile(source).execute(variables)
    except Exception:
        return None
    return value if isinstance(value, bool) else None


def policies(found: TypeRow) -> Iterator[tuple[str, str, Json, list[Json], str, str | None]]:
    """Yield name, reason, rows, path, start and condition, in the order in which they are asked."""
    conditions = found.extensions.get("conditions", {})
    yield "rbac", "RBAC", found.permissions["rbac"], [], "user", conditions.get("rbac")
    for key, rows in sorted(found.permissions["rebac"].items()):
        yield f"rebac/{key}", f"REBAC:{key}", rows, [{"type": key}], "user", conditions.get(f"rebac/{key}")
    for name, one in sorted(found.extensions.get("policies", {}).items()):
        path, start = one.get("path", []), one.get("start", "user")
        yield f"extended/{name}", f"EXTENDED:{name}", one["rows"], path, start, one.get("condition")


def decide(
    world: World, user: User | None, action: str, name: str, record: str, now: float, given: Given
) -> Answer:
    """Return the answer by the seed and its extensions."""
    found = world.named(name)
    if user is None or found is None or naive.unknown(world, user, action, name):
        return Answer(*naive.decide(world, user, action, name, record, now))
    stored = world.objects.get((found.key, record))
    attributes = dict(stored.attributes) if stored else {}
    variables: dict[str, Any] = {
        "subject": {
            "id": user.id,
            "role": user.role,
            "custom_role_id": user.custom_role_id,
            "groups": list(user.groups),
            "organization": user.organization,
        },
        "object": {**attributes, **given.object, "id": record, "type": found.key},
        "context": dict(given.context),
        "now": datetime.fromtimestamp(now, UTC),
    }
    failed: set[str] = set()
    for policy, reason, rows, path, start, condition in policies(found):
        if policy != "rbac" and not record and (path or action != "create"):
            continue
        if not naive.says(rows, user, action) or (path and action not in ("read", "update")):
            continue
        ways: list[Walk] = [()]
        if path:
            ways = [
                w for at in starts(user, start) for end, w in walks(world, path, at, now) if end == record
            ]
        fitting = []
        for way in ways:
            first = {k: getattr(way[0], k) for k in ("id", "type", "source", "target")} if way else {}
            answer = met(condition, {**variables, "relationship": first})
            failed |= {policy} if answer is None else set()
            fitting += [way] if answer else []
        if fitting:
            return Answer(True, reason, frozenset(failed), tuple(fitting))
    if action == "read" and not record and user.role == "admin":
        return Answer(True, "ADMIN_READS_TYPES")
    return Answer(False, "CONDITION_FAILED" if failed else "NO_RULE_ALLOWS", frozenset(failed))
