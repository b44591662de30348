"""Where key-encryption keys (KEK) live. A provider for a key service (Vault, a cloud KMS) has the same shape:
it puts `0x01` and a 16-byte id of its key in front of whatever the service answers.

A file or variable holds one or more keys, 32 bytes in base64 each, separated by blanks, commas or line ends;
`#` starts a comment. The first one wraps, all of them unwrap: rotate by putting a new key in front, rewrap,
take the old one away. A key's id is derived from the key, so that nobody has to name it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.crypto.errors import InvalidCiphertextError, KeyProviderError
from libs.telemetry.logs import get_logger

FORMAT = b"\x01"
ID_BYTES = 16
NONCE_BYTES = 12
KEY_BYTES = 32
CHECK_SECONDS = 10.0
"""How often a file of keys is looked at."""


def coded(*parts: bytes | str) -> bytes:
    """Return `parts`, each with its length in front (4 bytes, big-endian): ("a","bc") is not ("ab","c")."""
    encoded = [part.encode("utf-8") if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


class KeyProvider(Protocol):
    """Wraps data keys. `wrapped` is `0x01 | kek id (16) | nonce (12) | AES-256-GCM(KEK, data key)`."""

    def current_kek_id(self) -> bytes:
        """Return the 16-byte id of the key that wraps now."""
        ...

    async def wrap(self, data_key: bytes, account: str, purpose: str) -> bytes:
        """Return `data_key` wrapped for `account` and `purpose`."""
        ...

    async def unwrap(self, wrapped: bytes, account: str, purpose: str) -> bytes:
        """Return the data key.

        Raises:
            InvalidCiphertextError: altered, of another account or purpose, or of a key we do not have.
        """
        ...


class LocalKeyProvider:
    """Keys in this process's memory.

    Args:
        keys: 32 bytes each, the current one first.

    Raises:
        KeyProviderError: none, or one of another length.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise KeyProviderError("there is no key-encryption key")
        if any(len(key) != KEY_BYTES for key in keys):
            raise KeyProviderError("a key-encryption key is not 32 bytes long")
        self._take(keys)

    def _take(self, keys: Sequence[bytes]) -> None:
        self._keys = {kek_id(key): AESGCM(key) for key in keys}
        self._current = kek_id(keys[0])

    def _knows(self, wrapped: bytes) -> bool:
        return wrapped[1 : 1 + ID_BYTES] in self._keys

    def current_kek_id(self) -> bytes:
        return self._current

    async def wrap(self, data_key: bytes, account: str, purpose: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        aad = coded("dek", account, purpose, self._current)
        return FORMAT + self._current + nonce + self._keys[self._current].encrypt(nonce, data_key, aad)

    async def unwrap(self, wrapped: bytes, account: str, purpose: str) -> bytes:
        start = 1 + ID_BYTES
        kek = self._keys.get(wrapped[1:start])
        if wrapped[:1] != FORMAT or kek is None or len(wrapped) != start + NONCE_BYTES + KEY_BYTES + 16:
            raise InvalidCiphertextError
        nonce, sealed = wrapped[start : start + NONCE_BYTES], wrapped[start + NONCE_BYTES :]
        try:
            return kek.decrypt(nonce, sealed, coded("dek", account, purpose, wrapped[1:start]))
        except InvalidTag as error:
            raise InvalidCiphertextError from error


class FileKeyProvider(LocalKeyProvider):
    """Keys in a file, or in a folder with a file per key: a mounted Kubernetes secret.

    In a folder the file whose name sorts last wraps (`kek-2026-11` before `kek-2026-05`); names that begin with a
    point are not read. A changed file is noticed within ten seconds, without a restart; one that is not usable
    leaves the keys as they were.

    Raises:
        KeyProviderError: it cannot be read or holds no usable key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp, keys = _read_path(path)
        self._looked_at = time.monotonic()
        super().__init__(keys)

    def current_kek_id(self) -> bytes:
        self._look(CHECK_SECONDS)
        return super().current_kek_id()

    async def wrap(self, data_key: bytes, account: str, purpose: str) -> bytes:
        self._look(CHECK_SECONDS)
        return await super().wrap(data_key, account, purpose)

    async def unwrap(self, wrapped: bytes, account: str, purpose: str) -> bytes:
        # Another replica may have seen the new key first.
        self._look(CHECK_SECONDS if self._knows(wrapped) else 1.0)
        return await super().unwrap(wrapped, account, purpose)

    def _look(self, seconds: float) -> None:
        now = time.monotonic()
        if now - self._looked_at < seconds:
            return
        self._looked_at = now
        try:
            if _stamp_of(self._path) == self._stamp:
                return
            stamp, keys = _read_path(self._path)
        except (OSError, KeyProviderError) as error:
            get_logger().error("key-encryption keys not loaded, the old ones stay", why=type(error).__name__)
            return
        self._stamp = stamp
        self._take(keys)
        get_logger().info("key-encryption keys loaded", count=len(keys))


Stamp = tuple[tuple[str, int, int, int], ...]


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted((file for file in path.iterdir() if not file.name.startswith(".")), reverse=True)


def _stamp_of(path: Path) -> Stamp:
    found = [(file.name, file.stat()) for file in _files_of(path)]
    return tuple((name, stat.st_mtime_ns, stat.st_ino, stat.st_size) for name, stat in found)


def _read_path(path: Path) -> tuple[Stamp, list[bytes]]:
    try:
        stamp = _stamp_of(path)
        text = "\n".join(file.read_text("ascii") for file in _files_of(path))
    except (OSError, UnicodeDecodeError) as error:
        raise KeyProviderError(f"the key-encryption keys in `{path}` cannot be read") from error
    return stamp, read_keys(text, f"`{path}`")


class EnvironmentKeyProvider(LocalKeyProvider):
    """Keys in an environment variable; for development.

    Raises:
        KeyProviderError: the variable is not set or holds no usable key.
    """

    def __init__(self, variable: str, environment: Mapping[str, str] | None = None) -> None:
        text = (os.environ if environment is None else environment).get(variable, "")
        super().__init__(read_keys(text, f"`{variable}`"))


def kek_id(key: bytes) -> bytes:
    """Return the 16-byte id of a key-encryption key; it tells nothing about the key."""
    return hashlib.sha256(b"setlist kek id" + key).digest()[:ID_BYTES]


def new_key_text() -> str:
    """Return a fresh key-encryption key as a line of a key file."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def read_keys(text: str, where: str) -> list[bytes]:
    """Return the keys that `text` lists.

    Raises:
        KeyProviderError: naming `where`, never the text.
    """
    words = re.sub(r"#.*", "", text).replace(",", " ").split()
    try:
        keys = [base64.b64decode(word, validate=True) for word in words]
    except binascii.Error as error:
        raise KeyProviderError(f"a key-encryption key in {where} is not base64") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise KeyProviderError(f"{where} holds no key-encryption key of 32 bytes in base64")
    return keys
