"""Zendesk in memory: an OAuth provider that rotates refresh tokens, and the few resources that auth reads."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import UserId
from services.auth.app.authorize import OAuthClient
from services.auth.app.ports import (
    GrantDeadError,
    RefreshLostError,
    RemoteInstallation,
    TokenPair,
    ZendeskPerson,
)
from services.auth.domain.authorization import code_challenge
from services.auth.domain.errors import AccountGoneError, ZendeskRefusedError

CODE_LIFE = timedelta(seconds=120)
ACCESS_SECONDS = 1800
REFRESH_SECONDS = 2_592_000


class Fault(StrEnum):
    """What goes wrong with one refresh."""

    NOT_SENT = "not_sent"
    """The connection is refused: it certainly did not happen."""
    LOST_REQUEST = "lost_request"
    """The connection dies before Zendesk acts; the caller cannot know."""
    LOST_ANSWER = "lost_answer"
    """Zendesk rotates, then the connection dies; the caller cannot know."""


@dataclass(frozen=True, slots=True)
class _Code:
    base: str
    user: UserId
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    dies_at: datetime


@dataclass(frozen=True, slots=True)
class _Token:
    base: str
    user: UserId
    scopes: tuple[str, ...]
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    access_until: datetime
    refresh_until: datetime


class MemoryZendesk:
    """Implements the port `Zendesk` for any number of accounts, told apart by their address.

    Args:
        clock: lives of codes and tokens.
        client: the only registered client.
        people: users of every account.

    Attributes:
        faults: what happens to the next refreshes, in this order.
        away: nothing answers.
        granted: scopes that tokens get instead of those asked for; None = as asked.
        gate: a refresh waits for it before Zendesk acts.
        reached: set once a refresh waits or acts.
        refreshes: refresh calls that reached Zendesk.
        probes: questions whether a token is alive.
        settings: (address, installation) -> token that the app was given.
        setting_refused: writing it is refused.
        shown: what Zendesk tells of every installation.
        uninstalled: (address, installation) that is not there any more.
        closed: addresses of accounts that are not there any more.
    """

    def __init__(self, clock: Clock, client: OAuthClient, people: Iterable[ZendeskPerson]) -> None:
        self._clock = clock
        self._client = client
        self.people = {person.id: person for person in people}
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, _Token] = {}
        self.faults: list[Fault] = []
        self.away = False
        self.granted: tuple[str, ...] | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.refreshes = 0
        self.probes = 0
        self.settings: dict[tuple[str, int], str] = {}
        self.setting_refused = False
        self.shown = RemoteInstallation(True, (), ())
        self.uninstalled: set[tuple[str, int]] = set()
        self.closed: set[str] = set()

    # What a browser does.

    def confirm(self, authorize_url: str, user: UserId) -> tuple[str, str]:
        """Confirm on Zendesk's page as `user`; return the redirect's `code` and `state`.

        Raises:
            ValueError: the page would not be shown: client, redirect address or challenge are wrong.
        """
        address = urlsplit(authorize_url)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if (
            address.path != "/oauth/authorizations/new"
            or query.get("response_type") != "code"
            or query.get("client_id") != self._client.client_id
            or query.get("redirect_uri") != self._client.redirect_uri
            or query.get("code_challenge_method") != "S256"
        ):
            raise ValueError("Zendesk does not show this page")
        code = secrets.token_hex(24)
        self._codes[code] = _Code(
            f"{address.scheme}://{address.netloc}",
            user,
            query["redirect_uri"],
            query["code_challenge"],
            tuple(query["scope"].split()),
            self._clock.now() + CODE_LIFE,
        )
        return code, query["state"]

    def living(self, base: str) -> set[str]:
        """Return the access tokens that work for an account."""
        now = self._clock.now()
        return {a for a, t in self._tokens.items() if t.base == base and now < t.access_until}

    def kill(self, base: str) -> None:
        """Revoke every token of an account, as an admin does in Zendesk."""
        self._tokens = {a: t for a, t in self._tokens.items() if t.base != base}

    def kill_access(self, base: str) -> None:
        """End every access token of an account; the refresh tokens stay good."""
        now = self._clock.now()
        for access, token in self._tokens.items():
            if token.base == base:
                self._tokens[access] = replace(token, access_until=now)

    # The port.

    async def exchange_code(self, base: str, code: str, verifier: str) -> TokenPair:
        self._answer()
        found = self._codes.pop(code, None)
        if (
            found is None
            or found.base != base
            or self._clock.now() >= found.dies_at
            or found.redirect_uri != self._client.redirect_uri
            or found.challenge != code_challenge(verifier)
        ):
            raise ZendeskRefusedError("Zendesk refused the authorisation code", metadata={"status": "400"})
        return self._issue(base, found.user, found.scopes if self.granted is None else self.granted)

    async def refresh(self, base: str, refresh_token: str) -> TokenPair:
        fault = self.faults.pop(0) if self.faults else None
        if self.away or fault is Fault.NOT_SENT:
            raise _away()
        if base in self.closed:
            raise AccountGoneError("Zendesk has no such account")
        self.refreshes += 1
        self.reached.set()
        await self.gate.wait()
        if fault is Fault.LOST_REQUEST:
            raise RefreshLostError
        old = next((t for t in self._tokens.values() if (t.base, t.refresh) == (base, refresh_token)), None)
        if old is None or self._clock.now() >= old.refresh_until:
            raise GrantDeadError
        del self._tokens[old.access]  # the old pair is dead at once
        pair = self._issue(base, old.user, old.scopes)
        if fault is Fault.LOST_ANSWER:
            raise RefreshLostError
        return pair

    async def alive(self, base: str, access: str) -> bool:
        self._answer()
        self.probes += 1
        return self._token(base, access) is not None

    async def myself(self, base: str, access: str) -> ZendeskPerson | None:
        self._answer()
        token = self._token(base, access)
        return None if token is None else self.people.get(token.user)

    async def person(self, base: str, access: str, user: UserId) -> ZendeskPerson | None:
        self._answer()
        if self._token(base, access) is None:
            raise GrantDeadError
        return self.people.get(user)

    async def installation(self, base: str, access: str, installation_id: int) -> RemoteInstallation | None:
        self._answer()
        if base in self.closed:
            return None
        if self._token(base, access) is None:
            raise GrantDeadError
        if (base, installation_id) in self.uninstalled:
            return None
        return self.shown

    async def write_setting(self, base: str, access: str, installation_id: int, token: str) -> None:
        self._answer()
        self._require(base, access)
        if self.setting_refused:
            raise ZendeskRefusedError("Zendesk refused the setting", metadata={"status": "403"})
        self.settings[base, installation_id] = token

    async def revoke(self, base: str, access: str) -> None:
        self._answer()
        if self._token(base, access) is not None:
            del self._tokens[access]

    def _answer(self) -> None:
        if self.away:
            raise _away()

    def _token(self, base: str, access: str) -> _Token | None:
        found = self._tokens.get(access)
        return found if found and found.base == base and self._clock.now() < found.access_until else None

    def _require(self, base: str, access: str) -> None:
        if self._token(base, access) is None:
            raise ZendeskRefusedError("Zendesk refused the token", metadata={"status": "401"})

    def _issue(self, base: str, user: UserId, scopes: tuple[str, ...]) -> TokenPair:
        now = self._clock.now()
        token = _Token(
            base,
            user,
            scopes,
            secrets.token_hex(32),
            secrets.token_hex(32),
            now + timedelta(seconds=ACCESS_SECONDS),
            now + timedelta(seconds=REFRESH_SECONDS),
        )
        self._tokens[token.access] = token
        return TokenPair(token.access, token.refresh, ACCESS_SECONDS, REFRESH_SECONDS, scopes)

    def change(self, user: UserId, **changes: object) -> None:
        """Change a person, e.g. his role."""
        self.people[user] = replace(self.people[user], **changes)  # type: ignore[arg-type]  # fields of a person


def _away() -> DependencyUnavailableError:
    return DependencyUnavailableError("Zendesk does not answer", metadata={"service": "zendesk"})
