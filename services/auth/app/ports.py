"""What auth's use cases need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.kernel.ids import AccountId, UserId
from services.auth.app.key_ports import Announcements, AppTokens, SigningKeys
from services.auth.domain.authorization import Authorization
from services.auth.domain.grant import Grant, GrantState
from services.auth.domain.installation import Installation, InstallationState
from services.auth.domain.session import Session


class Installations(Protocol):
    """Installations by account."""

    async def get(self, *, for_update: bool = False) -> Installation | None:
        """Return the account's installation."""
        ...

    async def put(self, installation: Installation) -> None:
        """Write the account's installation; a raised generation is announced to every verifier."""
        ...


class Grants(Protocol):
    """Grants by account."""

    async def get(self) -> Grant | None:
        """Return the account's grant."""
        ...

    async def replace(self, grant: Grant, *, expected_version: int) -> bool:
        """Write a new pair; False when the stored version is another one. Ends the lease."""
        ...

    async def take_lease(self, version: int, intent: str, seconds: float) -> GrantState | None:
        """Take the right to refresh this version, on the store's clock, and announce the intent.

        Returns:
            the state that was found, which tells what the holder before left behind; None when somebody has
            the lease, the version moved on or the grant is dead.
        """
        ...

    async def mark(self, version: int, intent: str, state: GrantState, *, hold_seconds: float = 0.0) -> bool:
        """Set the state and end the lease, after `hold_seconds`; False when this intent does not hold it."""
        ...

    async def delete(self) -> None:
        """Destroy the pair; the row stays as REVOKED, one version on, so that late writers lose."""
        ...


class Authorizations(Protocol):
    """Authorisations under way."""

    async def add(self, authorization: Authorization) -> None:
        """Keep one."""
        ...

    async def by_ticket(self, ticket_hash: bytes) -> Authorization | None:
        """Return the one whose popup this ticket opens, locked until the transaction ends."""
        ...

    async def by_state(self, state_hash: bytes) -> Authorization | None:
        """Return the one this state belongs to, locked until the transaction ends."""
        ...

    async def put(self, authorization: Authorization) -> None:
        """Write a changed one."""
        ...


class Sessions(Protocol):
    """Sessions by token hash."""

    async def add(self, session: Session) -> None:
        """Keep one."""
        ...

    async def get(self, token_hash: bytes) -> Session | None:
        """Return one."""
        ...

    async def touch(self, token_hash: bytes, seen_at: datetime) -> None:
        """Remember that it was used, at most once a minute."""
        ...

    async def delete(self, token_hash: bytes) -> None:
        """End one."""
        ...


class Audit(Protocol):
    """The account's audit chain."""

    async def record(
        self, actor: str, action: str, outcome: str, facts: Mapping[str, str], at: datetime
    ) -> None:
        """Append one event, chained to the one before."""
        ...

    async def page(self, after: int, limit: int) -> Sequence[AuditRow]:
        """Return events after a sequence number, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One event of the chain."""

    sequence: int
    at: datetime
    actor: str
    action: str
    outcome: str
    facts: Mapping[str, str]
    hash: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction on one account's rows."""

    installations: Installations
    grants: Grants
    authorizations: Authorizations
    sessions: Sessions
    audit: Audit
    app_tokens: AppTokens
    signing_keys: SigningKeys
    announcements: Announcements


