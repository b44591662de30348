"""What the use cases of keys and revocations need from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.kernel.ids import AccountId
from services.auth.domain.revocation import Revocation
from services.auth.domain.signing_key import Phase, SigningKey


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key as it is kept.

    Attributes:
        public: its JWK as JSON; empty in rows of the first schema, whose private half tells it.
        sealed: the private half; None once the key does not sign any more.
    """

    key: SigningKey
    public: str
    sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one kind.

    Attributes:
        version: grows with every change; what changes the ring names the version it saw.
        requested: an operator asked for a rotation that is not done yet.
    """

    version: int
    requested: bool
    keys: Sequence[StoredKey]


class SigningKeys(Protocol):
    """Signing keys by kind; part of a transaction of the platform."""

    async def ring(self, kind: str) -> KeyRing:
        """Return the keys of a kind, oldest first; version 0 when there was never one."""
        ...

    async def change(
        self,
        kind: str,
        version: int,
        *,
        moves: Mapping[str, SigningKey],
        new: Sequence[StoredKey],
        requested: bool,
    ) -> bool:
        """Write new phases and keys; False, and nothing, when the ring is of another version by now.

        A key that is moved to anything but ACTIVE loses its private half.
        """
        ...

    async def publish(self, kind: str, kid: str, public: str) -> None:
        """Write the public half of a key of the first schema."""
        ...

    async def find(self, kid: str) -> tuple[str, Phase] | None:
        """Return kind and phase of a key."""
        ...


class Announcements(Protocol):
    """Entries for the feed, written with the transaction. A raised generation announces itself."""

    def generation(self, account: AccountId, generation: int) -> None:
        """Announce an account's generation; the present one, told again, ends what others cached of the account."""
        ...

    def distrust(self, kid: str) -> None:
        """Announce that a key is not trusted any more."""
        ...

    def keys_changed(self) -> None:
        """Announce that the key set changed."""
        ...


class RevocationFeed(Protocol):
    """The feed as every replica reads it."""

    async def tail(self, limit: int) -> Sequence[Revocation]:
        """Return the newest entries, oldest first."""
        ...

    async def after(self, position: int, limit: int) -> Sequence[Revocation]:
        """Return the entries after a position, oldest first."""
        ...

    def snapshot(self) -> AsyncIterator[Revocation]:
        """Yield everything that is revoked now, each with a position up to which the snapshot is complete.

        The first entry may be one that says nothing: it tells the position when nothing is revoked.
        """
        ...


@dataclass(frozen=True, slots=True)
class AppToken:
    """The installation token that an account's app was given last; never its text.

    Attributes:
        token_id: its `jti`.
        kid: the key that signed it.
        issued_at: when it was written to the app's setting.
        seen_at: when it first came back; None = it did not yet.
    """

    token_id: str
    kid: str
    issued_at: datetime
    seen_at: datetime | None = None


class AppTokens(Protocol):
    """The account's newest installation token."""

    async def get(self) -> AppToken | None:
        """Return it, None for an app that was given its token before they were noted."""
        ...

    async def put(self, token: AppToken) -> None:
        """Note a new one; ends the claim."""
        ...

    async def seen(self, token_id: str, at: datetime) -> None:
        """Note that it came back; nothing when it is another one."""
        ...

    async def claim(self, now: datetime, until: datetime) -> bool:
        """Take the right to write a new one; False while somebody else has it."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """Which apps need a new token.

    Attributes:
        aged: those whose token was issued before this instant.
        unseen: those whose token was issued before this instant and never came back.
        distrusted: those whose token one of these keys signed.
    """

    aged: datetime
    unseen: datetime
    distrusted: frozenset[str]


class TokensDue(Protocol):
    """Looks for apps that need a new token, over all accounts."""

    async def due(self, what: Due, now: datetime, limit: int) -> Sequence[AccountId]:
        """Return authorised accounts that nobody has claimed; those that were tried in vain come last."""
        ...
