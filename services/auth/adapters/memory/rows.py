"""The rows of a store in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.auth.app.key_ports import AppToken, KeyRing
from services.auth.app.ports import AuditRow
from services.auth.domain.authorization import Authorization
from services.auth.domain.grant import JITTER, REFRESH_AT, UNKNOWN, Grant, GrantState
from services.auth.domain.installation import Installation
from services.auth.domain.session import Session


class DuplicateKeyError(ValueError):
    """A row with this key is there already."""


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant and its lease.

    Attributes:
        holder: the intent that has the lease; empty when nobody has.
        until: when the lease ends; None = it has ended.
    """

    grant: Grant
    holder: str = ""
    until: datetime | None = None

    def may_be_due(self, now: datetime, store_now: datetime) -> bool:
        """Tell whether a refresh ahead may be due, or the last one's holder is gone."""
        grant = self.grant
        if self.until is not None and store_now <= self.until:
            return False
        if grant.state in UNKNOWN:
            return True
        if grant.state is not GrantState.OK or grant.refresh is None or grant.access_expires_at is None:
            return False
        return (
            grant.issued_at + (grant.access_expires_at - grant.issued_at) * REFRESH_AT * (1 - JITTER) <= now
        )


@dataclass(slots=True)
class Rows:
    """One account's rows; the values are immutable, so that a copy of the containers is a snapshot."""

    installation: Installation | None = None
    grant: StoredGrant | None = None
    authorizations: dict[str, Authorization] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    audit: list[AuditRow] = field(default_factory=list)
    app_token: AppToken | None = None
    app_token_claim: datetime | None = None
    rings: dict[str, KeyRing] = field(default_factory=dict)

    def copy(self) -> Rows:
        """Return rows that may be changed without changing these."""
        return Rows(
            self.installation,
            self.grant,
            dict(self.authorizations),
            dict(self.sessions),
            list(self.audit),
            self.app_token,
            self.app_token_claim,
            dict(self.rings),
        )
