"""Page tokens: opaque, authenticated, and good only for the query they came from (AIP-158)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import Message

from libs.kernel.errors import FieldViolation, InvalidRequestError

DEFAULT_PAGE_SIZE = 50
MAXIMUM_PAGE_SIZE = 1000
_NONCE = 12


def page_size(requested: int, default: int = DEFAULT_PAGE_SIZE, maximum: int = MAXIMUM_PAGE_SIZE) -> int:
    """Return the size of a page: 0 asks for the default, too much is clamped.

    Raises:
        InvalidRequestError: the size is negative.
    """
    if requested < 0:
        raise InvalidRequestError(
            f"page_size `{requested}` is negative",
            violations=[FieldViolation("page_size", "must not be negative")],
        )
    return min(requested or default, maximum)


def query_of(request: Message) -> bytes:
    """Return a hash of everything in a List request but its page_size and page_token."""
    plain = type(request)()
    plain.CopyFrom(request)
    for name in ("page_size", "page_token"):
        plain.ClearField(name)
    return hashlib.sha256(
        plain.DESCRIPTOR.full_name.encode() + plain.SerializeToString(deterministic=True)
    ).digest()


class PageTokens:
    """Seals and opens page tokens.

    Args:
        key: the same on every replica; without one, tokens are good within this process only.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._aead = AESGCM(hashlib.sha256(b"page tokens" + (key or os.urandom(32))).digest())

    def encode(self, position: Mapping[str, Any], query: bytes) -> str:
        """Return a token for the page after `position` (JSON values) of `query`."""
        nonce = os.urandom(_NONCE)
        sealed = self._aead.encrypt(nonce, json.dumps(dict(position)).encode(), query)
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def decode(self, token: str, query: bytes) -> dict[str, Any]:
        """Return the position in a token; empty for the first page.

        Raises:
            InvalidRequestError: the token is not ours, or belongs to another query.
        """
        if not token:
            return {}
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            opened = self._aead.decrypt(raw[:_NONCE], raw[_NONCE:], query)
        except (binascii.Error, ValueError, InvalidTag):
            fault = FieldViolation("page_token", "does not belong to this query")
            raise InvalidRequestError(
                "the page token does not belong to this query", violations=[fault]
            ) from None
        position: dict[str, Any] = json.loads(opened)
        return position
