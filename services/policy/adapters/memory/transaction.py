"""One transaction on one account's tables in memory."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from libs.db.requests import MemoryRequests, Remembered, Requests
from libs.decision.rows import Change, ObjectRow, RelationshipRow, TypeRow, User, user_end
from services.policy.adapters.memory.versions import Table
from services.policy.app.ports import AccountSettings, LogRow, ObjectKey, Pair, State, Written

_End = tuple[str, str, str]


@dataclass(slots=True)
class Tables:
    """An account's tables."""

    state: State = field(default_factory=State)
    settings: AccountSettings = field(default_factory=AccountSettings)
    types: Table[tuple[str, str], TypeRow] = field(default_factory=Table)
    users: Table[int, User] = field(default_factory=Table)
    objects: Table[ObjectKey, ObjectRow] = field(default_factory=Table)
    relationships: Table[_End, RelationshipRow] = field(default_factory=Table)
    changes: dict[int, Written] = field(default_factory=dict)
    requests: dict[tuple[str, str], Remembered] = field(default_factory=dict)
    log: dict[str, LogRow] = field(default_factory=dict)

    def copy(self) -> Tables:
        """Return tables that change by themselves; the log, which is only added to, is shared."""
        return Tables(
            self.state,
            self.settings,
            self.types.copy(),
            self.users.copy(),
            self.objects.copy(),
            self.relationships.copy(),
            dict(self.changes),
            dict(self.requests),
            self.log,
        )


def _key(row: RelationshipRow) -> _End:
    return row.source, row.type, row.target


def _lives(row: RelationshipRow, now: datetime) -> bool:
    return row.expires_at is None or row.expires_at > now


def _own(row: TypeRow) -> TypeRow:
    """Return the row with JSON values of its own, which a caller may change."""
    return replace(row, permissions=copy.deepcopy(row.permissions), extensions=copy.deepcopy(row.extensions))


