"""BeginAuthorization and StartAuthorization: how the OAuth code flow with PKCE sets out."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.errors import UnauthenticatedError
from libs.kernel.ids import IdSource
from services.auth.app.ports import Sealer, Store, Transaction
from services.auth.app.secrets_of import account_in, hash_of, new_secret
from services.auth.app.verifiers import open_verifier, seal_verifier
from services.auth.domain.authorization import LIFE, Authorization, authorize_url, refused
from services.auth.domain.session import Session


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Our OAuth client at Zendesk.

    Attributes:
        scope: separated by blanks.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scope: str


class Authorize:
    """An authorisation of an installation, from the page's button to Zendesk's page."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        clock: Clock,
        ids: IdSource,
        client: OAuthClient,
        url_template: str,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._client = client
        self._template = url_template

    async def begin(self, session_token: str) -> tuple[str, datetime]:
        """Return a ticket that opens the popup once, and when it dies.

        Raises:
            UnauthenticatedError: the session is not alive.
        """
        account, now = account_in(session_token), self._clock.now()
        if account is None:
            raise _dead()
        async with self._store.transaction(account) as tx:
            session = await self._living(tx, session_token)
        ticket, row = new_secret(account), self._ids.new("aut")
        # Sealed outside of the transaction (it may need one of its own), and only for an account that is there.
        verifier = await seal_verifier(self._sealer, account, row, secrets.token_urlsafe(48))
        ends = now + LIFE
        async with self._store.transaction(account) as tx:
            await tx.authorizations.add(
                Authorization(
                    account, row, hash_of(ticket), b"", verifier, session.user, session.generation, ends
                )
            )
            await tx.audit.record(f"user:{session.user}", "authorization.begun", "ok", {"id": row}, now)
        return ticket, ends

    async def _living(self, tx: Transaction, session_token: str) -> Session:
        session = await tx.sessions.get(hash_of(session_token))
        installation = await tx.installations.get()
        if (
            session is None
            or installation is None
            or not session.alive(self._clock.now(), installation.generation)
        ):
            raise _dead()
        return session

    async def start(self, ticket: str) -> tuple[str, str]:
        """Return Zendesk's page and the value of the cookie that must come back.

        Raises:
            AuthorizationRefusedError: the ticket was used or is too old.
        """
        account = account_in(ticket)
        if account is None:
            raise refused()
        state, cookie = new_secret(account), secrets.token_urlsafe(32)
        async with self._store.transaction(account) as tx:
            row = await tx.authorizations.by_ticket(hash_of(ticket))
            installation = await tx.installations.get()
            if (
                row is None
                or installation is None
                or row.cookie_hash is not None
                or not row.open_at(self._clock.now(), installation.generation)
            ):
                raise refused()
            await tx.authorizations.put(replace(row, state_hash=hash_of(state), cookie_hash=hash_of(cookie)))
        verifier = await open_verifier(self._sealer, row)
        base = self._template.format(subdomain=installation.subdomain)
        client = self._client
        url = authorize_url(base, client.client_id, client.redirect_uri, client.scope, state, verifier)
        return url, cookie


def _dead() -> UnauthenticatedError:
    return UnauthenticatedError("the session is not alive")
