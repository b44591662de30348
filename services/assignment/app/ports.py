"""What assignment's use cases need from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from libs.db.requests import Requests
from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from services.assignment.app.rotations import Rotations
from services.assignment.app.rows import AgentRow
from services.assignment.app.rule_tables import Capacities, Directory, RateLimits, Schedules, Skills
from services.assignment.app.status_history import Statuses
from services.assignment.app.tables import Decisions, Offers, Outbox, Preferences, Returns, Tickets
from services.assignment.app.usage import Usage
from services.assignment.app.views import Views
from services.assignment.domain.model import Restrictions


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction on one account's rows.

    Attributes:
        undone: a block after which nothing is left of what was done in it. The lock is taken before it, or lost with it.
    """

    directory: Directory
    tickets: Tickets
    decisions: Decisions
    offers: Offers
    skills: Skills
    schedules: Schedules
    capacities: Capacities
    rate_limits: RateLimits
    rotations: Rotations
    preferences: Preferences
    returns: Returns
    statuses: Statuses
    views: Views
    usage: Usage
    outbox: Outbox
    requests: Requests
    undone: Callable[[], AbstractAsyncContextManager[None]]


class Store(Protocol):
    """Assignment's own data."""

    def transaction(
        self, account: AccountId, *, dry: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back.

        Args:
            dry: a clean exit rolls back too: nothing is kept, and nobody is told (facts: §7.2).
        """
        ...

    async def accounts(self) -> list[AccountId]:
        """Return every synced account."""
        ...

    async def with_due_offers(self, as_of: datetime) -> list[AccountId]:
        """Return accounts with offers that nobody answered in time."""
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


class Privacy(Protocol):
    """What privacy forbids. Raises whatever the call raises when it does not answer."""

    async def agents(
        self, account: AccountId, agents: Sequence[int]
    ) -> tuple[int, Collection[int], Collection[int]]:
        """Return the register's revision, who may not be routed to, and whose skills may not be used."""
        ...

    async def may_have_affinity(self, account: AccountId, requester: int) -> bool:
        """Tell whether a requester's tickets may go to the agent who had the earlier ones."""
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
