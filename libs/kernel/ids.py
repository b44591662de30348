"""Identifiers.

Ids we make are opaque, lower-case, URL-safe and sort by creation time; ids Zendesk makes stay the
64-bit integers they are.
"""

from __future__ import annotations

import os
from typing import NewType, Protocol

from libs.kernel.clock import Clock

AccountId = NewType("AccountId", str)
"""Our opaque id of one Zendesk account (the tenant); `tid` in tokens, `accounts/{account}` in names."""

UserId = NewType("UserId", int)
"""A Zendesk user id: agent, admin or end user."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
"""Two digits at once: an id is made for every decision that is logged."""


_RANDOM_BYTES = 10
_DRAWN = 256


class IdSource(Protocol):
    """Makes new ids. Injected, so that a decision can be replayed."""

    def new(self, prefix: str) -> str:
        """Return a fresh id `{prefix}-{26 characters}`, unique across replicas."""
        ...


def _encode(value: int, length: int) -> str:
    """Return the lowest digits of a number; `length` is even."""
    pairs = []
    for _ in range(length // 2):
        pairs.append(_PAIRS[value & 1023])
        value >>= 10
    pairs.reverse()
    return "".join(pairs)


class RandomIds:
    """Ids of 48 bits of milliseconds and 80 random bits (the layout of a ULID, in lower case)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._random: list[bytes] = []

    def new(self, prefix: str) -> str:
        try:
            # INVARIANT: taken once. `pop` is atomic, so threads never share, and no process of ours forks.
            random = self._random.pop()
        except IndexError:
            # The kernel is asked for many at once: in a server each call to it costs more than all the rest.
            drawn = os.urandom(_RANDOM_BYTES * _DRAWN)
            parts = [drawn[i : i + _RANDOM_BYTES] for i in range(0, len(drawn), _RANDOM_BYTES)]
            random = parts.pop()
            self._random.extend(parts)
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return f"{prefix}-{_encode(milliseconds << 80 | int.from_bytes(random), 26)}"


class CountingIds:
    """Ids that count up from 1, for tests and replays."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, prefix: str) -> str:
        self._last += 1
        return f"{prefix}-{_encode(self._last, 26)}"


def account_name(account: AccountId | str) -> str:
    """Return the resource name `accounts/{account}`."""
    return f"accounts/{account}"


def account_of(name: str) -> AccountId:
    """Return the account in a resource name `accounts/{account}[/…]`.

    Raises:
        ValueError: when the name does not start with `accounts/{account}`.
    """
    parts = name.split("/")
    if len(parts) < 2 or parts[0] != "accounts" or not parts[1]:
        raise ValueError(f"`{name}` is not a name under `accounts/{{account}}`")
    return AccountId(parts[1])
