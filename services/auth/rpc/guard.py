"""In front of every unary method: how often a peer and an account may call, and a count of every refusal."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from libs.kernel.errors import ErrorKind, OverloadedError, SetlistError
from libs.kernel.ids import AccountId, account_of
from libs.rpc.identity import current_caller
from services.auth.app.secrets_of import account_in, hash_of
from services.auth.app.tally import Occurrence, Tally
from services.auth.domain.limits import Buckets
from services.auth.rpc.peers import AUTH
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

FAILURES_PER_MINUTE = 20
"""Refused secrets of one account through one peer (facts: auth §6), after which only proven ones are looked at."""
_PROVEN = 10_000
_REFUSALS = frozenset({ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN, ErrorKind.WRONG_STATE})
_SECRETS = ("session_token", "ticket", "state", "token")
_HANDED_OUT = "GetZendeskAccess"
Method = Callable[[Any, Any], Awaitable[Any]]


class Guard:
    """Admits calls.

    Args:
        peer_per_second: calls of one service.
        account_per_second: calls of one service that concern one account.
    """

    def __init__(self, tally: Tally, *, peer_per_second: float, account_per_second: float) -> None:
        self._tally = tally
        self._peers = Buckets(peer_per_second, 2 * peer_per_second)
        self._accounts = Buckets(account_per_second, 2 * account_per_second)
        self._failures = Buckets(FAILURES_PER_MINUTE / 60, FAILURES_PER_MINUTE)
        self._proven: OrderedDict[bytes, None] = OrderedDict()

    async def call(self, name: str, method: Method, request: Any, context: Any) -> Any:
        """Call a method unless there were too many calls; count its refusal.

        Raises:
            OverloadedError: too many calls of this peer or for this account, or too many wrong secrets.
        """
        peer, now = current_caller().peer, asyncio.get_running_loop().time()
        secret = _secret(request)
        account = _account(request, secret)
        self._admit(peer, account, secret, now)
        try:
            answer = await method(request, context)
        except SetlistError as error:
            if error.kind in _REFUSALS:
                if secret:
                    self._failures.take((peer, account), now)
                self._tally.note(Occurrence(account, peer, "refused", error.reason, name))
            raise
        if name == _HANDED_OUT:
            self._tally.note(Occurrence(account, peer, "zendesk_access.handed_out", "ok", ""))
        if session := getattr(request, "session_token", ""):
            self._remember(hash_of(session))
        return answer

    def _admit(self, peer: str, account: AccountId | None, secret: str, now: float) -> None:
        wait = self._peers.take(peer, now)
        if not wait and account is not None:
            wait = self._accounts.take((peer, account), now)
        if not wait and secret and account is not None and self._failures.empty((peer, account), now):
            # A session that was good a moment ago is let through: whoever guesses must not lock others out.
            wait = 0.0 if hash_of(secret) in self._proven else 60 / FAILURES_PER_MINUTE
        if wait:
            raise OverloadedError("too many calls", retry_after_seconds=max(wait, 0.1))

    def _remember(self, proven: bytes) -> None:
        self._proven[proven] = None
        self._proven.move_to_end(proven)
        if len(self._proven) > _PROVEN:
            self._proven.popitem(last=False)


def _secret(request: Any) -> str:
    given = (getattr(request, name, "") for name in _SECRETS)
    # Elsewhere `state` is the one of an installation, an enumeration.
    return next((value for value in given if value and isinstance(value, str)), "")


def _account(request: Any, secret: str) -> AccountId | None:
    named = getattr(request, "account", "") or getattr(request, "parent", "")
    return account_of(named) if named else account_in(secret)


def guarded(servicer: AuthServiceServicer, guard: Guard) -> AuthServiceServicer:
    """Return the servicer with the guard in front of every method with one answer; streams go past it."""
    for method in AUTH.methods:
        if not method.server_streaming:
            behind = getattr(servicer, method.name)
            setattr(servicer, method.name, functools.partial(guard.call, method.name, behind))
    return servicer
