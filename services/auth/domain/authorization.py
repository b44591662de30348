"""An authorisation under way: OAuth code flow with PKCE and a bound, single-use state (facts: auth §2.3)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from libs.kernel.ids import AccountId, UserId
from services.auth.domain.errors import AuthorizationRefusedError

LIFE = timedelta(minutes=10)
_DENIALS = frozenset(
    [
        "access_denied",
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
    ]
)
"""RFC 6749 §4.1.2.1."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """One authorisation; of its secrets only hashes are kept, the PKCE verifier sealed.

    Attributes:
        ticket_hash: opens the popup once.
        state_hash: comes back with the redirect.
        cookie_hash: of the cookie that the popup set; None until it was opened.
        verifier: PKCE verifier, sealed.
        user: who must confirm.
        generation: of the installation when it began; a revocation ends it.
        used: whether the redirect came back.
    """

    account: AccountId
    id: str
    ticket_hash: bytes
    state_hash: bytes
    verifier: bytes
    user: UserId
    generation: int
    expires_at: datetime
    cookie_hash: bytes | None = None
    used: bool = False

    def open_at(self, now: datetime, generation: int) -> bool:
        """Tell whether it may go on."""
        return not self.used and now < self.expires_at and self.generation == generation


def refused() -> AuthorizationRefusedError:
    """Return the one answer to a ticket or state that opens nothing, whatever is wrong with it."""
    return AuthorizationRefusedError(
        "the authorisation expired, was used, or began in another browser; begin again"
    )


def denial(error: str) -> str:
    """Return a redirect's `error` if it is one of RFC 6749, else `other`: whoever calls back chooses the text."""
    return error if error in _DENIALS else "other"


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def authorize_url(base: str, client_id: str, redirect_uri: str, scope: str, state: str, verifier: str) -> str:
    """Return Zendesk's page on which the user confirms."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": state,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
    }
    return f"{base}/oauth/authorizations/new?{urlencode(query)}"
