"""One call to Zendesk: token, budget, retries of what is safe, errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import httpx2

from libs.kernel.clock import Clock, SystemClock
from libs.rpc.deadlines import remaining_seconds
from libs.zendesk.answers import Json, read_answer, require_whole, shaped
from libs.zendesk.budget import ASK_AGAIN_SECONDS, Budget
from libs.zendesk.errors import (
    InvalidTokenError,
    RecordNotFoundError,
    TooManyJobsError,
    TooManyRequestsError,
    ZendeskError,
    ZendeskUnavailableError,
)
from libs.zendesk.limits import Charge, charges_of
from libs.zendesk.tokens import TokenSupply

T = TypeVar("T")
Params = Mapping[str, str | int]

ATTEMPTS = 5
"""How often a call is sent whose outcome is unknown and which may be repeated."""
REFUSALS = 10
"""How often a call is sent that Zendesk answered 429 to, if patience lasts so long."""
SHORTEST_SLICE_SECONDS = 0.01
"""Waiting for a clock of another resolution must not become spinning."""
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take.

    Attributes:
        total_seconds: spent waiting for budget and between attempts; by default the rest of any window of a
            minute. A call to us that ends earlier (its
            gRPC deadline) ends the call to Zendesk with it.
        attempt_seconds: one attempt as a whole, a body that drips in included.
    """

    total_seconds: float = 65.0
    attempt_seconds: float = 30.0


