"""An authorisation under way: OAuth code flow with PKCE and a bound, single-use state (facts: auth §2.3)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from libs.kernel.ids import AccountId, UserId

LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Authorization:
    """One authorisation; of its secrets only hashes are kept, the PKCE verifier sealed.

    Attributes:
        ticket_hash: opens the popup once.
        state_hash: comes back with the redirect.
        cookie_hash: of the cookie that the popup set; None until it was opened.
        verifier: PKCE verifier, sealed.
        user: who must confirm.
        used: whether the redirect came back.
    """

    account: AccountId
    id: str
    ticket_hash: bytes
    state_hash: bytes
    verifier: bytes
    user: UserId
    expires_at: datetime
    cookie_hash: bytes | None = None
    used: bool = False


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
