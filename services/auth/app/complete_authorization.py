"""CompleteAuthorization: what Zendesk's redirect brought becomes a grant and a token, or nothing at all."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from services.auth.app.adopt_account import AdoptAccount
from services.auth.app.authorize import OAuthClient
from services.auth.app.discard import discard
from services.auth.app.pairs import Pairs
from services.auth.app.ports import (
    GrantDeadError,
    RemoteInstallation,
    Sealer,
    Store,
    TokenPair,
    Zendesk,
    ZendeskPerson,
)
from services.auth.app.roles import Roles
from services.auth.app.secrets_of import account_in, hash_of
from services.auth.app.token_keys import TokenKeys
from services.auth.app.verifiers import open_verifier
from services.auth.domain.authorization import Authorization, denial, refused
from services.auth.domain.errors import AuthorizationRefusedError, ReauthorizationNeededError
from services.auth.domain.grant import Grant, GrantState
from services.auth.domain.installation import Installation, InstallationState


class CompleteAuthorization:
    """Spends the state, exchanges the code, checks who gave it, keeps the grant and gives the app its token."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        sealer: Sealer,
        pairs: Pairs,
        roles: Roles,
        adopt: AdoptAccount,
        keys: TokenKeys,
        clock: Clock,
        client: OAuthClient,
        url_template: str,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._sealer = sealer
        self._pairs = pairs
        self._roles = roles
        self._adopt = adopt
        self._keys = keys
        self._clock = clock
        self._client = client
        self._template = url_template
        self._under_way: set[asyncio.Task[Installation]] = set()

    async def __call__(self, state: str, code: str, error: str, cookie: str) -> Installation:
        """Return the installation as it is once the app has its token.

        Raises:
            AuthorizationRefusedError: denied, expired, reused, another browser, user or account, no admin, or
                other scopes than asked for.
            ZendeskRefusedError: Zendesk refused the code or the setting.
            DependencyUnavailableError: Zendesk does not answer.
        """
        row, installation = await self._spend(state, cookie)
        if error or not code:
            why = denial(error) if error else "no_code"
            await self._note(row.account, f"user:{row.user}", "authorization.denied", why)
            raise AuthorizationRefusedError("the authorisation was denied", metadata={"error": why})
        # A task of its own: a caller who gives up must not leave a living pair that nobody keeps.
        task = asyncio.create_task(self._finish(row, installation, code))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Installation]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller, if there still is one

    async def drain(self) -> None:
        """Wait for authorisations under way."""
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    async def _spend(self, state: str, cookie: str) -> tuple[Authorization, Installation]:
        """Use the state up; INVARIANT: committed before anything is sent."""
        account = account_in(state)
        if account is None:
            raise refused()
        async with self._store.transaction(account) as tx:
            row = await tx.authorizations.by_state(hash_of(state))
            installation = await tx.installations.get()
            if (
                row is None
                or installation is None
                or row.cookie_hash is None
                or not hmac.compare_digest(row.cookie_hash, hash_of(cookie))
                or not row.open_at(self._clock.now(), installation.generation)
            ):
                raise refused()
            await tx.authorizations.put(replace(row, used=True))
        return row, installation

    async def _finish(self, row: Authorization, installation: Installation, code: str) -> Installation:
        base = self._template.format(subdomain=installation.subdomain)
        pair = await self._zendesk.exchange_code(base, code, await open_verifier(self._sealer, row))
        try:
            person = await self._prove(row, base, pair)
            installation = await self._adopt(installation, base, pair.access)
            row = replace(row, account=installation.account, generation=self._generation(row, installation))
            bound, old = await self._bind(row, installation, base, pair, person)
        except BaseException:
            await discard(self._zendesk, base, pair.access)
            raise
        self._roles.forget(row.account)
        await self._end(base, old)
        return await self._give_token(base, bound, pair.access)

    async def _prove(self, row: Authorization, base: str, pair: TokenPair) -> ZendeskPerson:
        """Check whose grant it is: a stranger's must never be bound to this account (login CSRF, confused deputy)."""
        person = await self._zendesk.myself(base, pair.access)
        # Zendesk takes unknown scopes and gives a token good for nothing; an answer without scopes gave what
        # was asked for (RFC 6749 §5.1).
        if pair.scopes and set(pair.scopes) != set(self._client.scope.split()):
            why = "scopes"
        elif person is None or person.id != row.user:
            why = "another_user"
        elif person.role != "admin" or not person.active:
            why = "not_an_admin"
        else:
            return person
        await self._note(row.account, f"user:{row.user}", "authorization.mismatch", why)
        raise AuthorizationRefusedError(
            "the authorisation was given by another user, not by an admin, or not in full"
        )

    async def _bind(
        self,
        row: Authorization,
        installation: Installation,
        base: str,
        pair: TokenPair,
        person: ZendeskPerson,
    ) -> tuple[Installation, Grant | None]:
        account, now = row.account, self._clock.now()
        remote = await self._remote(base, pair, installation)
        name = await self._contact(account, "contact_name", person.name)
        email = await self._contact(account, "contact_email", person.email)
        while True:
            async with self._store.transaction(account) as tx:
                old = await tx.grants.get()
            version = old.version if old else 0
            grant = await self._pairs.seal(account, version + 1, pair, now)
            async with self._store.transaction(account) as tx:
                mine = await tx.installations.get(for_update=True)
                if mine is None or mine.generation != row.generation:
                    raise refused()  # revoked while the admin was confirming
                if not await tx.grants.replace(grant, expected_version=version):
                    continue  # a refresh of the old grant came first: this one is newer all the same
                bound = replace(
                    mine,
                    state=InstallationState.NEEDS_REAUTHORIZATION,
                    enabled=remote.enabled,
                    group_restrictions=remote.group_restrictions,
                    role_restrictions=remote.role_restrictions,
                    scopes=pair.scopes or tuple(self._client.scope.split()),
                    admin=person.id,
                    contact_name=name,
                    contact_email=email,
                    authorized_at=now,
                    checked_at=now,
                    gone_since=None,
                )
                await tx.installations.put(bound)
                facts = {"version": str(grant.version)}
                await tx.audit.record(f"user:{person.id}", "authorization.completed", "ok", facts, now)
            return bound, old

    @staticmethod
    def _generation(row: Authorization, installation: Installation) -> int:
        """Return the generation at which the grant may be bound: an adopted account has its own."""
        return row.generation if row.account == installation.account else installation.generation

    async def _remote(self, base: str, pair: TokenPair, installation: Installation) -> RemoteInstallation:
        try:
            remote = await self._zendesk.installation(base, pair.access, installation.installation_id)
        except GrantDeadError:
            raise refused() from None
        if remote is None:
            raise AuthorizationRefusedError("the app was removed while the access was being granted")
        return remote

    async def _contact(self, account: AccountId, column: str, value: str) -> bytes:
        return await self._sealer.seal(account, "contact", "installations", column, account, value.encode())

    async def _end(self, base: str, old: Grant | None) -> None:
        """Revoke the pair that was replaced; one that cannot be opened any more stops nobody from authorising anew."""
        if old is None or old.state is GrantState.REVOKED:
            return
        with contextlib.suppress(ReauthorizationNeededError):
            await discard(self._zendesk, base, await self._pairs.access(old))

    async def _give_token(self, base: str, bound: Installation, access: str) -> Installation:
        """Write the app's token; INVARIANT: AUTHORIZED is committed after it, so a crash leaves the page's button."""
        account, now = bound.account, self._clock.now()
        token = self._keys.installation_token(bound, now)
        try:
            await self._zendesk.write_setting(base, access, bound.installation_id, token)
        except SetlistError:
            await self._note(account, "service:auth", "installation_token.issued", "failed")
            raise
        async with self._store.transaction(account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is None or mine.generation != bound.generation:
                raise refused()
            done = replace(mine, state=InstallationState.AUTHORIZED)
            await tx.installations.put(done)
            await tx.app_tokens.put(self._keys.note_of(token, now))
            await tx.audit.record("service:auth", "installation_token.issued", "ok", {}, now)
        return done

    async def _note(self, account: AccountId, actor: str, action: str, outcome: str) -> None:
        async with self._store.transaction(account) as tx:
            await tx.audit.record(actor, action, outcome, {}, self._clock.now())
