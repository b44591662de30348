"""ExchangeContext: credentials in, a token for one callee out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from libs.crypto.errors import InvalidTokenError
from libs.kernel.clock import Clock
from libs.kernel.errors import (
    FieldViolation,
    InvalidRequestError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from libs.kernel.ids import AccountId
from services.auth.app.ports import Store
from services.auth.app.roles import Roles
from services.auth.app.secrets_of import account_in, hash_of
from services.auth.app.token_keys import CONTEXT_LIFE, TokenKeys
from services.auth.domain.installation import Installation, InstallationState

JOB_PEERS = frozenset({"edge", "assignment", "privacy", "policy", "ops"})
PERSON_PEERS = frozenset({"edge", "ops"})
_SEEN = 10_000


@dataclass(frozen=True, slots=True)
class Context:
    """A context token and what it says."""

    token: str = field(repr=False)
    expires_at: datetime
    account: AccountId
    subject: str
    role: str
    generation: int


class ExchangeContext:
    """Gives services the proof of for whom they act."""

    def __init__(self, store: Store, roles: Roles, keys: TokenKeys, clock: Clock) -> None:
        self._store = store
        self._roles = roles
        self._keys = keys
        self._clock = clock
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def of_person(
        self, installation_token: str, session_token: str, peer: str, audience: str
    ) -> Context:
        """Exchange both tokens of a person.

        Raises:
            UnauthenticatedError: one is dead, or they do not belong together.
            PermissionDeniedError: the peer may not speak for people.
        """
        if peer not in PERSON_PEERS:
            raise PermissionDeniedError("this peer may not speak for people")
        now = self._clock.now()
        try:
            claims = self._keys.read_installation_token(installation_token, now)
        except InvalidTokenError:
            raise _dead() from None  # one answer: nobody learns which of the two was wrong
        account = account_in(session_token)
        if account is None or account != claims.account:
            raise _dead()
        async with self._store.transaction(account) as tx:
            session = await tx.sessions.get(hash_of(session_token))
            installation = await tx.installations.get()
            if session is None or installation is None:
                raise _dead()
            same = claims.installation == str(installation.installation_id) == str(session.installation_id)
            if (
                not same
                or not session.alive(now, installation.generation)
                or claims.generation < installation.generation
            ):
                raise _dead()
            await tx.sessions.touch(session.token_hash, now)
            if claims.token_id not in self._seen:  # a renewal is done once the new token came back
                await tx.app_tokens.seen(claims.token_id, now)
        self._remember(claims.token_id)
        self._require_authorized(installation)
        person = await self._roles.of(installation, session.user)
        if person is None:
            raise _dead()
        said: dict[str, object] = {"role": person.role}
        if person.role == "agent" and person.custom_role_id is not None:
            said["custom_role_id"] = person.custom_role_id
        subject = f"user:{session.user}"
        token = self._keys.context_token(installation, subject, peer, audience, now, said)
        return Context(token, now + CONTEXT_LIFE, account, subject, person.role, installation.generation)

    def _remember(self, token_id: str) -> None:
        self._seen[token_id] = None
        while len(self._seen) > _SEEN:
            self._seen.popitem(last=False)

    async def of_job(self, account: AccountId, job: str, peer: str, audience: str) -> Context:
        """Give a service a token in its own name.

        Raises:
            PermissionDeniedError: the peer has no jobs.
            UnauthenticatedError: the account is unknown or revoked.
            InvalidRequestError: no job is named.
        """
        if peer not in JOB_PEERS:
            raise PermissionDeniedError("this peer may not act in its own name")
        if not job:
            fault = FieldViolation("job", "names what the service does in its own name")
            raise InvalidRequestError("a job must be named", violations=[fault])
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            installation = await tx.installations.get()
        if installation is None or installation.state is InstallationState.REVOKED:
            raise UnauthenticatedError("the account is unknown or revoked")
        subject = f"service:{peer}"
        token = self._keys.context_token(installation, subject, peer, audience, now, {})
        return Context(token, now + CONTEXT_LIFE, account, subject, "", installation.generation)

    @staticmethod
    def _require_authorized(installation: Installation) -> None:
        if installation.state is InstallationState.REVOKED:
            raise _dead()


def _dead() -> UnauthenticatedError:
    return UnauthenticatedError("the credentials are not valid")
