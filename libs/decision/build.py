"""Makes snapshots: from all rows at once, or from the one before and what changed."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Self, TypeVar

from immutables import Map, MapMutation

from libs.decision.policies import CompiledType, compile_type
from libs.decision.rows import Change, ObjectRow, RelationshipRow, Row, TypeRow, User
from libs.decision.snapshot import EMPTY, NO_EDGES, Back, Edge, Forward, Snapshot, TypeKey, ends_at

V = TypeVar("V")
STEP = 2000
"""Sources or targets that are finished at once: a few milliseconds."""


class Builder:
    """Collects rows on top of a snapshot, which stays as it is; `finish` returns the next one.

    Cost: of what changed, and of the sources and targets that it touches.

    Args:
        base: to start from.
    """

    def __init__(self, base: Snapshot = EMPTY) -> None:
        self._types: dict[TypeKey, CompiledType] = dict(base.types)
        self._users = base.users.mutate()
        self._base = base
        self._objects: dict[str, MapMutation[str, str | None]] = {}
        self._forward: dict[str, dict[str, MapMutation[str, Edge]]] = {}
        self._back: dict[str, dict[str, dict[str, None]]] = {}
        self._names: dict[str, str] = {}
        self._edges = base.edges

    def put(self, row: Row) -> None:
        """Take a row that came, or that changed."""
        match row:
            case RelationshipRow():
                self._relate(row)
            case User():
                self._users[row.id] = row
            case ObjectRow():
                attributes = json.dumps(dict(row.attributes), sort_keys=True) if row.attributes else None
                self._records(row.type)[row.id] = attributes
            case TypeRow():
                self._types[row.kind, row.key] = compile_type(row)

    def drop(self, row: Row) -> None:
        """Take away a row that went; one that is not there is no error."""
        match row:
            case RelationshipRow():
                self._unrelate(row)
            case User():
                self._users.pop(row.id, None)
            case ObjectRow():
                self._records(row.type).pop(row.id, None)
            case TypeRow():
                self._types.pop((row.kind, row.key), None)

    def apply(self, changes: Iterable[Change]) -> Self:
        """Take changes in their order."""
        for change in changes:
            (self.drop if change.gone else self.put)(change.row)
        return self

    def finish(self, revision: int) -> Snapshot:
        """Return the snapshot; the builder is of no use afterwards."""
        steps = self.finishing(revision)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                snapshot: Snapshot = done.value
                return snapshot

    def finishing(self, revision: int) -> Generator[None, None, Snapshot]:
        """Return the snapshot as `finish` does, with pauses: of a large account it takes seconds."""
        base = self._base
        forward, back = {}, {}
        for kind in self._forward:
            forward[kind] = yield from self._finish_forward(kind)
        for kind in self._back:
            back[kind] = yield from self._finish_back(kind)
        return Snapshot(
            revision,
            self._types,
            self._users.finish(),
            _over(base.objects, {key: records.finish() for key, records in self._objects.items()}),
            _over(base.forward, forward),
            _over(base.back, back),
            self._edges,
        )

    def _finish_forward(self, kind: str) -> Generator[None, None, Forward]:
        forward = self._base.forward.get(kind, Map()).mutate()
        for count, (source, touched) in enumerate(self._forward[kind].items(), 1):
            if count % STEP == 0:
                yield
            if targets := touched.finish():
                forward[source] = targets
            else:
                forward.pop(source, None)
        return forward.finish()

    def _finish_back(self, kind: str) -> Generator[None, None, Back]:
        back = self._base.back.get(kind, Map()).mutate()
        for count, (target, sources) in enumerate(self._back[kind].items(), 1):
            if count % STEP == 0:
                yield
            if sources:
                back[target] = tuple(sources)
            else:
                back.pop(target, None)
        return back.finish()

    def _records(self, object_type: str) -> MapMutation[str, str | None]:
        if object_type not in self._objects:
            self._objects[object_type] = self._base.objects.get(object_type, Map()).mutate()
        return self._objects[object_type]

    def _targets(self, kind: str, source: str) -> MapMutation[str, Edge]:
        touched = self._forward.setdefault(kind, {})
        if source not in touched:
            touched[source] = self._base.forward.get(kind, Map()).get(source, NO_EDGES).mutate()
        return touched[source]

    def _sources(self, kind: str, target: str) -> dict[str, None]:
        touched = self._back.setdefault(kind, {})
        if target not in touched:
            touched[target] = dict.fromkeys(self._base.back.get(kind, Map()).get(target, ()))
        return touched[target]

    def _relate(self, row: RelationshipRow) -> None:
        source = self._names.setdefault(row.source, row.source)  # each end is kept once
        target = self._names.setdefault(row.target, row.target)
        targets = self._targets(row.type, source)
        before = len(targets)
        targets[target] = ends_at(row.expires_at, row.id)
        self._edges += len(targets) - before
        self._sources(row.type, target)[source] = None

    def _unrelate(self, row: RelationshipRow) -> None:
        targets = self._targets(row.type, row.source)
        present = targets.get(row.target)
        if present is None or (present if isinstance(present, str) else present[0]) != row.id:
            return  # another record took its place meanwhile
        del targets[row.target]
        self._edges -= 1
        self._sources(row.type, row.target).pop(row.source, None)


def _over(base: Mapping[str, V], touched: dict[str, V]) -> Mapping[str, V]:
    return {**base, **touched} if touched else base