class Store(Protocol):
    """Auth's own data."""

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: a clean exit commits, an exception rolls back."""
        ...

    async def bind(self, installation: Installation) -> Installation:
        """Return the installation of (app, subdomain, installation id), or keep this one at first sight."""
        ...

    async def use_once(self, key: bytes, until: datetime) -> bool:
        """Remember a signed URL; False when it was used before. Survives kill -9 and a second replica."""
        ...

    async def due_grants(self, now: datetime, after: AccountId | None, limit: int) -> Sequence[AccountId]:
        """Return accounts whose access token may be refreshed ahead, or whose refresh nobody looks after any more.

        Ordered by account; which of them really are due is the grant's own rule.
        """
        ...

    async def claim_watched(self, now: datetime, limit: int) -> Sequence[Installation]:
        """Return installations that Zendesk is to be asked about, or that wait for their end, longest unasked first.

        They count as asked from now on, so that one replica asks about each.
        """
        ...

    async def siblings(self, installation: Installation) -> Sequence[Installation]:
        """Return the other installations of the same app and subdomain that were once authorised, newest first."""
        ...

    async def take_over(self, former: AccountId, newcomer: Installation) -> bool:
        """Give the former account the newcomer's installation id, and remove the newcomer's rows.

        Returns:
            False, with nothing done, when the newcomer was ever authorised, was revoked meanwhile or is gone.
        """
        ...

    async def sweep(self, now: datetime) -> None:
        """Forget what ended over all accounts: signed URLs, authorisations and sessions that are past use."""
        ...

    async def installations(
        self, after: AccountId | None, limit: int, state: InstallationState | None
    ) -> Sequence[Installation]:
        """Return installations over all accounts, ordered by account."""
        ...


class Sealer(Protocol):
    """Envelope encryption of one account's values."""

    async def seal(
        self, account: str, purpose: str, table: str, column: str, row: str, plaintext: bytes
    ) -> bytes:
        """Encrypt a value, bound to its place."""
        ...

    async def open(
        self, account: str, purpose: str, table: str, column: str, row: str, sealed: bytes
    ) -> bytes:
        """Decrypt a value of that place; raises InvalidCiphertextError."""
        ...


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What Zendesk's token endpoint answered.

    Attributes:
        access_seconds: life of the access token; None = never ends.
        refresh_seconds: life of the refresh token.
        scopes: granted.
    """

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    access_seconds: int | None
    refresh_seconds: int | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZendeskPerson:
    """A user at Zendesk.

    Attributes:
        role: admin, agent or end_user.
    """

    id: UserId
    role: str
    name: str = ""
    email: str = ""
    custom_role_id: int | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class RemoteInstallation:
    """Zendesk's view of our installation."""

    enabled: bool
    group_restrictions: tuple[int, ...]
    role_restrictions: tuple[int, ...]


class RefreshLostError(Exception):
    """Whether a refresh happened at Zendesk is unknown."""


class GrantDeadError(Exception):
    """Zendesk says that the grant is dead (`invalid_grant`, or 401)."""


class Zendesk(Protocol):
    """What auth asks Zendesk. `base` is the account's address."""

    async def exchange_code(self, base: str, code: str, verifier: str) -> TokenPair:
        """Exchange an authorisation code. Raises ZendeskRefusedError or DependencyUnavailableError."""
        ...

    async def refresh(self, base: str, refresh_token: str) -> TokenPair:
        """Refresh once, without retries.

        Raises:
            GrantDeadError: Zendesk refused it.
            RefreshLostError: unknown whether it happened.
            AccountGoneError: there is no such account any more.
            DependencyUnavailableError: it certainly did not happen.
        """
        ...

    async def alive(self, base: str, access: str) -> bool:
        """Tell whether an access token still works (`tokens/current`).

        Raises:
            DependencyUnavailableError: Zendesk said neither.
        """
        ...

    async def myself(self, base: str, access: str) -> ZendeskPerson | None:
        """Return the token's user; None for the anonymous answer."""
        ...

    async def person(self, base: str, access: str, user: UserId) -> ZendeskPerson | None:
        """Return a user; None when there is none. Raises GrantDeadError."""
        ...

    async def installation(self, base: str, access: str, installation_id: int) -> RemoteInstallation | None:
        """Return our installation; None when there is none (404). Raises GrantDeadError."""
        ...

    async def write_setting(self, base: str, access: str, installation_id: int, token: str) -> None:
        """Store the installation token as the app's hidden secure setting."""
        ...

    async def revoke(self, base: str, access: str) -> None:
        """Revoke the token at Zendesk; also fine when it is dead already.

        Raises:
            DependencyUnavailableError: it may be alive.
        """
        ...
