"""The decision: seed 002's RBAC, then ReBAC, then what an account adds beyond the seed; deny by default.

Never an exception: what is unknown is denied, a condition that fails is not met (facts: policy §1.5, D9, D16).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from libs.decision.conditions import ConditionFailedError, attributes_of
from libs.decision.policies import BITS, RELATED, CompiledType, Policy, row_name
from libs.decision.rows import ABOUT_TYPES, ROLES, USER, User, user_end
from libs.decision.snapshot import Snapshot


class Tried(NamedTuple):
    """One rule that was tried.

    Attributes:
        policy: `rbac`, `rebac/{key}` or `extended/{name}`.
        row: `admin`, `agent`, `end_user` or `custom/{id}`.
        allows: whether the row allows the action.
        related: whether the relationships exist; True where none is needed.
        why: one sentence.
    """

    policy: str
    row: str
    allows: bool
    related: bool
    why: str


class Decided(NamedTuple):
    """The answer with its reason.

    Attributes:
        reason: RBAC, `REBAC:{key}`, `EXTENDED:{name}`, or why not.
        row: `{policy}:{row}` that decided; empty when none was read.
        relationship: id of the record that allowed it: the first of the path.
        path: every relationship from the subject to the record.
        failed: conditions that could not be evaluated, as `{policy}: {why}`.
        tried: every rule in order; only for an explanation.
    """

    allowed: bool
    reason: str
    row: str = ""
    relationship: str = ""
    path: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()


UNKNOWN_USER = Decided(False, "UNKNOWN_USER")
UNKNOWN_ROLE = Decided(False, "UNKNOWN_ROLE")
UNKNOWN_TYPE = Decided(False, "UNKNOWN_TYPE")
UNKNOWN_ACTION = Decided(False, "UNKNOWN_ACTION")
BY_ROLE = Decided(True, "ROLE")
NOT_BY_ROLE = Decided(False, "ROLE")
NO_RULE_ALLOWS = "NO_RULE_ALLOWS"
CONDITION_FAILED = "CONDITION_FAILED"


@dataclass(frozen=True, slots=True)
class Given:
    """What the asker knows himself; it stands in for what is stored, for this question only.

    Attributes:
        object: attributes of the record.
        context: facts of the request.
    """

    object: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


NOTHING_GIVEN = Given()


@dataclass(slots=True)
class _Asking:
    """One question on its way through the policies."""

    snapshot: Snapshot
    user: User
    type_key: str
    record: str
    now: float
    given: Given
    tried: list[Tried] | None
    failed: list[str] = field(default_factory=list)

    def meets(self, policy: Policy, relationship: Mapping[str, str]) -> bool:
        """Tell whether a policy's condition is met; one that fails is noted."""
        if policy.condition is None:
            return True
        try:
            return policy.condition.holds(self._variables(relationship))
        except ConditionFailedError as error:
            note = f"{policy.name}: {error}"
            if note not in self.failed:
                self.failed.append(note)
            return False

    @property
    def seen(self) -> tuple[Tried, ...]:
        """Every rule that was tried so far; none without an explanation."""
        return tuple(self.tried or ())

    def note(
        self,
        policy: Policy,
        row: str,
        action: str,
        allows: bool,
        path: tuple[str, ...] | None,
        *,
        met: bool,
    ) -> None:
        """Keep a rule that was tried, when an explanation is wanted."""
        if self.tried is None:
            return
        name = row_name(row)
        why = f"row {name} says {str(allows).lower()} for {action}"
        if name == "agent" and self.user.custom_role_id is not None:
            why += f", custom role {self.user.custom_role_id} has no row of its own"
        related = not policy.path or path is not None
        if policy.path:
            one = len(policy.path) == 1 and policy.start == USER
            way = "relationship" if one else "way"
            why += f"; the {way} exists" if related else f"; there is no such {way}"
        if policy.condition is not None and allows and related:
            failed = [note for note in self.failed if note.startswith(f"{policy.name}: ")]
            if failed and not met:
                why += f"; the condition could not be evaluated: {failed[-1].partition(': ')[2]}"
            else:
                why += "; the condition is met" if met else "; the condition is not met"
        self.tried.append(Tried(policy.name, name, allows, related, why))

    def _variables(self, relationship: Mapping[str, str]) -> dict[str, Any]:
        user = self.user
        stored = self.snapshot.objects.get(self.type_key)
        attributes = attributes_of(stored.get(self.record)) if stored is not None and self.record else {}
        return {
            "subject": {
                "id": user.id,
                "role": user.role,
                "custom_role_id": user.custom_role_id,
                "groups": list(user.groups),
                "organization": user.organization,
            },
            "object": {**attributes, **self.given.object, "id": self.record, "type": self.type_key},
            "relationship": dict(relationship),
            "context": dict(self.given.context),
            "now": datetime.fromtimestamp(self.now, UTC),
        }


