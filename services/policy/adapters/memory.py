"""Policy's store in memory: for tests, and for trying things out without a database.

Everything that the port promises holds: a transaction works on a copy that replaces the state at a clean
exit, keys are unique, and an account's transactions run one after the other.
"""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.kernel.ids import AccountId
from services.policy.app.ports import LogRow, Pair, RelationshipRow, Transaction, TypeRow, UserRow
from services.policy.domain.decide import User
from services.policy.domain.ends import user_end


@dataclass(slots=True)
class _State:
    """An account's tables. Rows are immutable, so a copy of the dictionaries is a copy of the state."""

    revision: int = 0
    types: dict[tuple[str, str], TypeRow] = field(default_factory=dict)
    users: dict[int, UserRow] = field(default_factory=dict)
    relationships: dict[tuple[str, str, str], RelationshipRow] = field(default_factory=dict)
    log: dict[str, LogRow] = field(default_factory=dict)

    def copy(self) -> _State:
        return _State(
            self.revision, dict(self.types), dict(self.users), dict(self.relationships), dict(self.log)
        )


def _key(row: RelationshipRow) -> tuple[str, str, str]:
    return row.source, row.type, row.target


def _lives(row: RelationshipRow, now: datetime) -> bool:
    return row.expires_at is None or row.expires_at > now


class MemoryTransaction:
    """Implements the port `Transaction`."""

    def __init__(self, state: _State) -> None:
        self._state = state

    async def revision(self) -> int:
        return self._state.revision

    async def next_revision(self) -> int:
        self._state.revision += 1
        return self._state.revision

    async def types(self, kind: str | None = None) -> list[TypeRow]:
        rows = sorted(self._state.types.items())
        return [_own(row) for _, row in rows if kind is None or row.kind == kind]

    async def type(self, kind: str, key: str) -> TypeRow | None:
        row = self._state.types.get((kind, key))
        return _own(row) if row else None

    async def add_type(self, row: TypeRow) -> bool:
        if (row.kind, row.key) in self._state.types:
            return False
        self._state.types[row.kind, row.key] = _own(replace(row, version=1))
        return True

    async def put_permissions(self, row: TypeRow) -> None:
        if stored := self._state.types.get((row.kind, row.key)):
            self._state.types[row.kind, row.key] = _own(
                replace(stored, permissions=row.permissions, version=stored.version + 1)
            )

    async def delete_type(self, kind: str, key: str) -> None:
        self._state.types.pop((kind, key), None)

    async def users(self, *, after: int = 0, limit: int | None = None) -> list[UserRow]:
        return [row for user_id, row in sorted(self._state.users.items()) if user_id > after][:limit]

    async def known(self, user_ids: Collection[int]) -> Mapping[int, User]:
        return {i: self._state.users[i].user for i in user_ids if i in self._state.users}

    async def put_users(self, users: Sequence[UserRow]) -> int:
        latest = {row.user.id: row for row in users}
        changed = {i: row for i, row in latest.items() if self._state.users.get(i) != row}
        self._state.users.update(changed)
        return len(changed)

    async def remove_users(self, user_ids: Collection[int]) -> tuple[int, int]:
        ends = {user_end(user_id) for user_id in user_ids}
        gone = [
            key for key, row in self._state.relationships.items() if row.source in ends or row.target in ends
        ]
        for key in gone:
            del self._state.relationships[key]
        people = [i for i in set(user_ids) if self._state.users.pop(i, None) is not None]
        return len(people), len(gone)

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        new = 0
        for row in rows:
            present = self._state.relationships.get(_key(row))
            if present is None or not _lives(present, row.created_at):
                self._state.relationships[_key(row)] = row
                new += 1
        return new

    async def unrelate(self, rows: Sequence[RelationshipRow]) -> int:
        return sum(self._state.relationships.pop(key, None) is not None for key in map(_key, rows))

    async def delete_relationship(self, relationship_id: str) -> bool:
        row = await self.relationship(relationship_id)
        return row is not None and self._state.relationships.pop(_key(row), None) is not None

    def _by_id(self) -> list[RelationshipRow]:
        return sorted(self._state.relationships.values(), key=lambda row: row.id)

    async def relationship(self, relationship_id: str) -> RelationshipRow | None:
        return next((row for row in self._by_id() if row.id == relationship_id), None)

    async def relationships(
        self,
        *,
        types: Collection[str] | None = None,
        source: str = "",
        target: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[RelationshipRow]:
        return [
            row
            for row in self._by_id()
            if row.id > after
            and (types is None or row.type in types)
            and source in ("", row.source)
            and target in ("", row.target)
        ][:limit]

    async def from_sources(
        self, type_key: str, sources: Collection[str], now: datetime
    ) -> list[RelationshipRow]:
        return [
            row
            for row in self._by_id()
            if row.type == type_key and row.source in sources and _lives(row, now)
        ]

    async def related(self, pairs: Collection[Pair], now: datetime) -> Mapping[Pair, Mapping[str, str]]:
        found: dict[Pair, dict[str, str]] = {}
        for row in self._by_id():
            if (row.source, row.target) in pairs and _lives(row, now):
                found.setdefault((row.source, row.target), {})[row.type] = row.id
        return found

    async def targets(
        self, source: str, types: Collection[str], now: datetime, *, after: str, limit: int
    ) -> list[tuple[str, frozenset[str]]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for row in self._by_id():
            if row.source == source and row.type in types and row.target > after and _lives(row, now):
                found[row.target].add(row.type)
        return [(target, frozenset(by)) for target, by in sorted(found.items())][:limit]

    async def log(self, rows: Sequence[LogRow]) -> None:
        self._state.log.update({row.id: row for row in rows})

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        return [
            row
            for _, row in sorted(self._state.log.items(), reverse=True)
            if (not before or row.id < before) and user_id in (None, row.user_id)
        ][:limit]


def _own(row: TypeRow) -> TypeRow:
    """Return the row with permissions of its own: they are plain JSON values, which a caller may change."""
    return replace(row, permissions=copy.deepcopy(row.permissions))


class MemoryStore:
    """Implements the port `Store`."""

    def __init__(self) -> None:
        self._states: defaultdict[AccountId, _State] = defaultdict(_State)
        self._locks: defaultdict[AccountId, asyncio.Lock] = defaultdict(asyncio.Lock)

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._locks[account]:
            state = self._states[account].copy()
            yield MemoryTransaction(state)
            self._states[account] = state
