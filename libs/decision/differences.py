"""Which answers differ between two snapshots: for simulations, and for those who watch effective permissions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from libs.decision.lookups import NONE, Records, allowed_records
from libs.decision.policies import CompiledType, Policy
from libs.decision.rows import (
    ACTIONS,
    OBJECT,
    RELATIONSHIP,
    Change,
    ObjectRow,
    RelationshipRow,
    TypeRow,
    User,
)
from libs.decision.snapshot import Snapshot, TypeKey

EVERY_RECORD = "*"


class Flip(NamedTuple):
    """One answer that differs.

    Attributes:
        record: `*` = every record of the type, also those that nobody knows of.
        allowed: what it becomes.
    """

    user: int
    type: str
    record: str
    action: str
    allowed: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of one action of one user on one type.

    Attributes:
        known: records of the type, where either answer is `every`; else nothing.
    """

    user: int
    type: str
    action: str
    before: Records
    after: Records
    known: Collection[str]

    def _of(self, more: Records, less: Records) -> Iterator[str]:
        """Yield the records that are in `more` and not in `less`, by id; `*` first."""
        if more.every and not less.every:
            yield EVERY_RECORD
            if self.action != "create":  # nothing is there to be created
                yield from sorted(set(self.known) - less.ids)
        elif not more.every and not less.every:
            yield from sorted(more.ids - less.ids)

    def count(self) -> tuple[int, int]:
        """Return how many answers become yes and how many no."""
        return self._count(self.after, self.before), self._count(self.before, self.after)

    def _count(self, more: Records, less: Records) -> int:
        if more.every and not less.every:
            return 1 if self.action == "create" else 1 + len(self.known) - len(less.ids)
        return 0 if less.every or more.every else len(more.ids - less.ids)

    def flips(self) -> Iterator[Flip]:
        """Yield every answer, those that become yes first."""
        for record in self._of(self.after, self.before):
            yield Flip(self.user, self.type, record, self.action, True)
        for record in self._of(self.before, self.after):
            yield Flip(self.user, self.type, record, self.action, False)


class _Both:
    """Two snapshots, and the records that either of them knows."""

    def __init__(self, before: Snapshot, after: Snapshot, now: float) -> None:
        self.before, self.after, self.now = before, after, now
        self.types = {**before.types, **after.types}
        self.users = {*before.users, *after.users}
        self._records: dict[TypeKey, frozenset[str]] = {}

    def known(self, key: TypeKey) -> list[Collection[str]]:
        kind, object_type = key
        if kind == RELATIONSHIP:
            return []
        return [*self.before.known(object_type), *self.after.known(object_type)]

    def records(self, key: TypeKey) -> frozenset[str]:
        if key not in self._records:
            self._records[key] = frozenset[str]().union(*self.known(key))
        return self._records[key]

    def of_user(self, user_id: int, key: TypeKey, only: Collection[str] | None) -> Iterator[Difference]:
        """Yield what differs for a user on a type; `only` = records that can differ."""
        name = self.types[key].row.name
        known = self.known(key) if only is None else [only]
        for action in sorted(ACTIONS):
            was = _records(self.before, user_id, action, name, self.now, known)
            becomes = _records(self.after, user_id, action, name, self.now, known)
            if was != becomes:
                records = self.records(key) if was.every or becomes.every else ()
                yield Difference(user_id, name, action, was, becomes, records)


def differences(
    before: Snapshot, after: Snapshot, changes: Iterable[Change], now: float
) -> Iterator[Difference]:
    """Yield what differs, by user, type and action.

    Args:
        changes: that lead from one to the other: only what they can touch is looked at.
    """
    both = _Both(before, after, now)
    changes = list(changes)
    everybody = {change.row.id for change in changes if isinstance(change.row, User)}
    some = _users_by_type(both, changes)
    objects = _objects_by_type(both, changes)
    keys = sorted(both.types, key=lambda key: both.types[key].row.name)
    for user_id in sorted(both.users):
        for key in keys:
            if user_id in everybody or user_id in some.get(key, ()):
                yield from both.of_user(user_id, key, None)
            elif key in objects:
                yield from both.of_user(user_id, key, objects[key])


def _records(
    snapshot: Snapshot, user_id: int, action: str, name: str, now: float, known: Sequence[Collection[str]]
) -> Records:
    user = snapshot.users.get(user_id)
    return NONE if user is None else allowed_records(snapshot, user, action, name, now, known=known)


def _users_by_type(both: _Both, changes: Collection[Change]) -> dict[TypeKey, set[int]]:
    """Return the users of whom anything on a type may differ, by type."""
    found: dict[TypeKey, set[int]] = {}
    for change in changes:
        row = change.row
        if isinstance(row, TypeRow):
            found[row.kind, row.key] = both.users
        elif isinstance(row, RelationshipRow):
            for snapshot in (both.before, both.after):
                for key, compiled in snapshot.types.items():
                    if users := _starting(snapshot, compiled, row, both.now):
                        found[key] = found.get(key, set()) | users
    return found


def _objects_by_type(both: _Both, changes: Collection[Change]) -> dict[TypeKey, set[str]]:
    """Return the records whose attributes changed, of types that ask for attributes: only they can differ."""
    found: dict[TypeKey, set[str]] = {}
    for change in changes:
        if isinstance(change.row, ObjectRow):
            key = (OBJECT, change.row.type)
            if key in both.types and not both.types[key].plain:
                found.setdefault(key, set()).add(change.row.id)
    return found


def _starting(snapshot: Snapshot, compiled: CompiledType, row: RelationshipRow, now: float) -> set[int]:
    """Return the users whose ways along a type's policies may go over a relationship."""
    found: set[int] = set()
    for policy in compiled.further:
        for position, step in enumerate(policy.path):
            if step.type == row.type:
                found |= _users_at(snapshot, _first_nodes(snapshot, policy, position, row.source, now))
    return found


def _first_nodes(snapshot: Snapshot, policy: Policy, position: int, node: str, now: float) -> set[str]:
    """Return the ends from which a path leads to a node in front of one of its steps."""
    nodes = {node}
    if policy.path[position].up_to:
        nodes = _backwards(snapshot, policy.path[position].type, policy.path[position].up_to, nodes, now)
    for step in reversed(policy.path[:position]):
        if step.up_to:
            nodes = _backwards(snapshot, step.type, step.up_to, nodes, now)
        else:
            nodes = {s for n in nodes for s in snapshot.sources(step.type, n, now)}
    return nodes


def _backwards(snapshot: Snapshot, kind: str, hops: int, nodes: set[str], now: float) -> set[str]:
    frontier = nodes
    for _ in range(hops):
        frontier = {s for n in frontier for s in snapshot.sources(kind, n, now)} - nodes
        if not frontier:
            break
        nodes = nodes | frontier
    return nodes


def _users_at(snapshot: Snapshot, ends: Iterable[str]) -> set[int]:
    users: set[int] = set()
    for end in ends:
        kind, _, number = end.rpartition(":")
        if not number.isdecimal() or len(number) > 20:  # the id of a record, which may look like anything
            continue
        match kind:
            case "zen:user":
                users.add(int(number))
            case "zen:group":
                users |= {u.id for u in snapshot.users.values() if int(number) in u.groups}
            case "zen:organization":
                users |= {u.id for u in snapshot.users.values() if u.organization == int(number)}
            case _:
                pass
    return users
