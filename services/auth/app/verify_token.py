"""VerifyToken: introspection with RFC 7662 semantics: anything not alive is just not active."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.crypto.errors import InvalidTokenError
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.auth.app.ports import Store
from services.auth.app.secrets_of import account_in, hash_of
from services.auth.app.token_keys import TokenKeys
from services.auth.domain.installation import InstallationState


@dataclass(frozen=True, slots=True)
class LivingToken:
    """What a living token says."""

    kind: str
    subject: str
    audience: str
    account: AccountId
    installation: str
    token_id: str
    issued_at: datetime
    expires_at: datetime


class VerifyToken:
    """Tells whether a token is alive."""

    def __init__(self, store: Store, keys: TokenKeys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def __call__(self, token: str) -> LivingToken | None:
        """Return what the token says, None when it is not alive for whatever cause."""
        if account_in(token) is not None:
            return await self._session(token)
        try:
            claims = self._keys.read_installation_token(token, self._clock.now())
        except InvalidTokenError:
            return None
        async with self._store.transaction(claims.account) as tx:
            installation = await tx.installations.get()
        if (
            installation is None
            or installation.state is InstallationState.REVOKED
            or claims.generation < installation.generation
            or claims.installation != str(installation.installation_id)
        ):
            return None
        return LivingToken(
            "installation",
            claims.subject,
            claims.audience,
            claims.account,
            claims.installation,
            claims.token_id,
            claims.issued_at,
            claims.expires_at,
        )

    async def _session(self, token: str) -> LivingToken | None:
        account = account_in(token)
        if account is None:
            return None
        async with self._store.transaction(account) as tx:
            session = await tx.sessions.get(hash_of(token))
            installation = await tx.installations.get()
        if (
            session is None
            or installation is None
            or not session.alive(self._clock.now(), installation.generation)
        ):
            return None
        return LivingToken(
            "session",
            f"user:{session.user}",
            self._keys.issuer,
            account,
            str(session.installation_id),
            "",
            session.opened_at,
            session.ends_at,
        )
