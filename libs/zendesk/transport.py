"""One HTTP call to Zendesk: token, budget, retries of what is safe, errors."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any

import httpx2

from libs.zendesk.budget import RateBudget, retry_after
from libs.zendesk.errors import (
    InvalidTokenError,
    TooManyRequestsError,
    ZendeskError,
    ZendeskUnavailableError,
    error_of,
)
from libs.zendesk.tokens import TokenSupply

Json = dict[str, Any]

_ATTEMPTS = 5
_SAFE = frozenset({"GET"})


class Transport:
    """Sends requests for one account.

    GET is retried after 429, 5xx and lost connections. Other methods are retried after 429 only, which
    Zendesk answers before it does anything; callers who know a call to be idempotent say so.

    Args:
        base_url: e.g. `https://acme.zendesk.com`.
        tokens: supply of access tokens.
        http: the connection pool; closed by its owner.
        budget: shared per account within the process.
        patience_seconds: longest total time spent waiting for the budget and between attempts.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSupply,
        http: httpx2.AsyncClient,
        budget: RateBudget | None = None,
        patience_seconds: float = 60.0,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._tokens = tokens
        self._http = http
        self._budget = budget or RateBudget()
        self._patience = patience_seconds

    async def call(
        self,
        method: str,
        template: str,
        ids: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> Json:
        """Send one request and return its JSON object (empty for 204).

        Args:
            method: HTTP method.
            template: path under `/api/v2/` with `{id}` places, used in errors and traces.
            ids: values of those places.
            params: query.
            body: JSON body.
            headers: further headers.
            idempotent: whether repeating the call after an unknown outcome does no harm.

        Raises:
            ZendeskError: a subclass per status; see `libs.zendesk.errors`.
        """
        route = f"{method} {template}"
        path = template.format_map(ids or {})
        url = path if path.startswith("http") else f"{self._base}/api/v2/{path}"
        waited = 0.0
        known_version: int | None = None
        for attempt in range(1, _ATTEMPTS + 1):
            pause = self._budget.wait_seconds()
            try:
                if pause:
                    waited = await self._pause(pause, waited, route)
                access = await self._tokens.access(known_version)
                return await self._once(route, method, url, access.token, params, body, headers)
            except InvalidTokenError:
                if known_version is not None:
                    raise
                known_version = access.version
            except TooManyRequestsError as error:
                if attempt == _ATTEMPTS:
                    raise
                self._budget.hold(error.retry_after_seconds or 2.0**attempt)
            except ZendeskUnavailableError as error:
                if attempt == _ATTEMPTS or not (idempotent or method in _SAFE):
                    raise
                delay = error.retry_after_seconds or min(5.0, 0.1 * 2.0**attempt)
                waited = await self._pause(delay * (1 + random.random() / 4), waited, route)  # noqa: S311 - jitter
        raise AssertionError("unreachable: the last attempt raises")

    async def _pause(self, seconds: float, waited: float, route: str) -> float:
        if waited + seconds > self._patience:
            raise TooManyRequestsError(route, 429, "OutOfPatience", retry_after_seconds=seconds)
        await asyncio.sleep(seconds)
        return waited + seconds

    async def _once(
        self,
        route: str,
        method: str,
        url: str,
        token: str,
        params: Mapping[str, str | int] | None,
        body: object,
        headers: Mapping[str, str] | None,
    ) -> Json:
        try:
            answer = await self._http.request(
                method,
                url,
                params=dict(params) if params else None,
                json=body,
                headers={"authorization": f"Bearer {token}", **(headers or {})},
            )
        except httpx2.ConnectError as error:
            raise ZendeskUnavailableError(route, 0, type(error).__name__, done=False) from None
        except httpx2.TransportError as error:
            raise ZendeskUnavailableError(route, 0, type(error).__name__, done=None) from None
        self._budget.learn(answer.headers)
        return _read(route, answer)


def _read(route: str, answer: httpx2.Response) -> Json:
    try:
        parsed = json.loads(answer.content) if answer.content else {}
    except ValueError:
        parsed = None
    if answer.status_code >= 400:
        raise error_of(route, answer.status_code, parsed, retry_after(answer.headers))
    if not isinstance(parsed, dict):
        raise ZendeskUnavailableError(route, answer.status_code, "UnreadableBody", done=None)
    return parsed


__all__ = ["Json", "Transport", "ZendeskError"]
