"""What privacy's use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from libs.kernel.ids import AccountId
from services.privacy.domain.states import NodeState, State

Identity = tuple[str, str]
"""(type, value): `zendesk_user_id`, `email`, `phone` or `external_id`."""
Counts = list[dict[str, Any]]
"""Rows of `{table, column, erased, pseudonymised, retained, retained_ground}`."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as it is kept.

    Attributes:
        commitment: keyed hash of the person.
        identities: sealed snapshot of every identity; dropped at the end.
        auto: whether the plan is approved as soon as it stands.
    """

    id: str
    kind: str
    state: State
    commitment: str
    identities: bytes | None
    auto: bool
    received_at: datetime
    updated_at: datetime
    approved_by: str = ""
    plan_hash: str = ""
    preview: Counts = field(default_factory=list)
    extended: bool = False
    refusal: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as it is kept.

    Attributes:
        run: raised by each taker; a slower one's result is dropped.
        data: what later steps need, ids only.
    """

    request: str
    id: str
    position: int
    state: NodeState
    updated_at: datetime
    run: int = 0
    attempts: int = 0
    last_error: str = ""
    counts: Counts = field(default_factory=list)
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A legal hold."""

    id: str
    commitment: str
    matter: str
    ground: str
    created_at: datetime
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A signed certificate; `document` is canonical JSON."""

    request: str
    document: str
    signature: bytes
    key_pem: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of the evidence chain."""

    sequence: int
    at: datetime
    type: str
    request: str
    facts: Mapping[str, str]
    hash: bytes


class Transaction(Protocol):
    """One transaction on one account's rows."""

    async def add_request(self, row: RequestRow) -> str | None:
        """Keep a new request; return the id of an active one for the same person and kind instead."""
        ...

    async def request(self, request: str, *, for_update: bool = False) -> RequestRow | None:
        """Return a request."""
        ...

    async def put_request(self, row: RequestRow) -> None:
        """Write a request."""
        ...

    async def requests(self, before: str, limit: int, state: str | None) -> list[RequestRow]:
        """Return requests, newest first."""
        ...

    async def add_steps(self, rows: Sequence[StepRow]) -> None:
        """Keep steps; those that exist stay."""
        ...

    async def steps(self, request: str) -> list[StepRow]:
        """Return a request's steps in order."""
        ...

    async def take_step(self, request: str, step: str, lease_seconds: float) -> StepRow | None:
        """Take a step that is due: next run number, lease on the database's clock."""
        ...

    async def finish_step(self, row: StepRow, *, wait_seconds: float = 0.0) -> bool:
        """Write a step's result; False when another taker has it now."""
        ...

    async def ledger(self, step: StepRow, what: str, token: str, at: datetime) -> None:
        """Write an INTENT before a destructive call, an OUTCOME after it."""
        ...

    async def event(self, type_: str, request: str, facts: Mapping[str, str], at: datetime) -> bytes:
        """Append to the evidence chain; return the new head."""
        ...

    async def events(self, after: int, limit: int) -> list[EventRow]:
        """Return events after a sequence number, oldest first."""
        ...

    async def put_certificate(self, row: CertificateRow) -> None:
        """Keep a certificate."""
        ...

    async def certificate(self, request: str) -> CertificateRow | None:
        """Return a certificate."""
        ...

    async def add_hold(self, row: HoldRow) -> None:
        """Keep a legal hold."""
        ...

    async def release_hold(self, hold: str, at: datetime) -> HoldRow | None:
        """End a legal hold."""
        ...

    async def holds(self, before: str, limit: int) -> list[HoldRow]:
        """Return legal holds, newest first."""
        ...

    async def held(self, commitments: Sequence[str]) -> HoldRow | None:
        """Return a hold in force for one of the person's identities."""
        ...

    async def restrict(self, commitment: str, purposes: Sequence[int], *, restricted: bool) -> int:
        """Set or lift restrictions; return the account's new revision."""
        ...

    async def restricted(self, commitments: Sequence[str], purposes: Sequence[int]) -> list[tuple[str, int]]:
        """Return which (person, purpose) are forbidden."""
        ...

    async def restriction_revision(self) -> int:
        """Return the register's revision."""
        ...

    async def suppress(self, commitments: Sequence[str], request: str, at: datetime) -> None:
        """Remember erased people, so that no sync brings them back."""
        ...


class Store(Protocol):
    """Privacy's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back."""
        ...

    async def due(self) -> list[tuple[AccountId, str]]:
        """Return (account, request) with work that is due."""
        ...


class Vault(Protocol):
    """Keys and sealing."""

    async def ledger_key(self, account: AccountId) -> bytes:
        """Return the account's key of keyed hashes; made at first use."""
        ...

    async def seal(self, account: AccountId, request: str, identities: Sequence[Identity]) -> bytes:
        """Seal the snapshot of a person's identities."""
        ...

    async def open(self, account: AccountId, request: str, sealed: bytes) -> list[Identity]:
        """Open a snapshot."""
        ...

    async def sign(self, document: Mapping[str, object]) -> tuple[str, bytes, str]:
        """Return (canonical JSON, signature, public key in PEM) of a document."""
        ...


class ParticipantMissingError(Exception):
    """A participant does not answer; the step waits and is tried again."""


class Participants(Protocol):
    """The other services, through the participant contract."""

    async def resolve(self, name: str, account: AccountId, identities: Sequence[Identity]) -> list[Identity]:
        """Return further identities of the person."""
        ...

    async def preview(
        self, name: str, account: AccountId, identities: Sequence[Identity]
    ) -> tuple[Counts, str]:
        """Return what an erasure would do, and its hash."""
        ...

    async def erase(
        self, name: str, account: AccountId, identities: Sequence[Identity], request: str, step: str, run: int
    ) -> tuple[Counts, str]:
        """Erase; return counts and the hash of the data map that was followed."""
        ...

    async def verify(
        self, name: str, account: AccountId, identities: Sequence[Identity]
    ) -> list[dict[str, Any]]:
        """Return findings `{table, column, result, rows}`."""
        ...


class Zendesk(Protocol):
    """What erasure does at Zendesk. Every call may be repeated."""

    async def tickets(self, account: AccountId, user: int) -> list[int]:
        """Return ids of the tickets that the person requested."""
        ...

    async def trash(self, account: AccountId, ticket: int) -> None:
        """Move a ticket to the trash."""
        ...

    async def destroy(self, account: AccountId, tickets: Sequence[int]) -> None:
        """Destroy tickets of the trash for good, and wait for the job."""
        ...

    async def role(self, account: AccountId, user: int) -> str | None:
        """Return the person's role; None when Zendesk knows nobody (any more)."""
        ...

    async def delete_user(self, account: AccountId, user: int) -> None:
        """Delete the person softly."""
        ...

    async def destroy_user(self, account: AccountId, user: int) -> None:
        """Delete the person for good, over all products."""
        ...

    async def compliance(self, account: AccountId, user: int) -> dict[str, bool]:
        """Return, for each product that began, whether it is done."""
        ...

    async def left(self, account: AccountId, user: int) -> int:
        """Count what is left of the person: the profile and tickets that still name him."""
        ...
