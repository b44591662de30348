"""RevokeInstallation, RevokeSession, RevokeToken: raising the generation ends every token at once."""

from __future__ import annotations

from dataclasses import replace

from libs.crypto.errors import InvalidTokenError
from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId, account_name
from services.auth.app.ports import Store, Zendesk
from services.auth.app.roles import Roles
from services.auth.app.secrets_of import account_in, hash_of
from services.auth.app.token_keys import TokenKeys
from services.auth.app.zendesk_access import GetZendeskAccess
from services.auth.domain.errors import (
    NotAuthorizedError,
    ReauthorizationNeededError,
    TokenNotRevocableError,
)
from services.auth.domain.installation import Installation, InstallationState


class Revoke:
    """Ends installations, sessions and tokens."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        access: GetZendeskAccess,
        roles: Roles,
        keys: TokenKeys,
        clock: Clock,
        url_template: str,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._access = access
        self._roles = roles
        self._keys = keys
        self._clock = clock
        self._template = url_template

    async def installation(
        self, account: AccountId, actor: str, *, validate_only: bool = False
    ) -> Installation:
        """End our own tokens at once, then the grant at Zendesk, and only then destroy our copy of it.

        Raises:
            NotFoundError: no such account.
            DependencyUnavailableError: Zendesk does not answer. Tokens and sessions are dead, the grant is kept:
                call again.
        """
        async with self._store.transaction(account) as tx:
            found = await tx.installations.get()
        if found is None:
            raise NotFoundError("no such account", metadata={"name": account_name(account)})
        if validate_only or found.state is InstallationState.REVOKED:
            return found
        await self._raise_generation(account, actor)
        try:
            access = await self._access(account)
            await self._zendesk.revoke(self._template.format(subdomain=found.subdomain), access.token)
        except (NotAuthorizedError, ReauthorizationNeededError):
            pass  # nothing to revoke upstream
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            mine = await tx.installations.get(for_update=True) or found
            # Raised again: an authorisation that began meanwhile ends with it.
            ended = replace(mine, state=InstallationState.REVOKED, generation=mine.generation + 1)
            await tx.installations.put(ended)
            await tx.grants.delete()
            facts = {"generation": str(ended.generation)}
            await tx.audit.record(actor, "installation.revoked", "ok", facts, now)
        self._roles.forget(account)
        return ended

    async def _raise_generation(self, account: AccountId, actor: str) -> None:
        async with self._store.transaction(account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is not None:
                await tx.installations.put(replace(mine, generation=mine.generation + 1))
                facts = {"generation": str(mine.generation + 1)}
                await tx.audit.record(actor, "installation.tokens_revoked", "ok", facts, self._clock.now())

    async def session(self, token: str, actor: str) -> None:
        """End a session; an unknown one is no error."""
        account = account_in(token)
        if account is None:
            return
        async with self._store.transaction(account) as tx:
            installation = await tx.installations.get()
            if installation is None or await tx.sessions.get(hash_of(token)) is None:
                return
            await tx.sessions.delete(hash_of(token))
            # Told again, the generation ends what the edge has cached for this person.
            tx.announcements.generation(account, installation.generation)
            await tx.audit.record(actor, "session.revoked", "ok", {}, self._clock.now())

    async def token(self, token: str, actor: str) -> None:
        """Revoke what a token stands for (RFC 7009): a session, or all tokens and sessions of an installation.

        The app then holds a dead token, so the installation waits for its admin's button.

        Raises:
            TokenNotRevocableError: a living context token.
        """
        if account_in(token) is not None:
            await self.session(token, actor)
            return
        try:
            claims = self._keys.read_installation_token(token, self._clock.now())
        except InvalidTokenError:
            if self._keys.is_context_token(token, self._clock.now()):
                raise TokenNotRevocableError(
                    "a context token cannot be revoked by itself: it dies within a minute"
                ) from None
            return
        async with self._store.transaction(claims.account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is not None and claims.generation >= mine.generation:
                state = mine.state
                if state is InstallationState.AUTHORIZED:
                    state = InstallationState.NEEDS_REAUTHORIZATION
                ended = replace(mine, generation=mine.generation + 1, state=state)
                await tx.installations.put(ended)
                facts = {"generation": str(ended.generation)}
                await tx.audit.record(actor, "installation_token.revoked", "ok", facts, self._clock.now())
