"""Files of the operator that list who may come in: a JSON array, one entry per program."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from libs.kernel.strict_json import unique_members

_HASH = re.compile(r"[0-9a-f]{64}")


class HasKey(Protocol):
    """An entry of a program that shows a key."""

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the key."""
        ...


T = TypeVar("T")
KeyedT = TypeVar("KeyedT", bound=HasKey)


def read_entries(path: Path | None, read: Callable[[object, str], T]) -> list[T]:
    """Return what the entries of a file are; none without a file.

    Args:
        read: makes something of an entry; its second argument says where the entry stands.

    Raises:
        ValueError: it cannot be read; the message names the entry, never what is in it.
    """
    if path is None:
        return []
    try:
        entries = json.loads(path.read_text("utf-8"), object_pairs_hook=unique_members)
    except (OSError, ValueError) as error:
        raise ValueError(f"`{path}` cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise ValueError(f"`{path}` holds no JSON array")
    return [read(entry, f"`{path}`, entry {place}") for place, entry in enumerate(entries)]


def key_hash_of(value: object, where: str) -> bytes:
    """Return the SHA-256 of a key, as a file has it in hexadecimal.

    Raises:
        ValueError: it is none; the message does not repeat it.
    """
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(f"{where}: key_sha256 must match {_HASH.pattern}")
    return bytes.fromhex(value)


def by_key(entries: Sequence[KeyedT], key: str) -> KeyedT | None:
    """Return whose key it is; None when nobody's."""
    given = hashlib.sha256(key.strip().encode()).digest()
    found = None
    for entry in entries:  # every one is compared: the time tells nothing
        if hmac.compare_digest(entry.key_hash, given):
            found = entry
    return found
