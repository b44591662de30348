"""What assignment's use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from services.assignment.domain.model import Decision, Plan, Restrictions, Snapshot
from services.assignment.domain.webhook import TicketFacts


@dataclass(frozen=True, slots=True)
class Account:
    """What is kept of an account.

    Attributes:
        fields: ids of our ticket fields by key.
        webhook_secret: sealed.
        export_cursor: where the incremental export goes on; empty = from `synced_at`.
    """

    account: AccountId
    synced_at: datetime
    inbox_limit: int | None = None
    daily_limit: int | None = None
    default_status: str = "away"
    rule_version: int = 1
    restrictions: Restrictions = field(default_factory=Restrictions)
    fields: Mapping[str, int] = field(default_factory=dict)
    webhook: str = ""
    webhook_secret: bytes | None = None
    export_cursor: str = ""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent as he is kept."""

    user_id: int
    name: str
    role: str
    role_type: int | None
    custom_role_id: int | None
    active: bool
    suspended: bool
    status: str
    status_at: datetime
    groups: tuple[int, ...] = ()
    inbox_limit: int | None = None
    daily_limit: int | None = None
    rule: int | None = None
    manager: bool = False
    autoplay: bool = False
    version: int = 1
    open_count: int = 0


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue as it is kept.

    Attributes:
        kind: scheduled (a view, or everything with source 0) or trigger (a group).
        state: active or paused.
    """

    id: str
    title: str
    kind: str
    source: int
    model: str
    position: int
    created_at: datetime
    updated_at: datetime
    state: str = "active"
    use_sla: bool = False
    batch_size: int | None = None
    daily_limit: int | None = None
    agents: tuple[int, ...] = ()
    scan_limit: int | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket as it is kept."""

    facts: TicketFacts
    routing: str
    assigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision as it is kept."""

    id: str
    sequence: int
    ticket: int
    outcome: str
    agent_id: int | None
    group_id: int | None
    queue: str
    mechanism: str
    model: str
    command: str
    as_of: datetime
    rejected: Mapping[str, Sequence[int]]
    candidates: int
    rule_version: int
    rank: int
    write: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Round:
    """The circumstances of one round.

    Attributes:
        mechanism: queue or pull.
        command: what caused it; unique per round.
    """

    queue: QueueRow
    mechanism: str
    command: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """One change on its way to Zendesk.

    Attributes:
        id: of the decision; goes into the ticket's audit field, so that a repeat can be told.
        read_at: the ticket's `updated_at` that the decision saw.
        fence: raised by each taker; a slower one's result is dropped.
    """

    id: str
    ticket: int
    agent_id: int
    group_id: int | None
    read_at: datetime
    queue: str
    as_of: datetime
    attempts: int
    fence: int


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Figures of an account."""

    tickets_in: int
    assigned: int
    waiting: int
    per_agent: Mapping[int, int]
    decisions: int
    pending: int
    conflicts: int


class Directory(Protocol):
    """Accounts, agents and queues."""

    async def account(self) -> Account | None:
        """Return the account."""
        ...

    async def put_account(self, account: Account) -> None:
        """Write the account."""
        ...

    async def agents(
        self, *, after: int = 0, limit: int = 1_000_000, inactive: bool = False
    ) -> list[AgentRow]:
        """Return agents by user id, with groups and open tickets."""
        ...

    async def agent(self, user_id: int) -> AgentRow | None:
        """Return one agent."""
        ...

    async def sync_agents(self, agents: Sequence[AgentRow], memberships: Sequence[tuple[int, int]]) -> None:
        """Replace what Zendesk says of agents and memberships; statuses and limits stay."""
        ...

    async def put_agent(self, agent: AgentRow) -> None:
        """Write an agent's settings and limits."""
        ...

    async def set_statuses(self, statuses: Mapping[int, str], at: datetime) -> int:
        """Set statuses; return how many changed."""
        ...

    async def queues(self) -> list[QueueRow]:
        """Return queues in their order."""
        ...

    async def queue(self, queue_id: str) -> QueueRow | None:
        """Return one queue."""
        ...

    async def put_queue(self, queue: QueueRow) -> None:
        """Write a queue."""
        ...

    async def delete_queue(self, queue_id: str) -> bool:
        """Delete a queue."""
        ...

    async def put_views(self, views: Sequence[int]) -> None:
        """Replace the known views."""
        ...