def decide(
    snapshot: Snapshot,
    user: User | None,
    action: str,
    type_name: str,
    record: str,
    now: float,
    given: Given = NOTHING_GIVEN,
    *,
    explain: bool = False,
) -> Decided:
    """Decide one question.

    Args:
        user: None = unknown.
        action: one of `ACTIONS`, or of `ABOUT_TYPES` without a record; anything else is denied.
        type_name: as `Snapshot.find` takes it.
        record: its id; empty = the type itself, or a record to be created.
        now: second of the epoch.
        explain: whether to list every rule that was tried; the answer is the same.
    """
    if user is None:
        return UNKNOWN_USER
    if user.role not in ROLES:
        return UNKNOWN_ROLE
    found = snapshot.find(type_name)
    if found is None:
        return UNKNOWN_TYPE
    bit = BITS.get(action, 0)
    if not bit:
        if record or action not in ABOUT_TYPES:
            return UNKNOWN_ACTION
        return BY_ROLE if about_type(user.role, action) else NOT_BY_ROLE
    if found.plain and not explain:
        return _plain(snapshot, found, user, action, bit, record, now)
    asking = _Asking(snapshot, user, found.row.key, record, now, given, [] if explain else None)
    row = found.rbac.row_of(user)
    allows = bool(found.rbac.rows[row] & bit)
    met = allows and asking.meets(found.rbac, {})
    asking.note(found.rbac, row, action, allows, None, met=met)
    if met:
        return _by_rbac(row)._replace(tried=asking.seen)
    if not record and about_type(user.role, action):
        return _ADMIN_READS._replace(tried=asking.seen)
    allowed = _further(asking, found, action, bit)
    if allowed is not None:
        return allowed
    if asking.failed:
        return Decided(False, CONDITION_FAILED, _row(row), failed=tuple(asking.failed), tried=asking.seen)
    return _denied(row)._replace(tried=asking.seen)


def _row(row: str) -> str:
    return f"rbac:{row_name(row)}"


@functools.lru_cache(1024)
def _by_rbac(row: str) -> Decided:
    return Decided(True, "RBAC", _row(row))


@functools.lru_cache(1024)
def _denied(row: str) -> Decided:
    return Decided(False, NO_RULE_ALLOWS, _row(row))


_ADMIN_READS = Decided(True, "ADMIN_READS_TYPES", "rbac:admin")


def _plain(
    snapshot: Snapshot, found: CompiledType, user: User, action: str, bit: int, record: str, now: float
) -> Decided:
    """Decide by the seed's rules alone: what most types have, and what must be fast."""
    row = found.rbac.row_of(user)
    if found.rbac.rows[row] & bit:
        return _by_rbac(row)
    if not record:
        return _ADMIN_READS if about_type(user.role, action) else _denied(row)
    if found.mask & bit:
        source = user_end(user.id)
        for policy in found.further:
            own = policy.row_of(user)
            if policy.rows[own] & bit:
                edge = snapshot.edge(policy.path[0].type, source, record, now)
                if edge is not None:
                    return Decided(True, policy.reason, f"{policy.name}:{row_name(own)}", edge)
    return _denied(row)


