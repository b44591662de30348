"""What policy's use cases need from outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.kernel.ids import AccountId
from services.policy.domain.decide import Decided, User
from services.policy.domain.permissions import Json

OBJECT, RELATIONSHIP = "object", "relationship"


@dataclass(frozen=True, slots=True)
class TypeRow:
    """An object type or relationship type with its permissions.

    Attributes:
        kind: object or relationship; keys of the two are two name spaces.
        source: of a relationship type: `zen:user` or an object type's key.
        target: of a relationship type.
        many: whether one source may have many targets.
        version: counts changes of the permissions; the etag.
    """

    kind: str
    key: str
    permissions: Json
    created_at: datetime
    source: str = ""
    target: str = ""
    many: bool = False
    version: int = 1

    @property
    def name(self) -> str:
        """Key as rights are listed by: `product`, or `relationship:user_to_many_products`."""
        return self.key if self.kind == OBJECT else f"{RELATIONSHIP}:{self.key}"


@dataclass(frozen=True, slots=True)
class RelationshipRow:
    """A relationship record.

    Attributes:
        expires_at: from then on it gives no right; None = never.
    """

    id: str
    type: str
    source: str
    target: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as policy knows him."""

    user: User
    groups: tuple[int, ...] = ()
    organization: int | None = None


@dataclass(frozen=True, slots=True)
class LogRow:
    """One logged decision.

    Attributes:
        user_id: about whom; None once erased.
        record: about which record; empty for a type, and once the record's person is erased.
    """

    id: str
    at: datetime
    user_id: int | None
    action: str
    object_type: str
    record: str
    allowed: bool
    reason: str
    revision: int


Pair = tuple[str, str]
"""Source and target of relationships."""


class Transaction(Protocol):
    """One transaction on one account's rows. Texts are ordered by code point."""

    async def revision(self) -> int:
        """Return the account's revision, 0 before the first write."""
        ...

    async def next_revision(self) -> int:
        """Raise the account's revision; locks the account until the transaction ends."""
        ...

    async def types(self, kind: str | None = None) -> list[TypeRow]:
        """Return types by kind and key."""
        ...

    async def type(self, kind: str, key: str) -> TypeRow | None:
        """Return one type."""
        ...

    async def add_type(self, row: TypeRow) -> bool:
        """Keep a new type; False when the key exists."""
        ...

    async def put_permissions(self, row: TypeRow) -> None:
        """Write a type's permissions; its version goes up by one."""
        ...

    async def delete_type(self, kind: str, key: str) -> None:
        """Delete a type."""
        ...

    async def users(self, *, after: int = 0, limit: int | None = None) -> list[UserRow]:
        """Return users by id, those beyond `after`."""
        ...

    async def known(self, user_ids: Collection[int]) -> Mapping[int, User]:
        """Return those of these users that are known."""
        ...

    async def put_users(self, users: Sequence[UserRow]) -> int:
        """Add or change users, of two with one id the later; return how many differ from before."""
        ...

    async def remove_users(self, user_ids: Collection[int]) -> tuple[int, int]:
        """Remove users, and every relationship from or to them; return how many users and relationships."""
        ...

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        """Keep relationships, one per source, type and target; those that live stay as they are.

        One that had expired at the new one's `created_at` is replaced by it. Returns how many are new.
        """
        ...

    async def unrelate(self, rows: Sequence[RelationshipRow]) -> int:
        """Delete relationships by type, source and target; return how many."""
        ...

    async def delete_relationship(self, relationship_id: str) -> bool:
        """Delete one relationship by id."""
        ...

    async def relationship(self, relationship_id: str) -> RelationshipRow | None:
        """Return one relationship, an expired one too."""
        ...

    async def relationships(
        self,
        *,
        types: Collection[str] | None = None,
        source: str = "",
        target: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> list[RelationshipRow]:
        """Return relationships by id, expired ones too; None and empty texts do not filter."""
        ...

    async def from_sources(
        self, type_key: str, sources: Collection[str], now: datetime
    ) -> list[RelationshipRow]:
        """Return the living relationships of one type from any of these sources, by id."""
        ...

    async def related(self, pairs: Collection[Pair], now: datetime) -> Mapping[Pair, Mapping[str, str]]:
        """Return ids of living relationships by pair and then by type; pairs without any may be left out."""
        ...

    async def targets(
        self, source: str, types: Collection[str], now: datetime, *, after: str, limit: int
    ) -> list[tuple[str, frozenset[str]]]:
        """Return what living relationships of these types lead to from a source, and by which of the types.

        By target, each once, those beyond `after`.
        """
        ...

    async def log(self, rows: Sequence[LogRow]) -> None:
        """Keep decisions."""
        ...

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        """Return logged decisions, newest first."""
        ...


class Store(Protocol):
    """Policy's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back.

        After `next_revision` it sees everything that was committed before.
        """
        ...

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction of which every read sees one and the same state; it may add to the log."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision and the revision it was made on."""

    decided: Decided
    revision: int


class UnchangedError(Exception):
    """Ends a transaction that is not to change anything: a dry run, or nothing to do.

    Args:
        revision: the account's revision, which stays.
    """

    def __init__(self, revision: int) -> None:
        super().__init__()
        self.revision = revision
