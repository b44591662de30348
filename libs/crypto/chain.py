"""A hash chain over events: evidence that nothing was changed or left out afterwards.

    hash(n) = SHA-256(hash(n-1) || RFC 8785 bytes of event n),  hash(0) = 32 zero bytes

The canonical form comes from `rfc8785` (Trail of Bits), so that any other implementation of the RFC
reproduces the chain. Personal values enter an event only as salted commitments or encrypted, never in clear.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

import rfc8785

GENESIS = bytes(32)
"""The hash before the first event."""


class BrokenChainError(ValueError):
    """An event does not fit its place.

    Attributes:
        position: of the first event that does not fit, counted from 0.
    """

    def __init__(self, position: int) -> None:
        super().__init__(f"the chain breaks at event {position}")
        self.position = position


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of a JSON value.

    Raises:
        ValueError: it holds what JSON or the RFC cannot say: an integer beyond 2^53 - 1 (write a Zendesk id
            as a text), a NaN, bytes, a key that is no text.
    """
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # its recursive type; a wrong value raises
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValueError(f"not canonical JSON: {error}") from error


def chain_hash(previous: bytes, event: Mapping[str, object]) -> bytes:
    """Return the hash of `event` after the event whose hash is `previous` (GENESIS for the first).

    Raises:
        ValueError: the event is not canonical JSON, or `previous` is not 32 bytes.
    """
    if len(previous) != len(GENESIS):
        raise ValueError("a hash of the chain is 32 bytes")
    return hashlib.sha256(previous + canonical(dict(event))).digest()


def verify_chain(links: Iterable[tuple[Mapping[str, object], bytes]], start: bytes = GENESIS) -> bytes:
    """Check events against their stored hashes, oldest first, and return the last hash.

    Args:
        links: (event, its stored hash).
        start: hash before the first of them.

    Raises:
        BrokenChainError: at the first event that does not fit.
    """
    head = start
    for position, (event, stored) in enumerate(links):
        head = chain_hash(head, event)
        if not hmac.compare_digest(head, stored):
            raise BrokenChainError(position)
    return head


def commit(value: str, salt: bytes | None = None) -> tuple[bytes, bytes]:
    """Return a commitment to a personal value, and its salt; without the salt it tells nothing.

    Keep the salt apart from the chain and destroy it to erase: the chain still verifies.
    """
    salt = secrets.token_bytes(32) if salt is None else salt
    return hmac.new(salt, value.encode("utf-8"), hashlib.sha256).digest(), salt
