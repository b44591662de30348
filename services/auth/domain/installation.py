"""Installations: our app in one Zendesk account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.kernel.ids import AccountId, UserId

ASK_EVERY = timedelta(hours=1)
"""How often Zendesk is asked whether our installation is still there, enabled and for whom."""
CONFIRM_AFTER = timedelta(minutes=5)
"""Between the first and the second time that it is missing: one answer of Zendesk ends nobody's account."""
ABANDONED_AFTER = timedelta(days=30)
"""How long a grant may be dead before the installation counts as ended."""
ERASE_AFTER = timedelta(days=30)
"""From the end of an installation to the destruction of its keys."""


class InstallationState(StrEnum):
    """Where an installation stands."""

    UNAUTHORIZED = "unauthorized"
    AUTHORIZED = "authorized"
    NEEDS_REAUTHORIZATION = "needs_reauthorization"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation; an account has one.

    Attributes:
        account: our id of the account, made at first sight.
        app_id: the app at Zendesk.
        installation_id: the installation at Zendesk.
        subdomain: of the account.
        generation: tokens of a lower generation are dead.
        admin: who authorised.
        contact_name: sealed.
        contact_email: sealed.
        checked_at: when Zendesk was last asked about it.
        gone_since: when it was first missed at Zendesk, or the grant was first found dead; None = it is there, or
            its keys are destroyed and there is nothing left to wait for.
    """

    account: AccountId
    app_id: int
    installation_id: int
    subdomain: str
    created_at: datetime
    state: InstallationState = InstallationState.UNAUTHORIZED
    enabled: bool = True
    group_restrictions: tuple[int, ...] = ()
    role_restrictions: tuple[int, ...] = ()
    scopes: tuple[str, ...] = ()
    generation: int = 0
    admin: UserId | None = None
    contact_name: bytes | None = None
    contact_email: bytes | None = None
    authorized_at: datetime | None = None
    checked_at: datetime | None = None
    gone_since: datetime | None = None

    def to_watch(self, now: datetime) -> bool:
        """Tell whether it is time to ask Zendesk about it, or to end it for good."""
        if self.state is InstallationState.REVOKED:
            over = self.gone_since is not None and self.gone_since <= now - ERASE_AFTER
            asked = self.checked_at is not None and self.checked_at <= now - ASK_EVERY
            return over and asked
        if self.state is InstallationState.UNAUTHORIZED:
            return False
        pause = ASK_EVERY if self.gone_since is None else CONFIRM_AFTER
        return self.checked_at is None or self.checked_at <= now - pause
