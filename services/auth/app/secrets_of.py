"""Random secrets that carry their account, and their hashes."""

from __future__ import annotations

import hashlib
import re
import secrets

from libs.kernel.ids import AccountId

_FORM = re.compile(r"([0-9a-z-]{1,63})\.([A-Za-z0-9_-]{43})")


def new_secret(account: AccountId) -> str:
    """Return `{account}.{256 random bits}`: the account only tells which rows to look at."""
    return f"{account}.{secrets.token_urlsafe(32)}"


def account_in(secret: str) -> AccountId | None:
    """Return the account that a secret names, None when it is malformed."""
    found = _FORM.fullmatch(secret)
    return AccountId(found[1]) if found else None


def hash_of(secret: str) -> bytes:
    """Return SHA-256 of a secret: what is kept instead of it."""
    return hashlib.sha256(secret.encode()).digest()
