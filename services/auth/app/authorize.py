"""BeginAuthorization, StartAuthorization, CompleteAuthorization: the OAuth code flow with PKCE."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.errors import UnauthenticatedError
from libs.kernel.ids import AccountId, IdSource
from services.auth.app.ports import Sealer, Store, TokenPair, Zendesk, ZendeskPerson
from services.auth.app.roles import Roles
from services.auth.app.secrets_of import account_in, hash_of, new_secret
from services.auth.app.token_keys import TokenKeys
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.authorization import LIFE, Authorization, authorize_url
from services.auth.domain.errors import AuthorizationRefusedError
from services.auth.domain.installation import Installation, InstallationState


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Our OAuth client at Zendesk.

    Attributes:
        scope: separated by blanks.
    """

    client_id: str
    client_secret: str
    redirect_uri: str
    scope: str


class Authorize:
    """The authorisation of an installation by an admin of its account."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        sealer: Sealer,
        access: GetZendeskAccess,
        roles: Roles,
        keys: TokenKeys,
        clock: Clock,
        ids: IdSource,
        client: OAuthClient,
        url_template: str,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._sealer = sealer
        self._access = access
        self._roles = roles
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._client = client
        self._template = url_template

    async def begin(self, session_token: str) -> tuple[str, datetime]:
        """Return a ticket that opens the popup once, and when it dies.

        Raises:
            UnauthenticatedError: the session is not alive.
        """
        account = account_in(session_token)
        if account is None:
            raise UnauthenticatedError("the session is not alive")
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            session = await tx.sessions.get(hash_of(session_token))
            installation = await tx.installations.get()
            if session is None or installation is None or not session.alive(now, installation.generation):
                raise UnauthenticatedError("the session is not alive")
            ticket, row = new_secret(account), self._ids.new("aut")
            verifier = secrets.token_urlsafe(48)
            sealed = await self._sealer.seal(
                account, "oauth", "authorizations", "verifier", row, verifier.encode()
            )
            await tx.authorizations.add(
                Authorization(account, row, hash_of(ticket), b"", sealed, session.user, now + LIFE)
            )
            await tx.audit.record(f"user:{session.user}", "authorization.begun", "ok", {"id": row}, now)
        return ticket, now + LIFE

    async def start(self, ticket: str) -> tuple[str, str]:
        """Return Zendesk's page and the value of the cookie that must come back.

        Raises:
            AuthorizationRefusedError: the ticket was used or is too old.
        """
        account = account_in(ticket)
        if account is None:
            raise _refused()
        state, cookie = new_secret(account), secrets.token_urlsafe(32)
        async with self._store.transaction(account) as tx:
            row = await tx.authorizations.by_ticket(hash_of(ticket))
            installation = await tx.installations.get()
            if (
                row is None
                or installation is None
                or row.cookie_hash is not None
                or self._clock.now() >= row.expires_at
            ):
                raise _refused()
            await tx.authorizations.put(replace(row, state_hash=hash_of(state), cookie_hash=hash_of(cookie)))
        verifier = await self._verifier(row)
        base = self._template.format(subdomain=installation.subdomain)
        client = self._client
        url = authorize_url(base, client.client_id, client.redirect_uri, client.scope, state, verifier)
        return url, cookie

    async def complete(self, state: str, code: str, error: str, cookie: str) -> Installation:
        """Exchange the code, check who gave it, keep the grant and give the app its token.

        Raises:
            AuthorizationRefusedError: denied, expired, reused, another browser, user or account, or no admin.
            ZendeskRefusedError: Zendesk refused the code or the setting.
        """
        row, installation = await self._spend(state, cookie)
        actor = f"user:{row.user}"
        if error or not code:
            await self._note(row.account, actor, "authorization.denied", error or "no_code")
            raise AuthorizationRefusedError(
                "the authorisation was denied", metadata={"error": error or "no_code"}
            )
        base = self._template.format(subdomain=installation.subdomain)
        pair = await self._zendesk.exchange_code(base, code, await self._verifier(row))
        person = await self._zendesk.myself(base, pair.access)
        if person is None or person.id != row.user or person.role != "admin":
            # A stranger's grant must never be bound to this account (login CSRF, confused deputy).
            await self._zendesk.revoke(base, pair.access)
            await self._note(row.account, actor, "authorization.mismatch", "refused")
            raise AuthorizationRefusedError("the authorisation was given by another user, or not by an admin")
        return await self._bind(installation, base, pair, person)

    async def _spend(self, state: str, cookie: str) -> tuple[Authorization, Installation]:
        account = account_in(state)
        if account is None:
            raise _refused()
        async with self._store.transaction(account) as tx:
            row = await tx.authorizations.by_state(hash_of(state))
            installation = await tx.installations.get()
            if (
                row is None
                or installation is None
                or row.used
                or row.cookie_hash is None
                or not hmac.compare_digest(row.cookie_hash, hash_of(cookie))
                or self._clock.now() >= row.expires_at
            ):
                raise _refused()
            await tx.authorizations.put(replace(row, used=True))
        return row, installation

    async def _bind(
        self, installation: Installation, base: str, pair: TokenPair, person: ZendeskPerson
    ) -> Installation:
        account, now = installation.account, self._clock.now()
        remote = await self._zendesk.installation(base, pair.access, installation.installation_id)

        async def contact(column: str, value: str) -> bytes:
            return await self._sealer.seal(
                account, "contact", "installations", column, account, value.encode()
            )

        name, email = await contact("contact_name", person.name), await contact("contact_email", person.email)
        async with self._store.transaction(account) as tx:
            old = await tx.grants.get()
            version = (old.version if old else 0) + 1
            grant = await self._access.seal_pair(account, version, pair, now)
            if not await tx.grants.replace(grant, expected_version=version - 1):
                raise AuthorizationRefusedError("another authorisation of this account came first")
            mine = await tx.installations.get(for_update=True) or installation
            bound = replace(
                mine,
                state=InstallationState.AUTHORIZED,
                enabled=remote.enabled,
                group_restrictions=remote.group_restrictions,
                role_restrictions=remote.role_restrictions,
                scopes=pair.scopes,
                admin=person.id,
                contact_name=name,
                contact_email=email,
                authorized_at=now,
            )
            await tx.installations.put(bound)
            facts = {"version": str(version)}
            await tx.audit.record(f"user:{person.id}", "authorization.completed", "ok", facts, now)
        self._roles.forget(account)
        token = self._keys.installation_token(bound, now)
        await self._zendesk.write_setting(base, pair.access, bound.installation_id, token)
        await self._note(account, "service:auth", "installation_token.issued", "ok")
        return bound

    async def _verifier(self, row: Authorization) -> str:
        return (
            await self._sealer.open(row.account, "oauth", "authorizations", "verifier", row.id, row.verifier)
        ).decode()

    async def _note(self, account: AccountId, actor: str, action: str, outcome: str) -> None:
        async with self._store.transaction(account) as tx:
            await tx.audit.record(actor, action, outcome, {}, self._clock.now())


def _refused() -> AuthorizationRefusedError:
    return AuthorizationRefusedError(
        "the authorisation expired, was used, or began in another browser; begin again"
    )
