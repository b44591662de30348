"""Remembering what verified, for as long as it is certain to hold (facts: auth §3 rule 26)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from libs.crypto.keys import KeySet
from libs.crypto.tokens import Claims
from libs.kernel.ids import AccountId

MAX_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Success:
    """A token that verified.

    Attributes:
        claims: what it says.
        account: its account.
        generation: its generation.
        kid: the key that signed it.
        keys: the set that had this key.
        since: when it verified.
        until: when it must be verified again, at the latest when it expires.
    """

    claims: Claims
    account: AccountId
    generation: int
    kid: str | None
    keys: KeySet
    since: datetime
    until: datetime

    @classmethod
    def of(cls, claims: Claims, keys: KeySet, now: datetime) -> Success:
        """Return the success of this instant."""
        until = min(now + MAX_LIFE, claims.expires_at)
        return cls(claims, claims.account, claims.generation, claims.kid, keys, now, until)


class SuccessCache:
    """A bounded cache of successes only, keyed by the SHA-256 of the text and the audience.

    Whoever hits still re-checks expiry, generation and that the key is trusted: an entry only saves the
    signature. A revocation drops the account's entries.

    Args:
        size: entries at most; the least recently used goes first.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[bytes, str], Success] = OrderedDict()

    def get(self, text: str, audience: str, now: datetime) -> Success | None:
        """Return what a text said that verified at most 60 s ago and has not expired."""
        key = _key(text, audience)
        entry = self._entries.get(key)
        if entry is None:
            return None
        if not entry.since <= now < entry.until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, text: str, audience: str, success: Success) -> None:
        """Remember a success."""
        self._entries[_key(text, audience)] = success
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, text: str, audience: str) -> None:
        """Drop one entry."""
        self._entries.pop(_key(text, audience), None)

    def forget(self, account: AccountId | None) -> None:
        """Drop an account's entries; None = all."""
        if account is None:
            self._entries.clear()
            return
        for key in [key for key, entry in self._entries.items() if entry.account == account]:
            del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)


def _key(text: str, audience: str) -> tuple[bytes, str]:
    return sha256(text.encode("utf-8", "surrogatepass")).digest(), audience
