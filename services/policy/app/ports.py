"""What policy's use cases need from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from libs.db.requests import Requests
from libs.decision.decide import Decided
from libs.decision.rows import (
    OBJECT,
    RELATIONSHIP,
    Change,
    ObjectRow,
    RelationshipRow,
    TypeRow,
    User,
)
from libs.kernel.ids import AccountId

__all__ = ["OBJECT", "RELATIONSHIP", "Change", "ObjectRow", "RelationshipRow", "TypeRow", "User"]

Pair = tuple[str, str]
"""Source and target of relationships."""
ObjectKey = tuple[str, str]
"""Type and id of an object record."""


class LogRow(NamedTuple):
    """One logged decision. Ids only.

    Attributes:
        user_id: about whom; None once erased.
        record: about which record; empty for a type, and once the record's person is erased.
        caller: service that asked.
        rule: `{policy}:{row}` that decided.
        relationship: that gave the right.
        trace: id of the trace.
        duration_us: microseconds that the decision took.
        lag_ms: milliseconds since the state was confirmed to be the present one.
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
    caller: str = ""
    rule: str = ""
    relationship: str = ""
    trace: str = ""
    duration_us: int = 0
    lag_ms: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Where an account stands.

    Attributes:
        revision: the present one; 0 before the first write.
        oldest: revisions before it are not kept.
        redacted: somebody was erased with this revision: answers about those before it are without him, and
            whoever follows the changes must read everything anew.
    """

    revision: int = 0
    oldest: int = 0
    redacted: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """When and by whom a revision was written.

    Attributes:
        actor: `user:{id}` or `service:{name}`; empty once erased.
    """

    revision: int
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """How policy behaves for one account; the fields are those of `PolicySettings` in the contract."""

    lenient_patches: bool = False
    history_days: int = 30
    log_days: int = 30
    log_share: float = 1.0
    audited_types: tuple[str, ...] = ()
    version: int = field(default=0, compare=False)


class Reading(Protocol):
    """Reads of one account's rows. Texts are ordered by code point.

    `at` is a revision that is kept; None = the present.
    """

    async def state(self) -> State:
        """Return where the account stands."""
        ...

    async def settings(self) -> AccountSettings:
        """Return the account's settings."""
        ...

    async def written(self, revision: int) -> Written | None:
        """Return when and by whom a revision was written; None when that is not kept."""
        ...

    async def revision_at(self, instant: datetime) -> int | None:
        """Return the last revision written until an instant; None when that is not kept."""
        ...

    async def types(self, kind: str | None = None, *, at: int | None = None) -> list[TypeRow]:
        """Return types by kind and key."""
        ...

    async def type(self, kind: str, key: str) -> TypeRow | None:
        """Return one type."""
        ...

    async def users(self, *, after: int = 0, limit: int | None = None, at: int | None = None) -> list[User]:
        """Return users by id, those beyond `after`."""
        ...

    async def known(self, user_ids: Collection[int], *, at: int | None = None) -> Mapping[int, User]:
        """Return those of these users that are known."""
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
        at: int | None = None,
    ) -> list[RelationshipRow]:
        """Return relationships by id, expired ones too; None and empty texts do not filter."""
        ...

    def every_relationship(self, *, at: int | None = None) -> AsyncIterator[Sequence[RelationshipRow]]:
        """Yield all relationships in parts, in no order, expired ones too."""
        ...

    async def from_sources(
        self, types: Collection[str], sources: Collection[str], *, at: int | None = None
    ) -> list[RelationshipRow]:
        """Return the relationships of these types from any of these sources, by id, expired ones too."""
        ...

    async def to_targets(
        self, types: Collection[str], targets: Collection[str], *, at: int | None = None
    ) -> list[RelationshipRow]:
        """Return the relationships of these types to any of these targets, by id, expired ones too."""
        ...

    async def between(self, pairs: Collection[Pair], *, at: int | None = None) -> list[RelationshipRow]:
        """Return the relationships between these ends, expired ones too."""
        ...

    async def has_ended(self, now: datetime) -> bool:
        """Tell whether there is a relationship that has ended and is not deleted yet."""
        ...

    async def has_more_relationships_than(self, number: int) -> bool:
        """Tell whether the account has more relationships than this."""
        ...

    async def objects(
        self,
        types: Collection[str] | None = None,
        ids: Collection[str] | None = None,
        *,
        after: ObjectKey = ("", ""),
        limit: int | None = None,
        at: int | None = None,
    ) -> list[ObjectRow]:
        """Return object records that were put, by type and id, those beyond `after`; None does not filter."""
        ...

    async def changes(self, after: int, to: int) -> list[Change]:
        """Return what came and went in the revisions beyond `after` and up to `to`, in their order.

        In one revision what went stands first. It is for the caller to look at `State.oldest` and at
        `State.redacted`: what is older than these is not complete.
        """
        ...

    async def log_of(self, after: int, to: int) -> list[Written]:
        """Return who wrote the revisions beyond `after` and up to `to`."""
        ...

    async def logged(self, before: str, limit: int, user_id: int | None) -> list[LogRow]:
        """Return logged decisions, newest first."""
        ...


