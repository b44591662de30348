"""What privacy's use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from libs.db.requests import Requests
from libs.kernel.ids import AccountId
from services.privacy.domain.identity import Identity
from services.privacy.domain.states import NodeState, State

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
        data: what later steps need, ids only; emptied with the snapshot.
        leased: whether somebody is at it now.
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
    leased: bool = False


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger: an INTENT before a destructive call, an OUTCOME after it."""

    request: str
    step: str
    run: int
    what: str
    token: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A legal hold on a person, by every identity that was named."""

    id: str
    commitments: tuple[str, ...]
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
    """One transaction on one account's rows.

    Locks are taken in this order: a request's row, its steps, the register of restrictions, the chain.
    """

    @property
    def answers(self) -> Requests:
        """The log of calls that carried a `request_id`."""
        ...

    async def add_request(self, row: RequestRow) -> str | None:
        """Keep a new request; return the id of an active one for the same person and kind instead."""
        ...

    async def active(self, commitment: str, kind: str) -> str | None:
        """Return the id of a person's active request of a kind."""
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

    async def steps(self, *requests: str) -> list[StepRow]:
        """Return the steps of requests, each one's in order."""
        ...

    async def take_step(self, request: str, step: str, lease_seconds: float) -> StepRow | None:
        """Take a step that is due: next run number, lease on the database's clock."""
        ...

    async def finish_step(self, row: StepRow, *, wait_seconds: float = 0.0) -> bool:
        """Write a step's result; False when another taker has it now."""
        ...

    async def renew_step(self, row: StepRow, lease_seconds: float) -> bool:
        """Renew the lease of a step that was taken; False when another taker has it now."""
        ...

    async def revive_steps(self, request: str, at: datetime) -> list[str]:
        """Let steps that failed for good begin anew; return their ids."""
        ...

    async def rouse(self, request: str | None = None) -> None:
        """End the waits of a request's steps, or of every request's."""
        ...

    async def forget_step_data(self, request: str) -> None:
        """Empty what a request's steps kept for each other."""
        ...

    async def intent(self, row: StepRow, token: str, at: datetime) -> bool:
        """Write the INTENT of a destructive call, and the step's data; False when another taker has the step."""
        ...

    async def outcome(self, row: StepRow, token: str, at: datetime) -> None:
        """Write the OUTCOME of a destructive call."""
        ...

    async def ledger(self, request: str) -> list[LedgerRow]:
        """Return a request's lines of the ledger, oldest run first."""
        ...

    async def event(self, type_: str, request: str, facts: Mapping[str, str], at: datetime) -> bytes:
        """Append to the evidence chain; return the new head."""
        ...

    async def head(self) -> tuple[int, bytes]:
        """Return sequence number and hash of the newest event; (0, GENESIS) before the first."""
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

    async def hold(self, hold: str) -> HoldRow | None:
        """Return a legal hold."""
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
        """Return the register's revision: raised by each change of a restriction or suppression."""
        ...

    async def suppress(self, commitments: Sequence[str], request: str, at: datetime) -> int:
        """Remember erased people, so that no sync brings them back; return the register's new revision."""
        ...

    async def suppressed(self, commitments: Sequence[str]) -> list[str]:
        """Return which of the people were erased."""
        ...


class Store(Protocol):
    """Privacy's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back."""
        ...

    async def due(self) -> list[tuple[AccountId, str]]:
        """Return (account, request) whose first open step is due, at most 100."""
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
        """Open a snapshot.

        Raises:
            InvalidCiphertextError: its key was destroyed.
        """
        ...

    async def drop(self, account: AccountId, request: str) -> None:
        """Destroy the key of a request's snapshot; nothing happens when it is gone."""
        ...

    async def sign(self, document: Mapping[str, object]) -> tuple[str, bytes, str]:
        """Return (canonical JSON, signature, public key in PEM) of a document."""
        ...


class ParticipantMissingError(Exception):
    """A participant or Zendesk does not answer; the step waits and is tried again.

    Args:
        name: who.
        why: a code, no personal data.
        retry_after_seconds: when it said so.
    """

    def __init__(self, name: str, why: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.retry_after_seconds = retry_after_seconds


class StepRefusedError(Exception):
    """Somebody will not do what a step asks; a few more tries, then a person must act.

    The message is a code, no personal data.
    """


class Participants(Protocol):
    """The other services, through the participant contract.

    Every method raises ParticipantMissingError, or StepRefusedError when the other service refuses.
    """

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
    """What erasure does at Zendesk. Every call may be repeated: gone already is as good as done.

    Every method raises ParticipantMissingError, or StepRefusedError when Zendesk refuses.
    """

    async def tickets(self, account: AccountId, user: int) -> list[int]:
        """Return ids of the tickets that the person requested."""
        ...

    async def trash(self, account: AccountId, ticket: int) -> None:
        """Move a ticket to the trash, whatever its status."""
        ...

    async def destroy(self, account: AccountId, tickets: Sequence[int]) -> None:
        """Destroy at most 100 tickets of the trash for good, and wait for the job."""
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

    async def compliance(self, account: AccountId, user: int) -> dict[str, bool] | None:
        """Return, for each product that began, whether it is done; None when Zendesk knows of no deletion."""
        ...

    async def left(self, account: AccountId, user: int) -> int:
        """Count what is left of the person: the profile and tickets that still name him."""
        ...
