"""Remembering what verified, for as long as it is certain to hold."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta

from libs.crypto.tokens import Claims

MAX_LIFE = timedelta(seconds=60)


class SuccessCache:
    """A bounded cache of successes only, keyed by the SHA-256 of the text and the audience.

    Whoever hits still re-checks expiry, generation and that the key is trusted: an entry only saves the
    signature.

    Args:
        size: entries at most; the least recently used goes first.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[bytes, str], tuple[Claims, datetime]] = OrderedDict()

    def get(self, text: str, audience: str, now: datetime) -> Claims | None:
        """Return the claims of a text that verified at most 60 s ago and has not expired."""
        key = _key(text, audience)
        entry = self._entries.get(key)
        if entry is None:
            return None
        claims, since = entry
        if not since <= now < min(since + MAX_LIFE, claims.expires_at):
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return claims

    def put(self, text: str, audience: str, claims: Claims, now: datetime) -> None:
        """Remember a success."""
        self._entries[_key(text, audience)] = (claims, now)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def forget(self, text: str, audience: str) -> None:
        """Drop one entry."""
        self._entries.pop(_key(text, audience), None)

    def __len__(self) -> int:
        return len(self._entries)


def _key(text: str, audience: str) -> tuple[bytes, str]:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), audience
