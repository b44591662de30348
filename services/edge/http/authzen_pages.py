"""Pages of AuthZEN's searches (facts: policy §5.4, decision 12)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from libs.kernel.errors import InvalidRequestError
from services.edge.http.authzen_entities import Json
from services.edge.http.authzen_errors import RefusedError
from services.edge.http.authzen_setup import AuthZen

MAXIMUM_COUNTED = 100_000
"""Results that are counted for a `total`; beyond them it is left out, as it may be."""


@dataclass(frozen=True, slots=True)
class Found:
    """Some results of a search.

    Attributes:
        results: entities or actions.
        position: where the rest begins; empty = there is no more.
        context: what else there is to say.
    """

    results: list[dict[str, str]]
    position: str = ""
    context: dict[str, Any] = field(default_factory=dict)


Fetch = Callable[[str, int], Awaitable[Found]]
"""Position (empty = the start) and maximum of results -> results."""


async def paged(setup: AuthZen, body: Json, search: Json, fetch: Fetch) -> dict[str, Any]:
    """Return the answer to a search: `page` first, then context and results.

    Args:
        body: holds `page`.
        search: everything that must be the same in the next request: what is searched, where and by whom.
        fetch: finds.

    Raises:
        RefusedError: 400, a member of `page` has a wrong type or value, or the search is another one than
            the token's.
    """
    page = body.get("page", {})
    if not isinstance(page, dict):
        raise RefusedError(400, "page must be an object")
    query = hashlib.sha256(json.dumps(search, sort_keys=True).encode()).digest()
    position, limit = _asked(setup, page, query)
    if limit == 0:
        return await _counted(setup, query, position, fetch)
    found = await fetch(position, min(limit or setup.maximum_page, setup.maximum_page))
    token = setup.pages.encode({"at": found.position, "limit": limit}, query) if found.position else ""
    return _answer({"next_token": token, "count": len(found.results)}, found)


def _asked(setup: AuthZen, page: Json, query: bytes) -> tuple[str, int | None]:
    """Return where the page begins, and its limit; the limit may be left out with a token."""
    limit, token = page.get("limit"), page.get("token", "")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise RefusedError(400, "page.limit must be an integer that is not negative")
    if not isinstance(token, str):
        raise RefusedError(400, "page.token must be a string")
    if not token:
        return "", limit
    try:
        known = setup.pages.decode(token, query)
    except InvalidRequestError:
        raise RefusedError(400, "page.token does not belong to this search") from None
    if known["limit"] is not None and limit not in (None, known["limit"]):
        raise RefusedError(400, "page.limit is another one than in the request before")
    return known["at"], limit if known["limit"] is None else known["limit"]


async def _counted(setup: AuthZen, query: bytes, position: str, fetch: Fetch) -> dict[str, Any]:
    """Return an empty page with the total; whoever goes on from it may choose a limit."""
    total, at, context = 0, "", {}
    while total <= MAXIMUM_COUNTED:
        found = await fetch(at, setup.maximum_page)
        total, at, context = total + len(found.results), found.position, found.context
        if not at:
            break
    token = setup.pages.encode({"at": position, "limit": None}, query) if total else ""
    told = {"next_token": token, "count": 0} | ({} if at else {"total": total})
    return _answer(told, Found([], context=context))


def _answer(page: dict[str, Any], found: Found) -> dict[str, Any]:
    context = {"context": found.context} if found.context else {}
    return {"page": page, **context, "results": found.results}
