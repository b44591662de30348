"""Programs that set agents' statuses and limits: each has a key of one account, and a budget (facts: assignment §2.7)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path

import grpc
from starlette.requests import Request
from starlette.responses import Response

from libs.kernel.clock import Clock
from libs.kernel.errors import InvalidRequestError, UnauthenticatedError
from libs.kernel.ids import AccountId
from services.edge.http.entries import by_key, key_hash_of, read_entries
from services.edge.http.errors import Handler, answers_problems, problem, problem_of
from services.edge.http.suite import Acting, suite_of

HEADER = "x-api-key"
PER_SECOND = 10
PER_DAY = 10_000
_SECOND = timedelta(seconds=1)
_NAME = re.compile(r"[0-9a-z-]{1,63}")


class UnprocessableError(InvalidRequestError):
    """The body is read, but what it asks for cannot be done (HTTP 422)."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A program that may set statuses and limits of one account's agents.

    Attributes:
        name: for operators.
        account: the only one that exists for it.
        key_hash: SHA-256 of its key; a key is 32 random bytes, which no salt makes stronger.
    """

    name: str
    account: AccountId
    key_hash: bytes


def read_api_keys(path: Path | None) -> list[ApiKey]:
    """Return the keys of a file: a JSON array of `{name, account, key_sha256}`.

    An account may have several: a new one beside the old one until everybody uses it.

    Raises:
        ValueError: it cannot be read; the message names the entry, never a hash.
    """
    found = read_entries(path, _key)
    if len({key.key_hash for key in found}) != len(found):
        raise ValueError(f"`{path}`: two entries have the same key")
    return found


def _key(entry: object, where: str) -> ApiKey:
    if not isinstance(entry, dict) or set(entry) != {"name", "account", "key_sha256"}:
        raise ValueError(f"{where}: is no object with name, account and key_sha256")
    for member in ("name", "account"):
        if not isinstance(entry[member], str) or not _NAME.fullmatch(entry[member]):
            raise ValueError(f"{where}: {member} must match {_NAME.pattern}")
    return ApiKey(entry["name"], AccountId(entry["account"]), key_hash_of(entry["key_sha256"], where))


@dataclass(slots=True)
class _Used:
    """What a key used: the instants of the last second, and how many on which day."""

    recent: deque[datetime] = field(default_factory=deque)
    day: int = 0
    today: int = 0


class KeyLimits:
    """Counts requests of keys: so many in any second, so many on a day (UTC). Refused ones do not count.

    In this process alone: with several replicas of the edge a key may do as often as much (the edge keeps no state).
    """

    def __init__(self, clock: Clock, per_second: int = PER_SECOND, per_day: int = PER_DAY) -> None:
        self._clock = clock
        self._per_second = per_second
        self._per_day = per_day
        self._used: dict[bytes, _Used] = {}

    def take(self, key: ApiKey) -> timedelta | None:
        """Count a request; return after how long one is possible again when it is not now."""
        now, used = self._clock.now(), self._used.setdefault(key.key_hash, _Used())
        # A clock that steps back must not lock anybody out until it has caught up.
        while used.recent and not timedelta(0) <= now - used.recent[0] < _SECOND:
            used.recent.popleft()
        if (day := now.astimezone(UTC).toordinal()) != used.day:
            used.day, used.today = day, 0
        if used.today >= self._per_day:
            begin = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return begin + timedelta(days=1) - now
        if len(used.recent) >= self._per_second:
            return used.recent[0] + _SECOND - now
        used.recent.append(now)
        used.today += 1
        return None


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Made once, from settings."""

    keys: Sequence[ApiKey]
    limits: KeyLimits


Keyed = Callable[[Request, ApiKey], Awaitable[Response]]


def answers_keys(handler: Keyed) -> Handler:
    """Let programs with a key in, as often as they may; answer what fails as problem documents.

    What a service finds wrong with a request is a 422 here: the body itself was read (400 when it was not).
    """

    @wraps(handler)
    async def wrapped(request: Request) -> Response:
        setup: ApiKeys = request.app.state.api_keys
        given = request.headers.getlist(HEADER)
        key = by_key(setup.keys, given[0]) if len(given) == 1 else None
        if key is None:
            answer = problem(401, UnauthenticatedError.reason, f"a key of this API is needed in `{HEADER}`")
            answer.headers["www-authenticate"] = f'ApiKey header="{HEADER}"'
            return answer
        if (wait := setup.limits.take(key)) is not None:
            said = f"at most {PER_SECOND} requests a second and {PER_DAY} a day"
            return problem(429, "RATE_LIMITED", said, retry_after_seconds=wait.total_seconds())
        try:
            return await handler(request, key)
        except UnprocessableError as error:
            fields = [{"field": v.field, "description": v.description} for v in error.violations]
            return problem(422, error.reason, error.message, fields=fields)
        except grpc.aio.AioRpcError as error:
            refused = error.code() is grpc.StatusCode.INVALID_ARGUMENT
            return problem_of(error, 422 if refused else None)

    return answers_problems(wrapped)


async def acting_with(request: Request, key: ApiKey) -> Acting:
    """Return a call to assignment on a key's account, in the edge's own name: with an admin's rights there."""
    return await suite_of(request).job(key.account, "assignment")
