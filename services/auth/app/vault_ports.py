"""What rotating and destroying data keys needs from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.kernel.ids import AccountId
from services.auth.app.ports import Sealer


class DataKey(Protocol):
    """A wrapped data key."""

    @property
    def account(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def id(self) -> bytes: ...


class DataKeys(Protocol):
    """The data keys that a rotation walks through."""

    async def now(self) -> datetime:
        """Return the instant on the clock that dates keys."""
        ...

    async def of_account(self, account: str) -> Sequence[bytes]:
        """Return the ids of an account's keys."""
        ...

    def retired(self, seconds: float) -> AsyncIterator[DataKey]:
        """Go through the keys whose successor is at least so old."""
        ...


class Vault(Sealer, Protocol):
    """Envelope encryption with what a keeper of keys does beside sealing and opening."""

    async def rewrap_all(self) -> int:
        """Wrap every data key under the present key-encryption key; return how many changed."""
        ...

    async def renew(self, before: datetime) -> int:
        """Make a new data key wherever the current one is older; return how many."""
        ...

    async def drop(self, account: str, key_id: bytes) -> bool:
        """Remove a data key that is no longer current."""
        ...

    async def shred(self, account: str, purpose: str | None = None) -> Sequence[bytes]:
        """Destroy an account's data keys; return their ids."""
        ...

    def forget(self, account: str) -> None:
        """Drop an account's data keys from this process's memory."""
        ...

    def forget_all(self) -> None:
        """Drop every data key from this process's memory."""
        ...


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A ciphertext and its place."""

    table: str
    column: str
    row: str
    sealed: bytes = field(repr=False)


class SealedValues(Protocol):
    """Every ciphertext that auth keeps."""

    async def under(self, account: str, key_id: bytes, limit: int) -> Sequence[SealedValue]:
        """Return values of an account that are sealed under a data key."""
        ...

    async def replace(self, account: str, value: SealedValue, sealed: bytes) -> bool:
        """Write a value sealed anew; False when it has changed meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation of data keys and how far it is.

    Attributes:
        started_at: on the clock that dates keys; keys made before it are replaced.
        renewed: data keys that got a successor.
        resealed: values that were sealed anew.
        dropped: old data keys that nothing is sealed under any more, removed.
    """

    id: str
    actor: str
    started_at: datetime
    renewed: int = 0
    resealed: int = 0
    dropped: int = 0
    finished_at: datetime | None = None


class Rotations(Protocol):
    """Rotations; at most one is under way."""

    async def begin(self, rotation: Rotation) -> Rotation:
        """Return the rotation under way; this one when there was none."""
        ...

    async def under_way(self) -> Rotation | None:
        """Return the rotation that is not finished."""
        ...

    async def get(self, rotation: str) -> Rotation | None:
        """Return a rotation."""
        ...

    async def progress(self, rotation: str, *, renewed: int = 0, resealed: int = 0, dropped: int = 0) -> None:
        """Add to what is done."""
        ...

    async def finish(self, rotation: str, at: datetime) -> bool:
        """End it; False when it had ended."""
        ...

    async def take_turn(self, holder: str, seconds: float) -> bool:
        """Take or renew the right to work; False while another replica has it."""
        ...


class Evictions(Protocol):
    """Tells every replica to drop an account's data keys from its memory."""

    async def tell(self, account: AccountId) -> None:
        """Tell them; who does not hear it drops them within the cache's time."""
        ...