class Transaction(Reading, Protocol):
    """One transaction on one account's rows.

    Attributes:
        requests: what was answered to commands that may come again.
    """

    requests: Requests

    async def next_revision(self, actor: str, now: datetime) -> int:
        """Raise the account's revision; locks the account until the transaction ends.

        Every write below belongs to it: what they replace or delete is kept as the past.
        """
        ...

    async def put_settings(self, settings: AccountSettings) -> None:
        """Write the account's settings."""
        ...

    async def add_type(self, row: TypeRow) -> bool:
        """Keep a new type; False when the key exists."""
        ...

    async def put_permissions(self, row: TypeRow) -> None:
        """Write a type's permissions and extensions; its version goes up by one."""
        ...

    async def delete_type(self, kind: str, key: str) -> None:
        """Delete a type."""
        ...

    async def put_users(self, users: Sequence[User]) -> int:
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

    async def expire(self, now: datetime, limit: int) -> int:
        """Delete relationships that ended, at most `limit`; return how many."""
        ...

    async def put_objects(self, rows: Sequence[ObjectRow]) -> int:
        """Add or change object records; return how many differ from before."""
        ...

    async def delete_objects(self, keys: Collection[ObjectKey], relationship_types: Iterable[TypeRow]) -> int:
        """Delete object records and every relationship from or to them; return how many of both."""
        ...

    async def forget_before(self, revision: int) -> None:
        """Delete the past that only revisions before this one need."""
        ...

    async def forget_requests(self, age: timedelta) -> None:
        """Delete the account's answers to commands that are older than this."""
        ...

    async def forget_decisions(self, before: datetime, limit: int) -> int:
        """Delete decisions logged before an instant, at most `limit`; return how many."""
        ...


class Store(Protocol):
    """Policy's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back.

        After `next_revision` it sees everything that was committed before.
        """
        ...

    def snapshot(self, account: AccountId) -> AbstractAsyncContextManager[Reading]:
        """Open a transaction of which every read sees one and the same state."""
        ...

    async def revisions(self, accounts: Collection[AccountId] | None = None) -> Mapping[AccountId, int]:
        """Return the present revisions of accounts; None = of all. One that never wrote may be left out."""
        ...

    async def log(self, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
        """Keep decisions; one that is there already stays as it is."""
        ...


class Answer(NamedTuple):
    """A decision, with what it was made on.

    Attributes:
        decision_id: of its entry in the log; empty when it is not logged.
        redacted: whether somebody was erased from that state since.
    """

    decided: Decided
    revision: int
    decision_id: str = ""
    redacted: bool = False


class UnchangedError(Exception):
    """Ends a transaction that is not to change anything: a dry run, or nothing to do.

    Args:
        revision: the account's revision, which stays.
    """

    def __init__(self, revision: int) -> None:
        super().__init__()
        self.revision = revision