@dataclass(slots=True)
class _Call:
    """One call on its way through its attempts."""

    route: str
    charges: tuple[Charge, ...]
    request: httpx2.Request
    repeatable: bool
    unknown: int = 0
    unsent: int = 0
    refused: int = 0
    waited: float = 0.0
    dead_token: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Transport:
    """Sends requests for one account.

    What Zendesk certainly did not carry out (429, 401, no connection) is sent again, whatever it was. What it
    may have carried out (5xx, time-out, cut connection, unreadable body) is sent again only if repeating does
    no harm: GET, a call that its caller calls idempotent, a creation with an idempotency key.

    Args:
        base_url: e.g. `https://acme.zendesk.com`.
        tokens: supply of access tokens.
        http: the connection pool; closed by its owner.
        budget: of the account.
        clock: business time.
        patience: how long calls may take.
        sleep: waits for some seconds; tests move their clock instead.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSupply,
        http: httpx2.AsyncClient,
        budget: Budget | None = None,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._tokens = tokens
        self._http = http
        self.clock = clock or SystemClock()
        self._budget = budget or Budget(clock=self.clock)
        self._patience = patience or Patience()
        self.sleep = sleep

    async def fetch(
        self,
        method: str,
        template: str,
        member: str,
        read: Callable[[Json], T],
        ids: Mapping[str, object] | None = None,
        *,
        params: Params | None = None,
        body: object = None,
        idempotent: bool = False,
        cost: int = 1,
    ) -> T:
        """Send one request and read the object that its answer holds.

        Args:
            member: under which the object stands.
            read: makes what we keep of it.

        Raises:
            ZendeskError: as `call`; `ZendeskUnavailableError` also for an answer of another shape.
        """
        answer = await self.call(
            method, template, ids, params=params, body=body, idempotent=idempotent, cost=cost
        )
        return shaped(f"{method} {template}", lambda: read(answer[member]))

    async def fetch_list(
        self,
        template: str,
        member: str,
        read: Callable[[Json], T],
        ids: Mapping[str, object] | None = None,
        *,
        params: Params | None = None,
    ) -> list[T]:
        """Get one page and read its rows; for lists that come whole."""
        answer = await self.call("GET", template, ids, params=params)
        require_whole(f"GET {template}", answer)
        return shaped(f"GET {template}", lambda: [read(row) for row in answer[member]])

    async def call(
        self,
        method: str,
        template: str,
        ids: Mapping[str, object] | None = None,
        *,
        params: Params | None = None,
        body: object = None,
        idempotent: bool = False,
        idempotency_key: str | None = None,
        cost: int = 1,
    ) -> Json:
        """Send one request and return its JSON object (empty for 204).

        Args:
            method: HTTP method.
            template: path under `/api/v2/` with `{id}` places, used in errors and traces.
            ids: values of those places.
            params: query.
            body: JSON body.
            idempotent: whether repeating the call after an unknown outcome does no harm. A repeated DELETE
                that finds nothing any more has been carried out.
            idempotency_key: sent as `Idempotency-Key`; Zendesk keeps the answer for 2 h. `POST tickets` only.
            cost: how many calls of the endpoint's limit it may count as.

        Raises:
            ZendeskError: a subclass per status; see `libs.zendesk.errors`.
        """
        path = template.format_map({k: quote(str(v), safe="") for k, v in (ids or {}).items()})
        call = _Call(
            route=f"{method} {template}",
            charges=charges_of(method, template, ids, cost),
            request=self._http.build_request(
                method,
                f"{self._base}/api/v2/{path}",
                params=dict(params) if params else None,
                json=body,
                headers={"idempotency-key": idempotency_key} if idempotency_key else None,
            ),
            repeatable=idempotent or method in _SAFE or idempotency_key is not None,
        )
        try:
            while True:
                answer = await self._attempt(call)
                if answer is not None:
                    return answer
        except ZendeskError as error:
            if call.unknown:
                error.done = None  # the last attempt was refused, an earlier one may have been carried out
            raise

    async def _attempt(self, call: _Call) -> Json | None:
        """Send once and return the answer; None = send again."""
        while wait := await self._budget.take(call.route, call.charges):
            if not await self._pause(call, wait, slice_seconds=ASK_AGAIN_SECONDS):
                raise TooManyRequestsError(call.route, 429, "BudgetSpent", retry_after_seconds=wait)
        access = await self._tokens.access(call.dead_token)
        call.request.headers["authorization"] = f"Bearer {access.token}"
        try:
            return await self._send(call)
        except InvalidTokenError:
            if call.dead_token is not None:
                raise
            call.dead_token = access.version
        except RecordNotFoundError:
            if call.unknown and call.request.method == "DELETE":
                return {}
            raise
        except TooManyRequestsError as error:
            await self._refused(call, error)
        except ZendeskUnavailableError as error:
            await self._unavailable(call, error)
        return None

    async def _refused(self, call: _Call, error: TooManyRequestsError) -> None:
        call.refused += 1
        said = error.retry_after_seconds
        seconds = 2.0**call.refused if said is None else said
        if call.refused > ATTEMPTS:  # told to come back at once, and refused again and again
            seconds = max(seconds, 0.1 * 2.0 ** (call.refused - ATTEMPTS))
        jobs = isinstance(error, TooManyJobsError)
        held = await self._budget.refused(call.route, call.headers, call.charges, seconds, jobs=jobs)
        if call.refused >= REFUSALS or not (held or await self._pause(call, seconds)):
            raise error

    async def _unavailable(self, call: _Call, error: ZendeskUnavailableError) -> None:
        call.unknown += error.done is None
        call.unsent += error.done is False
        failed = call.unknown + call.unsent
        if failed >= ATTEMPTS or not (call.repeatable or error.done is False):
            raise error
        said = error.retry_after_seconds
        backoff = min(5.0, 0.1 * 2.0**failed) * _jitter()
        if not await self._pause(call, backoff if said is None else said):
            raise error

    async def _pause(self, call: _Call, seconds: float, slice_seconds: float | None = None) -> bool:
        """Wait, all of it or one slice; False when the whole of it would be too long."""
        left = self._patience.total_seconds - call.waited
        if (ends := remaining_seconds()) is not None:
            left = min(left, ends)
        if seconds > left:
            return False
        step = seconds if slice_seconds is None else max(SHORTEST_SLICE_SECONDS, min(seconds, slice_seconds))
        call.waited += step
        await self.sleep(step)
        return True

    async def _send(self, call: _Call) -> Json:
        seconds = self._patience.attempt_seconds
        if (ends := remaining_seconds()) is not None:
            seconds = min(seconds, ends)
        if seconds <= 0:
            raise ZendeskUnavailableError(call.route, 0, "DeadlineExceeded", done=False)
        trouble, done = "", None
        answer: httpx2.Response | None = None
        try:
            async with asyncio.timeout(seconds):
                answer = await self._http.send(call.request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            trouble, done = type(error).__name__, False
        except (httpx2.RequestError, TimeoutError) as error:
            trouble = type(error).__name__
        self._budget.measures.sent(call.route, answer.status_code if answer is not None else 0)
        if answer is None:  # outside of the handler: the cause holds the request with its token and body
            raise ZendeskUnavailableError(call.route, 0, trouble, done=done)
        call.headers = answer.headers
        self._budget.learn(call.route, answer.headers, call.charges)
        return read_answer(call.route, answer, self.clock.now())


def _jitter() -> float:
    return 1.0 + random.random() / 4  # noqa: S311 - spreads retries, guards nothing


__all__ = ["Json", "Params", "Patience", "Transport"]
