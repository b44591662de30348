"""Where wrapped data keys are kept: a small store, whose backups age out sooner than the data's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol


class StoredKey(Protocol):
    """One wrapped data key."""

    @property
    def account(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def id(self) -> bytes: ...
    @property
    def wrapped(self) -> bytes: ...


class DataKeys(Protocol):
    """The store of wrapped data keys. At most one key per account and purpose is current."""

    async def current(self, account: str, purpose: str) -> StoredKey | None:
        """Return the key that new ciphertexts use."""
        ...

    async def find(self, account: str, key_id: bytes) -> StoredKey | None:
        """Return a key by its id, current or old; None after a shred."""
        ...

    async def add(
        self, account: str, purpose: str, key_id: bytes, wrapped: bytes, replaces: bytes | None
    ) -> StoredKey:
        """Make a key the current one if that is still `replaces`; return the one that is current then.

        Two replicas that add at once both get the winner's.
        """
        ...

    async def reserve(self, account: str, key_id: bytes, writes: int) -> int:
        """Add `writes` to the key's count of ciphertexts and return the sum; 0 when the key is gone."""
        ...

    async def rewrap(self, account: str, key_id: bytes, old: bytes, new: bytes) -> bool:
        """Replace a key's wrapped form if it still is `old`."""
        ...

    async def drop(self, account: str, key_id: bytes) -> bool:
        """Remove one key that is no longer current."""
        ...

    async def shred(self, account: str, purpose: str | None) -> list[bytes]:
        """Remove every key of an account (or of one purpose of it) and return their ids."""
        ...

    async def of_account(self, account: str) -> list[bytes]:
        """Return the ids of an account's keys, current and old."""
        ...

    def all(self) -> AsyncIterator[StoredKey]:
        """Go through every key."""
        ...

    async def now(self) -> datetime:
        """Return the instant on the clock that dates keys."""
        ...

    def aged(self, before: datetime) -> AsyncIterator[StoredKey]:
        """Go through the current keys that were made before an instant."""
        ...

    def retired(self, seconds: float) -> AsyncIterator[StoredKey]:
        """Go through the keys whose successor is at least so old."""
        ...


@dataclass(frozen=True, slots=True)
class _Row:
    account: str
    purpose: str
    id: bytes
    wrapped: bytes
    made_at: datetime
    current: bool = True
    writes: int = 0
    replaced_at: datetime | None = None


class MemoryDataKeys:
    """Data keys in memory.

    Args:
        now: the clock that dates keys.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._rows: dict[tuple[str, bytes], _Row] = {}
        self._now = now

    async def current(self, account: str, purpose: str) -> StoredKey | None:
        found = (
            row
            for row in self._rows.values()
            if (row.account, row.purpose, row.current) == (account, purpose, True)
        )
        return next(found, None)

    async def find(self, account: str, key_id: bytes) -> StoredKey | None:
        return self._rows.get((account, key_id))

    async def add(
        self, account: str, purpose: str, key_id: bytes, wrapped: bytes, replaces: bytes | None
    ) -> StoredKey:
        present = await self.current(account, purpose)
        if (present.id if present else None) != replaces and present is not None:
            return present
        if present is not None:
            key = (account, present.id)
            self._rows[key] = replace(self._rows[key], current=False, replaced_at=self._now())
        row = _Row(account, purpose, key_id, wrapped, self._now())
        self._rows[account, key_id] = row
        return row

    async def reserve(self, account: str, key_id: bytes, writes: int) -> int:
        row = self._rows.get((account, key_id))
        if row is None:
            return 0
        self._rows[account, key_id] = replace(row, writes=row.writes + writes)
        return row.writes + writes

    async def rewrap(self, account: str, key_id: bytes, old: bytes, new: bytes) -> bool:
        row = self._rows.get((account, key_id))
        if row is None or row.wrapped != old:
            return False
        self._rows[account, key_id] = replace(row, wrapped=new)
        return True

    async def drop(self, account: str, key_id: bytes) -> bool:
        row = self._rows.get((account, key_id))
        if row is None or row.current:
            return False
        del self._rows[account, key_id]
        return True

    async def shred(self, account: str, purpose: str | None) -> list[bytes]:
        gone = [
            key
            for key, row in self._rows.items()
            if row.account == account and purpose in {None, row.purpose}
        ]
        for key in gone:
            del self._rows[key]
        return [key_id for _, key_id in gone]

    async def of_account(self, account: str) -> list[bytes]:
        return [key_id for owner, key_id in self._rows if owner == account]

    async def all(self) -> AsyncIterator[StoredKey]:
        for row in list(self._rows.values()):
            yield row

    async def now(self) -> datetime:
        return self._now()

    async def aged(self, before: datetime) -> AsyncIterator[StoredKey]:
        for row in list(self._rows.values()):
            if row.current and row.made_at < before:
                yield row

    async def retired(self, seconds: float) -> AsyncIterator[StoredKey]:
        end = self._now() - timedelta(seconds=seconds)
        for row in list(self._rows.values()):
            if row.replaced_at is not None and row.replaced_at <= end:
                yield row
