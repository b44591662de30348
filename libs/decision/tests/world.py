"""An account as plain rows, changed one by one: what the core's indexes are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.decision.build import Builder
from libs.decision.rows import Change, ObjectRow, RelationshipRow, Row, TypeRow, User
from libs.decision.snapshot import EMPTY, Snapshot

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NOW = T0.timestamp()
GOLD = {"tier": "gold"}


@dataclass
class World:
    """Every row of an account; of two relationships between the same ends the later one is kept."""

    types: dict[tuple[str, str], TypeRow] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    objects: dict[tuple[str, str], ObjectRow] = field(default_factory=dict)
    relationships: dict[tuple[str, str, str], RelationshipRow] = field(default_factory=dict)

    def put(self, row: Row) -> None:
        match row:
            case TypeRow():
                self.types[row.kind, row.key] = row
            case User():
                self.users[row.id] = row
            case ObjectRow():
                self.objects[row.type, row.id] = row
            case RelationshipRow():
                self.relationships[row.type, row.source, row.target] = row

    def drop(self, row: Row) -> None:
        match row:
            case TypeRow():
                self.types.pop((row.kind, row.key), None)
            case User():
                self.users.pop(row.id, None)
            case ObjectRow():
                self.objects.pop((row.type, row.id), None)
            case RelationshipRow():
                ends = (row.type, row.source, row.target)
                if ends in self.relationships and self.relationships[ends].id == row.id:
                    del self.relationships[ends]

    def apply(self, changes: Iterable[Change]) -> World:
        """Return the world after changes; this one stays."""
        after = World(dict(self.types), dict(self.users), dict(self.objects), dict(self.relationships))
        for change in changes:
            (after.drop if change.gone else after.put)(change.row)
        return after

    def rows(self) -> list[Row]:
        tables: list[dict[Any, Any]] = [self.types, self.users, self.objects, self.relationships]
        return [row for table in tables for row in table.values()]

    def snapshot(self, revision: int = 1) -> Snapshot:
        return Builder(EMPTY).apply(Change(revision, row) for row in self.rows()).finish(revision)

    def named(self, name: str) -> TypeRow | None:
        """The type that a question means: two name spaces, objects first (facts: policy, D15)."""
        if ":" in name:
            kind, key = name.split(":", 1)
            return self.types.get((kind, key))
        return self.types.get(("object", name)) or self.types.get(("relationship", name))

    def known(self, object_type: str) -> set[str]:
        """Records that were put, or that relationships lead to or come from."""
        found = {one.id for one in self.objects.values() if one.type == object_type}
        for one in self.relationships.values():
            kind = self.types.get(("relationship", one.type))
            if kind is not None:
                found |= {one.source} if kind.source == object_type else set()
                found |= {one.target} if kind.target == object_type else set()
        return found

    def names(self) -> list[str]:
        """Every type as rights name it."""
        return [key if kind == "object" else f"relationship:{key}" for kind, key in self.types]


def row(verbs: str) -> dict[str, bool]:
    """Return a row from its verbs: `ru` = read and update."""
    return {verb: verb[0] in verbs for verb in ("create", "read", "update", "delete")}


def policy(admin: str = "", agent: str = "", end_user: str = "", **custom: str) -> dict[str, Any]:
    """Return a policy; custom rows as `r8237="ru"`."""
    made: dict[str, Any] = {"admin": row(admin), "agent": row(agent), "end_user": row(end_user)}
    return {**made, "custom": {name[1:]: row(verbs) for name, verbs in custom.items()}} if custom else made


def object_type(key: str, rbac: Any, rebac: Any = None, **extensions: Any) -> TypeRow:
    return TypeRow("object", key, {"rbac": rbac, "rebac": rebac or {}}, T0, extensions=extensions)


def relationship_type(key: str, source: str, target: str, rbac: Any = None) -> TypeRow:
    rights = {"rbac": rbac or policy("crud", "crud"), "rebac": {}}
    return TypeRow("relationship", key, rights, T0, source, target, many=True)


def related(number: int, kind: str, source: str, target: str, ends: float | None = None) -> RelationshipRow:
    """Return `rel-{number}`; `ends` in seconds from `T0`."""
    expires = None if ends is None else T0 + timedelta(seconds=ends)
    return RelationshipRow(f"rel-{number}", kind, source, target, T0, expires)
