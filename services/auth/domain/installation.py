"""Installations: our app in one Zendesk account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from libs.kernel.ids import AccountId, UserId


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
