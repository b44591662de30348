"""OpenSession: a person, proven by Zendesk's signed URL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from libs.crypto.errors import InvalidTokenError
from libs.crypto.keys import KeySet
from libs.crypto.signature import verify_signature
from libs.crypto.token_text import parse_object
from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId, IdSource, UserId
from services.auth.app.ports import Store
from services.auth.app.roles import Roles
from services.auth.app.secrets_of import hash_of, new_secret
from services.auth.domain.errors import NotAuthorizedError, ReauthorizationNeededError
from services.auth.domain.installation import Installation, InstallationState
from services.auth.domain.session import Session
from services.auth.domain.signed_url import SignedUrl, read_signed_url, refused

_MAX_BYTES = 8192


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """What the page gets.

    Attributes:
        role: of the person, empty while there is no grant to ask Zendesk under, or no answer.
    """

    token: str = field(repr=False)
    session: Session
    installation: Installation
    role: str


class OpenSession:
    """Verifies a signed URL once and opens a session for its user.

    Args:
        app_keys: Zendesk's public key of each of our apps, by app id.
    """

    def __init__(
        self, store: Store, roles: Roles, clock: Clock, ids: IdSource, app_keys: Mapping[int, KeySet]
    ) -> None:
        self._store = store
        self._roles = roles
        self._clock = clock
        self._ids = ids
        self._app_keys = app_keys

    async def __call__(self, signed_url_token: str, origin: str) -> OpenedSession:
        """Open a session.

        Raises:
            SignedUrlRefusedError: signature, claims or age are wrong, or the URL was used before.
        """
        now = self._clock.now()
        app_id, url, signing_input = self._verify(signed_url_token, origin)
        # INVARIANT: the URL is spent before anything is made from it.
        if not await self._store.use_once(hashlib.sha256(signing_input).digest(), url.usable_until):
            raise refused()
        installation = await self._store.bind(
            Installation(AccountId(self._ids.new("acc")), app_id, url.installation_id, url.subdomain, now)
        )
        token = new_secret(installation.account)
        session = Session(
            installation.account,
            hash_of(token),
            url.installation_id,
            url.user,
            installation.generation,
            opened_at=now,
            seen_at=now,
        )
        async with self._store.transaction(installation.account) as tx:
            await tx.sessions.add(session)
            await tx.audit.record(f"user:{url.user}", "session.opened", "ok", {}, now)
        return OpenedSession(token, session, installation, await self._role(installation, url.user))

    async def _role(self, installation: Installation, user: UserId) -> str:
        """Return the role to show; what a person may do is asked again at every exchange."""
        if installation.state is not InstallationState.AUTHORIZED:
            return ""
        try:
            person = await self._roles.of(installation, user)
        except (NotAuthorizedError, ReauthorizationNeededError, DependencyUnavailableError):
            return ""  # the URL is spent: without a session the page could not even offer a new authorisation
        return person.role if person else ""

    def _verify(self, token: str, origin: str) -> tuple[int, SignedUrl, bytes]:
        for app_id, keys in self._app_keys.items():
            try:
                signed = verify_signature(token, keys, frozenset({"RS256"}), max_bytes=_MAX_BYTES, own=False)
                claims = parse_object(signed.payload)
            except InvalidTokenError:
                continue
            return (
                app_id,
                read_signed_url(claims, origin, self._clock.now()),
                token.rpartition(".")[0].encode(),
            )
        raise refused()
