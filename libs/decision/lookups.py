"""Lists of what `decide` allows: complete, and by the same rules; conditions are asked record by record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from libs.decision.decide import NOTHING_GIVEN, Given, about_type, decide
from libs.decision.policies import BITS, RELATED, CompiledType, Policy, row_name
from libs.decision.rows import ACTIONS, ROLES, User
from libs.decision.snapshot import Snapshot


class Records(NamedTuple):
    """Records that a user may act on.

    Attributes:
        every: whether his role allows every record of the type.
        ids: those that are known, unordered; empty when `every`.
    """

    every: bool
    ids: frozenset[str] = frozenset()


NONE = Records(False)
EVERY = Records(True)


def allowed_actions(
    snapshot: Snapshot,
    user: User | None,
    type_name: str,
    record: str,
    now: float,
    given: Given = NOTHING_GIVEN,
) -> list[str]:
    """Return what a user may do with a record; empty = with the type itself, or to create one."""
    return [a for a in ACTIONS if decide(snapshot, user, a, type_name, record, now, given).allowed]


def allowed_records(
    snapshot: Snapshot,
    user: User | None,
    action: str,
    type_name: str,
    now: float,
    given: Given = NOTHING_GIVEN,
    known: Sequence[Collection[str]] | None = None,
) -> Records:
    """Return the records of a type that a user may act on.

    INVARIANT: of the known records `decide` allows exactly these. What is to be created is not known yet: `every`
    says then whether he may.

    Args:
        known: collections of the records that are known; None = `Snapshot.known`.
    """
    found, bit = snapshot.find(type_name), BITS.get(action, 0)
    if user is None or user.role not in ROLES or found is None:
        return NONE
    if action == "create":
        return EVERY if decide(snapshot, user, action, type_name, "", now, given).allowed else NONE
    by_role = bool(found.rbac.rows[found.rbac.row_of(user)] & bit)
    if by_role and found.rbac.condition is None:
        return EVERY
    if known is None:
        known = snapshot.known(found.row.key)
    allowing = [p for p in found.further if p.rows[p.row_of(user)] & bit and (not p.path or bit & RELATED)]
    if by_role or any(not policy.path for policy in allowing):
        candidates = set[str]().union(*known)
    else:
        led = {r for policy in allowing for r in led_to(snapshot, policy, user, now)}
        candidates = {r for r in led if any(r in index for index in known)}
        if all(policy.condition is None for policy in allowing):
            return Records(False, frozenset(candidates))
    allowed = (r for r in candidates if decide(snapshot, user, action, type_name, r, now, given).allowed)
    return Records(False, frozenset(allowed))


def led_to(snapshot: Snapshot, policy: Policy, user: User, now: float) -> set[str]:
    """Return the records that a policy's path leads to from a user."""
    nodes = set(snapshot.starts(user, policy.start))
    for step in policy.path:
        if step.up_to:
            frontier = nodes
            for _ in range(step.up_to):
                frontier = {t for n in frontier for t in snapshot.targets(step.type, n, now)} - nodes
                if not frontier:
                    break
                nodes = nodes | frontier
        else:
            nodes = {t for n in nodes for t in snapshot.targets(step.type, n, now)}
    return nodes


def allowed_users(
    snapshot: Snapshot,
    users: Iterable[User],
    action: str,
    type_name: str,
    record: str,
    now: float,
    given: Given = NOTHING_GIVEN,
) -> list[int]:
    """Return those of these users who may act on a record, in their order."""
    return [u.id for u in users if decide(snapshot, u, action, type_name, record, now, given).allowed]


def role_grants(snapshot: Snapshot, action: str, type_name: str, record: str) -> list[str]:
    """Return the RBAC rows whose every holder may, known or not: admin, agent, end_user, custom/{id}."""
    found, bit = snapshot.find(type_name), BITS.get(action, 0)
    if found is None:
        return []
    grants = {key for key, mask in found.rbac.rows.items() if mask & bit and found.rbac.condition is None}
    if not record:
        grants |= {key for key in found.rbac.rows if about_type(key if key in ROLES else "agent", action)}
    return sorted(row_name(key) for key in grants)


Right = tuple[str, str, str]
"""Type, record or empty for every record, action."""


def every_right(snapshot: Snapshot, user: User | None, now: float) -> Iterator[Right]:
    """Yield every right of a user, by type, record and action; those on every record of a type first."""
    if user is None:
        return
    for found in sorted(snapshot.types.values(), key=lambda one: one.row.name):
        yield from _rights_on(snapshot, user, found, now)


def _rights_on(snapshot: Snapshot, user: User, found: CompiledType, now: float) -> Iterator[Right]:
    name = found.row.name
    on_some: list[Right] = []
    for action in sorted(ACTIONS):
        records = allowed_records(snapshot, user, action, name, now)
        if records.every:
            yield name, "", action
        on_some += [(name, record, action) for record in records.ids]
    yield from sorted(on_some)
