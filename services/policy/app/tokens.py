"""Consistency tokens: a write returns one, a read that is given it sees that write (facts: policy §4.4)."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
import re

from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId

_TOKEN = re.compile(r"zt2\.(0|[1-9][0-9]{0,17})\.([A-Za-z0-9_-]{22})", re.ASCII)
_MAC_BYTES = 16
_REMEMBERED = 4096


class ConsistencyTokens:
    """Makes and reads tokens `zt2.{revision}.{MAC over account and revision}`.

    The revision can be read by anyone: an embedded decision point compares it with its own.

    Args:
        key: the same on every replica; without one, tokens are good within this process only.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = hashlib.sha256(b"consistency tokens" + (key or os.urandom(32))).digest()
        # every answer carries the token of its revision, which is the same until the next write
        self._mac = functools.lru_cache(_REMEMBERED)(self._new_mac)

    def token(self, account: AccountId, revision: int) -> str:
        """Return the token of a revision."""
        return f"zt2.{revision}.{self._mac(account, revision)}"

    def revision(self, account: AccountId, token: str, field: str = "consistency.at_least") -> int:
        """Return the revision of a token.

        Raises:
            InvalidRequestError: it is not a token of ours, or one of another account.
        """
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(found[2], self._mac(account, int(found[1]))):
            fault = FieldViolation(field, "is not a consistency token of this account")
            raise InvalidRequestError(f"`{field}` {fault.description}", violations=[fault])
        return int(found[1])

    def _new_mac(self, account: AccountId, revision: int) -> str:
        mac = hmac.digest(self._key, f"{account}\0{revision}".encode(), "sha256")[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")