def about_type(role: str, action: str) -> bool:
    """Tell what a role alone may do with a type: an admin whose rows are all false can still repair a policy.

    Source: facts/policy §1.6, D8.
    """
    if role == "admin":
        return action == "read" or action in ABOUT_TYPES
    return role == "agent" and action == "show_policies"


def _further(asking: _Asking, found: CompiledType, action: str, bit: int) -> Decided | None:
    """Ask the policies beyond roles, in their order; the first that allows decides."""
    for policy in found.further:
        # without a record there is no way to it, and nothing to be conditional on but the making of one
        if not asking.record and (policy.path or action != "create"):
            continue
        if policy.path and not bit & RELATED:
            continue
        row = policy.row_of(asking.user)
        allows = bool(policy.rows[row] & bit)
        if not allows and asking.tried is None:
            continue
        path, met = _way(asking, policy, ask=allows)
        asking.note(policy, row, action, allows, path, met=met)
        if allows and met and path is not None:
            return Decided(
                True,
                policy.reason,
                f"{policy.name}:{row_name(row)}",
                path[0] if path else "",
                path if len(path) > 1 else (),
                tuple(asking.failed),
                asking.seen,
            )
    return None


def _way(asking: _Asking, policy: Policy, *, ask: bool) -> tuple[tuple[str, ...] | None, bool]:
    """Return the relationships that lead from the subject to the record, and whether the condition is met.

    None = there is no way. Of several ways one counts whose first relationship meets the condition.

    Args:
        ask: False when the row says no: the condition is not asked then, so that its failure is not the reason.
    """
    if not policy.path:
        return (), ask and asking.meets(policy, {})
    found: tuple[str, ...] | None = None
    for source, target, ids in ways(asking.snapshot, policy, asking.user, asking.record, asking.now):
        found = found or ids
        if not ask:
            break
        first = {"id": ids[0], "type": policy.path[0].type, "source": source, "target": target}
        if asking.meets(policy, first):
            return ids, True
    return found, False


def ways(
    snapshot: Snapshot, policy: Policy, user: User, record: str, now: float
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the ways from a user to a record along a policy's path, one per first relationship.

    Each as source and target of the first relationship, and the ids of all.
    """
    starts = snapshot.starts(user, policy.start)
    if not starts:
        return
    for node, rest in reaching(snapshot, policy, record, now).items():
        for start in starts:
            edge = snapshot.edge(policy.path[0].type, start, node, now)
            if edge is not None:
                yield start, node, (edge, *rest)


def reaching(snapshot: Snapshot, policy: Policy, record: str, now: float) -> dict[str, tuple[str, ...]]:
    """Return the nodes that the first relationship of a path may lead to, with the ids of the rest of the way.

    Walks back from the record, breadth first; a node is visited once per step, so that cycles end. The first
    step is left to the caller: from a subject it is one lookup.
    """
    reached: dict[str, tuple[str, ...]] = {record: ()}
    for step in reversed(policy.path[1:]):
        if step.up_to:
            reached = _closure(snapshot, step.type, step.up_to, reached, now)
        else:
            reached = _back(snapshot, step.type, reached, now)
    return reached


def _back(
    snapshot: Snapshot, kind: str, reached: Mapping[str, tuple[str, ...]], now: float
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node, rest in reached.items():
        for source in snapshot.sources(kind, node, now):
            if source not in found:
                edge = snapshot.edge(kind, source, node, now)
                if edge is not None:
                    found[source] = (edge, *rest)
    return found


def _closure(
    snapshot: Snapshot, kind: str, hops: int, reached: Mapping[str, tuple[str, ...]], now: float
) -> dict[str, tuple[str, ...]]:
    """Return what none to `hops` hops back lead to; a node that was met before is not met again."""
    found = dict(reached)
    frontier: Mapping[str, tuple[str, ...]] = reached
    for _ in range(hops):
        frontier = {n: rest for n, rest in _back(snapshot, kind, frontier, now).items() if n not in found}
        if not frontier:
            break
        found.update(frontier)
    return found
