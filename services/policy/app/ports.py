"""What policy's use cases need from outside."""

from __future__ import annotations

from collections.abc import Sequence
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
        kind: object or relationship.
        source: of a relationship type: `zen:user` or an object type's key.
        target: of a relationship type.
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


@dataclass(frozen=True, slots=True)
class RelationshipRow:
    """A relationship record."""

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
    """One logged decision."""

    id: str
    at: datetime
    user_id: int | None
    action: str
    object_type: str
    record: str
    allowed: bool
    reason: str
    revision: int


class Transaction(Protocol):
    """One transaction on one account's rows."""

    async def revision(self) -> int:
        """Return the account's revision."""
        ...

    async def next_revision(self) -> int:
        """Raise the account's revision; locks the account until the transaction ends."""
        ...

    async def types(self, kind: str | None = None) -> list[TypeRow]:
        """Return types by key."""
        ...

    async def type(self, kind: str, key: str) -> TypeRow | None:
        """Return one type."""
        ...

    async def add_type(self, row: TypeRow) -> bool:
        """Keep a new type; False when the key exists."""
        ...

    async def put_permissions(self, row: TypeRow) -> None:
        """Write a type's permissions."""
        ...

    async def delete_type(self, kind: str, key: str) -> None:
        """Delete a type."""
        ...

    async def users(self) -> list[UserRow]:
        """Return every user by id."""
        ...

    async def user(self, user_id: int) -> User | None:
        """Return one user."""
        ...

    async def put_users(self, users: Sequence[UserRow]) -> int:
        """Add or change users; return how many changed."""
        ...

    async def remove_users(self, user_ids: Sequence[int]) -> int:
        """Remove users and their relationships."""
        ...

    async def relate(self, rows: Sequence[RelationshipRow]) -> int:
        """Keep relationships; those that exist stay. Return how many are new."""
        ...

    async def unrelate(self, rows: Sequence[RelationshipRow]) -> int:
        """Delete relationships by type, source and target."""
        ...

    async def delete_relationship(self, relationship_id: str) -> bool:
        """Delete one relationship by id."""
        ...

    async def relationships(
        self, *, type_key: str = "", source: str = "", target: str = "", after: str = "", limit: int = 1000
    ) -> list[RelationshipRow]:
        """Return relationships by id."""
        ...

    async def related(self, source: str, target: str, now: datetime) -> dict[str, str]:
        """Return ids of living relationships from a source to a target, by type."""
        ...

    async def log(self, row: LogRow) -> None:
        """Keep a decision."""
        ...

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        """Return logged decisions, newest first."""
        ...


class Store(Protocol):
    """Policy's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision and the revision it was made on."""

    decided: Decided
    revision: int
