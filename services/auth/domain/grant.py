"""Grants: the OAuth pair we hold for an account, and how it is refreshed (facts: auth §2.4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.kernel.ids import AccountId

REFRESH_AT = 0.6
"""Share of an access token's life after which it is refreshed ahead."""
JITTER = 0.1
"""Of that share, up or down: accounts that were authorised together are not refreshed together."""
HTTP_SECONDS = 10.0
LEASE_SECONDS = 3 * HTTP_SECONDS


class GrantState(StrEnum):
    """Where a grant stands."""

    OK = "ok"
    REFRESHING = "refreshing"
    UNCERTAIN = "uncertain"
    NEEDS_REAUTHORIZATION = "needs_reauthorization"
    REVOKED = "revoked"
    """The pair is destroyed; the row goes on counting versions, so that no late writer finds an old number again."""


DEAD = frozenset({GrantState.NEEDS_REAUTHORIZATION, GrantState.REVOKED})
UNKNOWN = frozenset({GrantState.REFRESHING, GrantState.UNCERTAIN})
"""Whoever takes a lease in these must first find out what the holder before did."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The pair, sealed.

    Attributes:
        version: counts pairs; a writer must name the version it replaces.
        issued_at: when the pair was given.
        access_expires_at: None = never.
        intent: id of the refresh that was announced before it was sent.
    """

    account: AccountId
    version: int
    access: bytes
    refresh: bytes | None
    issued_at: datetime
    access_expires_at: datetime | None
    refresh_expires_at: datetime | None
    state: GrantState = GrantState.OK
    intent: str = ""

    def usable(self, now: datetime, known_version: int) -> bool:
        """Tell whether the access token may be handed out."""
        alive = self.access_expires_at is None or now < self.access_expires_at
        return alive and self.version > known_version and self.state not in DEAD

    def due(self, now: datetime) -> bool:
        """Tell whether it is time to refresh ahead; never without a refresh token, which could only end the grant."""
        if self.access_expires_at is None or self.refresh is None:
            return False
        life = self.access_expires_at - self.issued_at
        share = REFRESH_AT * (1 + JITTER * self._offset())
        return now >= self.issued_at + timedelta(seconds=life.total_seconds() * share)

    def _offset(self) -> float:
        """Return -1 to 1, the same on every replica, another one for every pair."""
        digest = hashlib.sha256(f"{self.account}/{self.version}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**31 - 1