class MemoryTransaction:
    """Implements the port `Transaction`."""

    def __init__(self, tables: Tables) -> None:
        self._t = tables
        self.requests: Requests = MemoryRequests(tables.requests)

    @property
    def _revision(self) -> int:
        return self._t.state.revision

    async def state(self) -> State:
        return self._t.state

    async def settings(self) -> AccountSettings:
        return self._t.settings

    async def put_settings(self, settings: AccountSettings) -> None:
        self._t.settings = replace(settings, version=self._t.settings.version + 1)

    async def next_revision(self, actor: str, now: datetime) -> int:
        self._t.state = replace(self._t.state, revision=self._revision + 1)
        self._t.changes[self._revision] = Written(self._revision, now, actor)
        return self._revision

    async def written(self, revision: int) -> Written | None:
        return self._t.changes.get(revision)

    async def revision_at(self, instant: datetime) -> int | None:
        return max((r for r, written in self._t.changes.items() if written.at <= instant), default=None)

    async def log_of(self, after: int, to: int) -> list[Written]:
        return [written for r, written in sorted(self._t.changes.items()) if after < r <= to]

    async def changes(self, after: int, to: int) -> list[Change]:
        tables = (self._t.types, self._t.users, self._t.objects, self._t.relationships)
        found = [change for table in tables for change in table.changes(after, to)]
        return sorted(found, key=lambda change: (change.revision, not change.gone))

    async def forget_before(self, revision: int) -> None:
        for table in (self._t.types, self._t.users, self._t.objects, self._t.relationships):
            table.forget(revision)
        self._t.changes = {r: w for r, w in self._t.changes.items() if r >= revision}
        self._t.state = replace(self._t.state, oldest=max(self._t.state.oldest, revision))

    async def types(self, kind: str | None = None, *, at: int | None = None) -> list[TypeRow]:
        rows = sorted(self._t.types.rows(at))
        return [_own(row) for _, row in rows if kind is None or row.kind == kind]

    async def type(self, kind: str, key: str) -> TypeRow | None:
        row = self._t.types.get((kind, key))
        return _own(row) if row else None

    async def add_type(self, row: TypeRow) -> bool:
        if self._t.types.get((row.kind, row.key)) is not None:
            return False
        self._t.types.put((row.kind, row.key), _own(replace(row, version=1)), self._revision)
        return True

    async def put_permissions(self, row: TypeRow) -> None:
        if stored := self._t.types.get((row.kind, row.key)):
            changed = replace(
                stored, permissions=row.permissions, extensions=row.extensions, version=stored.version + 1
            )
            self._t.types.put((row.kind, row.key), _own(changed), self._revision)

    async def delete_type(self, kind: str, key: str) -> None:
        self._t.types.drop((kind, key), self._revision)

    async def users(self, *, after: int = 0, limit: int | None = None, at: int | None = None) -> list[User]:
        rows = sorted((user for _, user in self._t.users.rows(at)), key=lambda user: user.id)
        return [user for user in rows if user.id > after][:limit]

    async def known(self, user_ids: Collection[int], *, at: int | None = None) -> Mapping[int, User]:
        found = {user_id: self._t.users.get(user_id, at) for user_id in user_ids}
        return {user_id: user for user_id, user in found.items() if user is not None}

    async def put_users(self, users: Sequence[User]) -> int:
        latest = {u.id: u for u in users}
        changed = {i: u for i, u in latest.items() if self._t.users.get(i) != u}
        for user_id, user in changed.items():
            self._t.users.put(user_id, user, self._revision)
        return len(changed)

    async def remove_users(self, user_ids: Collection[int]) -> tuple[int, int]:
        ends = {user_end(user_id) for user_id in user_ids}
        gone = self._drop(lambda row: row.source in ends or row.target in ends)
        people = [i for i in set(user_ids) if self._t.users.drop(i, self._revision) is not None]
        return len(people), gone

    def _drop(self, matches: Callable[[RelationshipRow], bool]) -> int:
        gone = [key for key, row in self._t.relationships.rows() if matches(row)]
        for key in gone:
            self._t.relationships.drop(key, self._revision)
        return len(gone)

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        new = 0
        for row in rows:
            present = self._t.relationships.get(_key(row))
            if present is None or not _lives(present, row.created_at):
                self._t.relationships.put(_key(row), row, self._revision)
                new += 1
        return new

    async def unrelate(self, rows: Sequence[RelationshipRow]) -> int:
        return sum(self._t.relationships.drop(_key(row), self._revision) is not None for row in rows)

    async def delete_relationship(self, relationship_id: str) -> bool:
        return self._drop(lambda row: row.id == relationship_id) > 0

    async def expire(self, now: datetime, limit: int) -> int:
        ended = [row for row in self._by_id(None) if not _lives(row, now)]
        first = {row.id for row in sorted(ended, key=lambda row: (row.expires_at, row.id))[:limit]}
        return self._drop(lambda row: row.id in first)

    def _by_id(self, at: int | None) -> list[RelationshipRow]:
        return sorted((row for _, row in self._t.relationships.rows(at)), key=lambda row: row.id)

    async def relationship(self, relationship_id: str) -> RelationshipRow | None:
        return next((row for row in self._by_id(None) if row.id == relationship_id), None)

    async def relationships(
        self,
        *,
        types: Collection[str] | None = None,
        source: str = "",
        target: str = "",
        after: str = "",
        limit: int = 1000,
        at: int | None = None,
    ) -> list[RelationshipRow]:
        return [
            row
            for row in self._by_id(at)
            if row.id > after
            and (types is None or row.type in types)
            and source in ("", row.source)
            and target in ("", row.target)
        ][:limit]

    async def every_relationship(self, *, at: int | None = None) -> AsyncIterator[Sequence[RelationshipRow]]:
        yield self._by_id(at)

    async def from_sources(
        self, types: Collection[str], sources: Collection[str], *, at: int | None = None
    ) -> list[RelationshipRow]:
        return [row for row in self._by_id(at) if row.type in types and row.source in sources]

    async def to_targets(
        self, types: Collection[str], targets: Collection[str], *, at: int | None = None
    ) -> list[RelationshipRow]:
        return [row for row in self._by_id(at) if row.type in types and row.target in targets]

    async def between(self, pairs: Collection[Pair], *, at: int | None = None) -> list[RelationshipRow]:
        return [row for row in self._by_id(at) if (row.source, row.target) in pairs]

    async def has_ended(self, now: datetime) -> bool:
        return any(not _lives(row, now) for row in self._by_id(None))

    async def has_more_relationships_than(self, number: int) -> bool:
        return len(self._by_id(None)) > number

    async def objects(
        self,
        types: Collection[str] | None = None,
        ids: Collection[str] | None = None,
        *,
        after: ObjectKey = ("", ""),
        limit: int | None = None,
        at: int | None = None,
    ) -> list[ObjectRow]:
        rows = sorted(self._t.objects.rows(at), key=lambda item: item[0])
        return [
            row
            for key, row in rows
            if key > after and (types is None or row.type in types) and (ids is None or row.id in ids)
        ][:limit]

    async def put_objects(self, rows: Sequence[ObjectRow]) -> int:
        latest = {(row.type, row.id): row for row in rows}
        changed = {key: row for key, row in latest.items() if self._t.objects.get(key) != row}
        for key, row in changed.items():
            self._t.objects.put(key, copy.deepcopy(row), self._revision)
        return len(changed)

    async def delete_objects(self, keys: Collection[ObjectKey], relationship_types: Iterable[TypeRow]) -> int:
        ends = {row.key: row for row in relationship_types}
        gone = self._drop(
            lambda row: (
                row.type in ends
                and (
                    (ends[row.type].source, row.source) in keys or (ends[row.type].target, row.target) in keys
                )
            )
        )
        return gone + sum(self._t.objects.drop(key, self._revision) is not None for key in set(keys))

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        return [
            row
            for _, row in sorted(self._t.log.items(), reverse=True)
            if (not before or row.id < before) and user_id in (None, row.user_id)
        ][:limit]

    async def forget_requests(self, age: timedelta) -> None:
        """Do nothing: nothing in memory knows when it was answered, and a process does not live that long."""

    async def forget_decisions(self, before: datetime, limit: int) -> int:
        old = sorted((row.at, row.id) for row in self._t.log.values() if row.at < before)[:limit]
        for _, log_id in old:
            del self._t.log[log_id]
        return len(old)
