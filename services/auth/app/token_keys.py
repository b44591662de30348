"""Our own tokens: minted with the one active key of their kind, verified with the published ones."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.crypto.errors import InvalidTokenError
from libs.crypto.tokens import (
    CONTEXT_TYP,
    INSTALLATION_TYP,
    Claims,
    KeySet,
    Signer,
    context_profile,
    installation_profile,
    verify,
)
from libs.kernel.ids import IdSource
from services.auth.app.key_ports import AppToken
from services.auth.domain.installation import Installation

CONTEXT_LIFE = timedelta(seconds=60)
INSTALLATION_LIFE = timedelta(days=90)
KINDS = ("installation", "context")
CALLEES = ("auth", "policy", "assignment", "privacy")


@dataclass(slots=True)
class TokenKeys:
    """Mints and verifies our own tokens.

    Attributes:
        issuer: `iss` of every token.
        signers: the active key of each kind; kinds never share a key.
        sets: every key that may verify a living token, by kind.

    Both are replaced as a whole when keys move on (`keep_keys`).
    """

    issuer: str
    ids: IdSource
    signers: Mapping[str, Signer]
    sets: Mapping[str, KeySet]

    @property
    def installation_audience(self) -> str:
        """Audience of installation tokens: the edge."""
        return f"{self.issuer}/edge"

    def replace(self, signers: Mapping[str, Signer], sets: Mapping[str, KeySet]) -> None:
        """Sign and verify with other keys from now on."""
        self.signers, self.sets = signers, sets

    def installation_token(self, installation: Installation, now: datetime) -> str:
        """Return a token that names account and installation, never a person."""
        claims = self._claims(
            self.installation_audience,
            f"zendesk:{installation.subdomain}",
            installation,
            now,
            INSTALLATION_LIFE,
        )
        return self.signers["installation"].sign(claims, INSTALLATION_TYP)

    def read_installation_token(self, token: str, now: datetime) -> Claims:
        """Verify an installation token; raises InvalidTokenError."""
        profile = installation_profile(self.issuer, self.installation_audience)
        return verify(token, self.sets["installation"], profile, now)

    def note_of(self, token: str, now: datetime) -> AppToken:
        """Return what is kept of an installation token that was just given to an app."""
        claims = self.read_installation_token(token, now)
        return AppToken(claims.token_id, claims.kid or "", now)

    def context_token(
        self,
        installation: Installation,
        subject: str,
        peer: str,
        audience: str,
        now: datetime,
        person: Mapping[str, object],
    ) -> str:
        """Return a token for one callee; `person` adds role and custom role of a user."""
        claims = (
            self._claims(audience, subject, installation, now, CONTEXT_LIFE) | {"peer": peer} | dict(person)
        )
        return self.signers["context"].sign(claims, CONTEXT_TYP)

    def read_context_token(self, token: str, audience: str, now: datetime) -> Claims:
        """Verify a context token; raises InvalidTokenError."""
        return verify(token, self.sets["context"], context_profile(self.issuer, audience), now)

    def is_context_token(self, token: str, now: datetime) -> bool:
        """Tell whether this is a living context token, for whatever callee."""
        for audience in CALLEES:
            with contextlib.suppress(InvalidTokenError):
                self.read_context_token(token, audience, now)
                return True
        return False

    def _claims(
        self, audience: str, subject: str, installation: Installation, now: datetime, life: timedelta
    ) -> dict[str, object]:
        issued = int(now.timestamp())
        return {
            "iss": self.issuer,
            "aud": audience,
            "sub": subject,
            "tid": installation.account,
            "ins": str(installation.installation_id),
            "gen": installation.generation,
            "jti": self.ids.new("tok"),
            "iat": issued,
            "exp": issued + int(life.total_seconds()),
        }