class Tickets(Protocol):
    """Tickets, webhook invocations, the change stream."""

    async def store(self, facts: Sequence[TicketFacts]) -> int:
        """Keep facts that are newer than what is known; return how many were."""
        ...

    async def take_invocation(self, invocation: str, at: datetime) -> bool:
        """Remember a webhook's invocation; False when it was taken before."""
        ...

    async def one(self, ticket: int) -> TicketRow | None:
        """Return a ticket."""
        ...

    async def page(self, after: int, limit: int, routing: str | None) -> list[TicketRow]:
        """Return tickets by id."""
        ...

    async def waiting(self, queue: QueueRow) -> int:
        """Count the tickets that wait in a queue."""
        ...


class Decisions(Protocol):
    """Rounds, decisions, writes."""

    async def lock(self) -> None:
        """One round at a time in an account, over all replicas, until the transaction ends."""
        ...

    async def snapshot(
        self, account: Account, queue: QueueRow, as_of: datetime, only: int | None
    ) -> Snapshot:
        """Read everything that a round of a queue looks at; `only` = one agent (pull)."""
        ...

    async def keep(self, account: Account, round_: Round, plan: Plan, ids: Sequence[str]) -> list[Decision]:
        """Keep assignments, decisions (a waiting ticket's only when its outcome changed), turns and writes."""
        ...

    async def take_writes(self, limit: int, lease_seconds: float) -> list[Write]:
        """Take pending writes, fenced and leased on the database's clock."""
        ...

    async def finish_write(self, write: Write, state: str) -> bool:
        """Record how a write ended (`confirmed`, `conflict`, `failed`); False when another taker was faster."""
        ...

    async def release_write(self, write: Write, read_at: datetime | None) -> None:
        """Put a write back, with a newer stamp when one was read."""
        ...

    async def pending(self) -> int:
        """Count writes that are not finished."""
        ...

    async def one(self, decision: str) -> DecisionRow | None:
        """Return a decision."""
        ...

    async def page(self, after: int, limit: int, ticket: int | None) -> list[DecisionRow]:
        """Return decisions after a sequence number, oldest first."""
        ...

    async def summary(self) -> SummaryRow:
        """Return figures."""
        ...


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction on one account's rows."""

    directory: Directory
    tickets: Tickets
    decisions: Decisions


class Store(Protocol):
    """Assignment's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back."""
        ...

    async def accounts(self) -> list[AccountId]:
        """Return every synced account."""
        ...


class Zendesk(Protocol):
    """Zendesk clients by account."""

    async def of(self, account: AccountId) -> ZendeskClient:
        """Return the account's client; only auth refreshes its token."""
        ...


class Installations(Protocol):
    """What auth knows of the installation."""

    async def restrictions(self, account: AccountId) -> Restrictions:
        """Return groups and roles that may use the app."""
        ...


class Policy(Protocol):
    """What policy decides and keeps for us."""

    async def may_update_settings(self, account: AccountId, user: int, agent: int) -> str | None:
        """Return why a user may change an agent's settings; None when he may not."""
        ...

    async def publish(self, account: AccountId, agents: Sequence[AgentRow]) -> None:
        """Tell policy users, roles and groups, and who administrates whom."""
        ...


class Sealer(Protocol):
    """Envelope encryption of one account's values."""

    async def seal(
        self, account: str, purpose: str, table: str, column: str, row: str, plaintext: bytes
    ) -> bytes:
        """Encrypt a value, bound to its place."""
        ...

    async def open(
        self, account: str, purpose: str, table: str, column: str, row: str, ciphertext: bytes
    ) -> bytes:
        """Decrypt a value of that place."""
        ...
