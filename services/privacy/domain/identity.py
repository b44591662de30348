"""People as keyed hashes (facts: privacy §7): the same person gives the same token, in one account only."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

RULE = "v1"
"""Version of the normalisation; part of every token."""


def normalised(kind: str, value: str) -> str:
    """Return a value as it is hashed: trimmed, NFC, e-mail in lower case."""
    text = unicodedata.normalize("NFC", value.strip())
    return text.lower() if kind == "email" else text


def commitment(key: bytes, kind: str, value: str) -> str:
    """Return the token of one identifier: HMAC-SHA-256 with the account's key, as hex."""
    text = f"{RULE}|{kind}|{normalised(kind, value)}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
