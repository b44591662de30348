"""Who is calling: the peer, proven by mTLS, and the account and person, proven by a context token."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from libs.kernel.ids import AccountId, UserId


@dataclass(frozen=True, slots=True)
class VerifiedContext:
    """What a context token says, once verified.

    Attributes:
        account: the tenant.
        installation: id of the installation in that account.
        subject: `user:{id}` or `service:{name}`.
        peer: service account that the token was made for.
        role: admin, agent or end_user; None for services.
        custom_role_id: the agent's custom role.
        stale: it may have been revoked without our knowing, because the feed of revocations is cut.
    """

    account: AccountId
    installation: str
    subject: str
    peer: str
    role: str | None = None
    custom_role_id: int | None = None
    stale: bool = False


class ContextVerifier(Protocol):
    """Verifies context tokens."""

    async def verify(self, token: str, audience: str) -> VerifiedContext:
        """Return what the token says.

        Raises:
            UnauthenticatedError: for whatever cause; the cause goes to metrics, not to the caller.
            DependencyUnavailableError: no key set is loaded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of the current RPC.

    Attributes:
        peer: service account of the connection, e.g. `edge` or `ops`.
        account: the tenant; None for methods that take no context token.
        installation: as in the token.
        subject: `user:{id}`, `service:{name}`, or empty without a token.
        role: admin, agent or end_user, for users.
        custom_role_id: the agent's custom role.
    """

    peer: str
    account: AccountId | None = None
    installation: str | None = None
    subject: str = ""
    role: str | None = None
    custom_role_id: int | None = None

    @property
    def user(self) -> UserId | None:
        """The acting person, None for services."""
        kind, _, number = self.subject.partition(":")
        return UserId(int(number)) if kind == "user" else None

    @property
    def is_admin(self) -> bool:
        """Whether an admin of the account acts."""
        return self.role == "admin"


_caller: ContextVar[Caller] = ContextVar("caller")


def current_caller() -> Caller:
    """Return the caller of the current RPC.

    Raises:
        LookupError: outside of an RPC.
    """
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """Set the caller for the rest of the current task (the chain does this)."""
    _caller.set(caller)
