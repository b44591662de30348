"""Encryption at rest: AES-256-GCM under a data key per account and purpose.

    ciphertext = 0x01 | data key id (16) | nonce (12) | AES-256-GCM output with its 16-byte tag
    AAD        = each of (format, account, table, column, row, data key id) with its length in front

The AAD binds a ciphertext to its place: moved to another account, table, column or row it does not open.
Destroying an account's data keys (`shred`) makes everything sealed under them unreadable.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.crypto.data_keys import DataKeys, MemoryDataKeys, StoredKey
from libs.crypto.errors import InvalidCiphertextError, KeyProviderError
from libs.crypto.key_providers import (
    FORMAT,
    ID_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    EnvironmentKeyProvider,
    FileKeyProvider,
    KeyProvider,
    LocalKeyProvider,
    coded,
    new_key_text,
)

__all__ = [
    "DataKeys",
    "Envelope",
    "EnvironmentKeyProvider",
    "FileKeyProvider",
    "InvalidCiphertextError",
    "KeyProvider",
    "KeyProviderError",
    "LocalKeyProvider",
    "MemoryDataKeys",
    "StoredKey",
    "new_key_text",
]

OVERHEAD_BYTES = 1 + ID_BYTES + NONCE_BYTES + 16
ROTATE_AT_WRITES = 2**31
_RESERVED_WRITES = 1024
CACHE_SECONDS = 300.0
"""How long a process may know a data key, and write under it, without asking the store."""
_CACHE_KEYS = 1000


@dataclass(slots=True)
class _Ready:
    cipher: AESGCM
    purpose: str
    until: float


@dataclass(slots=True)
class _Writing:
    key_id: bytes
    left: int
    until: float


def key_id_of(ciphertext: bytes) -> bytes:
    """Return the id of the data key that a ciphertext is sealed under."""
    return ciphertext[1 : 1 + ID_BYTES]


class Envelope:
    """Seals and opens column values.

    Args:
        provider: of key-encryption keys.
        data_keys: store of wrapped data keys.
        rotate_at_writes: ciphertexts per data key before a new one is made (random nonces: stay far below
            2^32).
    """

    def __init__(
        self, provider: KeyProvider, data_keys: DataKeys, *, rotate_at_writes: int = ROTATE_AT_WRITES
    ) -> None:
        self._provider = provider
        self._data_keys = data_keys
        self._rotate_at_writes = rotate_at_writes
        self._ready: OrderedDict[tuple[str, bytes], _Ready] = OrderedDict()
        self._writing: dict[tuple[str, str], _Writing] = {}

    async def seal(
        self, account: str, purpose: str, table: str, column: str, row: str, plaintext: bytes
    ) -> bytes:
        """Return `plaintext` encrypted for exactly this place; 45 bytes longer. It may be empty."""
        key_id = await self._key_for_writing(account, purpose)
        ready = await self._open_key(account, key_id)
        nonce = secrets.token_bytes(NONCE_BYTES)
        aad = coded(FORMAT, account, table, column, row, key_id)
        return FORMAT + key_id + nonce + ready.cipher.encrypt(nonce, plaintext, aad)

    async def open(
        self, account: str, purpose: str, table: str, column: str, row: str, ciphertext: bytes
    ) -> bytes:
        """Return the plaintext of a ciphertext that was sealed for this place.

        Raises:
            InvalidCiphertextError: anything else; there is no detail and no fall-back.
        """
        if len(ciphertext) < OVERHEAD_BYTES or ciphertext[:1] != FORMAT:
            raise InvalidCiphertextError
        key_id = key_id_of(ciphertext)
        ready = await self._open_key(account, key_id)
        if ready.purpose != purpose:
            raise InvalidCiphertextError
        nonce, sealed = ciphertext[1 + ID_BYTES :][:NONCE_BYTES], ciphertext[1 + ID_BYTES + NONCE_BYTES :]
        try:
            return ready.cipher.decrypt(nonce, sealed, coded(FORMAT, account, table, column, row, key_id))
        except InvalidTag as error:
            raise InvalidCiphertextError from error

    async def rotate(self, account: str, purpose: str) -> bytes:
        """Make a new data key for writes and return its id; old ciphertexts still open."""
        present = await self._data_keys.current(account, purpose)
        fresh = await self._new_key(account, purpose, replaces=present.id if present else None)
        self._writing.pop((account, purpose), None)
        return fresh.id

    async def renew(self, before: datetime) -> int:
        """Make a new data key wherever the current one is older than `before`; returns how many. Safe to repeat."""
        renewed = 0
        async for key in self._data_keys.aged(before):
            fresh = await self._new_key(key.account, key.purpose, replaces=key.id)
            self._writing.pop((key.account, key.purpose), None)
            renewed += fresh.id != key.id
        return renewed

    async def rewrap_all(self) -> int:
        """Wrap every data key under the provider's current key; returns how many changed. Safe to repeat."""
        changed = 0
        async for key in self._data_keys.all():
            if key.wrapped[1 : 1 + ID_BYTES] == self._provider.current_kek_id():
                continue
            data_key = await self._provider.unwrap(key.wrapped, key.account, key.purpose)
            wrapped = await self._provider.wrap(data_key, key.account, key.purpose)
            changed += await self._data_keys.rewrap(key.account, key.id, key.wrapped, wrapped)
        return changed

    async def drop(self, account: str, key_id: bytes) -> bool:
        """Remove a data key that is no longer current and that nothing is sealed under; False when it is current."""
        self._ready.pop((account, key_id), None)
        return await self._data_keys.drop(account, key_id)

    async def shred(self, account: str, purpose: str | None = None) -> list[bytes]:
        """Destroy an account's data keys (of one purpose, or all); returns their ids for the receipt.

        Other replicas must `forget` the account too; at the latest after CACHE_SECONDS they have.
        """
        gone = await self._data_keys.shred(account, purpose)
        self.forget(account)
        return gone

    def forget(self, account: str) -> None:
        """Drop the account's data keys from this process's memory."""
        for key in [key for key in self._ready if key[0] == account]:
            del self._ready[key]
        for place in [place for place in self._writing if place[0] == account]:
            del self._writing[place]

    def forget_all(self) -> None:
        """Drop every data key from this process's memory."""
        self._ready.clear()
        self._writing.clear()

    async def _key_for_writing(self, account: str, purpose: str) -> bytes:
        place = (account, purpose)
        writing = self._writing.get(place)
        if writing is not None and writing.left > 0 and time.monotonic() < writing.until:
            writing.left -= 1
            return writing.key_id
        present = await self._data_keys.current(account, purpose)
        if present is None:
            present = await self._new_key(account, purpose, replaces=None)
        if await self._data_keys.reserve(account, present.id, _RESERVED_WRITES) > self._rotate_at_writes:
            present = await self._new_key(account, purpose, replaces=present.id)
            await self._data_keys.reserve(account, present.id, _RESERVED_WRITES)
        self._writing[place] = _Writing(present.id, _RESERVED_WRITES - 1, time.monotonic() + CACHE_SECONDS)
        return present.id

    async def _new_key(self, account: str, purpose: str, *, replaces: bytes | None) -> StoredKey:
        wrapped = await self._provider.wrap(secrets.token_bytes(KEY_BYTES), account, purpose)
        return await self._data_keys.add(account, purpose, secrets.token_bytes(ID_BYTES), wrapped, replaces)

    async def _open_key(self, account: str, key_id: bytes) -> _Ready:
        place = (account, key_id)
        ready = self._ready.get(place)
        if ready is not None and time.monotonic() < ready.until:
            self._ready.move_to_end(place)
            return ready
        stored = await self._data_keys.find(account, key_id)
        if stored is None:
            self._ready.pop(place, None)
            raise InvalidCiphertextError
        data_key = await self._provider.unwrap(stored.wrapped, account, stored.purpose)
        ready = _Ready(AESGCM(data_key), stored.purpose, time.monotonic() + CACHE_SECONDS)
        self._ready[place] = ready
        while len(self._ready) > _CACHE_KEYS:
            self._ready.popitem(last=False)
        return ready
