"""One account at one revision: immutable, indexed both ways, sharing what did not change with the one before.

Memory: ids and ends are kept as text, each end once; an index forward (type, source, target) and one back. The
figure per relationship is measured in `benchmarks/policy`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from immutables import Map

from libs.decision.policies import CompiledType, compile_type
from libs.decision.rows import OBJECT, RELATIONSHIP, TypeRow, User

Edge: TypeAlias = str | tuple[str, float]
"""A relationship's id; with the second of the epoch at which it ends, when it ends."""
Targets: TypeAlias = Map[str, Edge]
Forward: TypeAlias = Map[str, Targets]
Back: TypeAlias = Map[str, tuple[str, ...]]
TypeKey: TypeAlias = tuple[str, str]

NO_EDGES: Targets = Map()


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What decisions about an account are made from. Made and changed by `libs.decision.build`.

    Attributes:
        revision: of the account.
        types: by kind and key.
        users: by id.
        objects: object type to record to its attributes as JSON text, None = none.
        forward: relationship type to source to target to the relationship.
        back: relationship type to target to sources.
        edges: how many relationships there are.
    """

    revision: int
    types: Mapping[TypeKey, CompiledType]
    users: Map[int, User]
    objects: Mapping[str, Map[str, str | None]]
    forward: Mapping[str, Forward]
    back: Mapping[str, Back]
    edges: int

    def find(self, name: str) -> CompiledType | None:
        """Return the type that a question means: an object type's key, else a relationship type's.

        `object:{key}` and `relationship:{key}` mean the one kind whatever types of the other there are (facts:
        policy, D15); keys hold no colon.
        """
        found = self.types.get((OBJECT, name))
        if found is not None:
            return found
        kind, colon, key = name.partition(":")
        return self.types.get((kind, key) if colon else (RELATIONSHIP, name))

    def name_of(self, name: str) -> str:
        """Return how rights and the log name the type that a question means, however that spells it.

        For an unknown type: what was asked, as if it were an object type's.
        """
        found = self.find(name)
        return name.removeprefix(f"{OBJECT}:") if found is None else found.row.name

    def edge(self, kind: str, source: str, target: str, now: float) -> str | None:
        """Return the id of the living relationship of a type between two ends.

        Args:
            now: second of the epoch.
        """
        forward = self.forward.get(kind)
        if forward is None:
            return None
        found = forward.get(source, NO_EDGES).get(target)
        if found is None or isinstance(found, str):
            return found
        return found[0] if found[1] > now else None

    def targets(self, kind: str, source: str, now: float) -> Iterator[str]:
        """Yield where living relationships of a type lead to from a source."""
        forward = self.forward.get(kind)
        if forward is None:
            return
        for target, found in forward.get(source, NO_EDGES).items():
            if isinstance(found, str) or found[1] > now:
                yield target

    def sources(self, kind: str, target: str, now: float) -> Iterator[str]:
        """Yield where living relationships of a type that lead to a target come from."""
        back = self.back.get(kind)
        if back is None:
            return
        for source in back.get(target, ()):
            if self.edge(kind, source, target, now) is not None:
                yield source

    def known(self, object_type: str) -> list[Collection[str]]:
        """Return the indexes whose keys are the known records of an object type: put, or ends of relationships."""
        indexes: list[Collection[str]] = [self.objects.get(object_type, ())]
        for (kind, key), compiled in self.types.items():
            if kind == RELATIONSHIP:
                if compiled.row.target == object_type:
                    indexes.append(self.back.get(key, ()))
                if compiled.row.source == object_type:
                    indexes.append(self.forward.get(key, ()))
        return [index for index in indexes if index]

    def records(self, object_type: str) -> list[str]:
        """Return the records of an object type that are known, by id."""
        return sorted(set[str]().union(*self.known(object_type)))

    def starts(self, user: User, start: str) -> list[str]:
        """Return the ends at which a path of a user starts.

        Args:
            start: `zen:user`, `zen:group` or `zen:organization`.
        """
        match start.removeprefix("zen:"):
            case "group":
                return [f"{start}:{group}" for group in user.groups]
            case "organization":
                return [] if user.organization is None else [f"{start}:{user.organization}"]
            case _:
                return [f"{start}:{user.id}"]


EMPTY = Snapshot(0, {}, Map(), {}, {}, {}, 0)


def types_of(rows: Iterable[TypeRow]) -> dict[TypeKey, CompiledType]:
    """Return types by kind and key, ready to be asked."""
    return {(row.kind, row.key): compile_type(row) for row in rows}


def ends_at(instant: datetime | None, relationship: str) -> Edge:
    """Return a relationship as it stands in the index."""
    return relationship if instant is None else (relationship, instant.timestamp())
