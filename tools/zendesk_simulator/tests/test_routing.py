"""A route is found by its first words as by a look at all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Match, Route

from tools.zendesk_simulator.routes import ROUTES
from tools.zendesk_simulator.routing import WordRouter, words


def test_every_route_is_the_first_of_its_group_that_fits_where_it_was_the_first_of_all() -> None:
    for route in ROUTES:
        path = route.path
        for parameter, value in (("{id:int}", "5"), ("{id}", "x5")):
            path = path.replace(parameter, value)
        if "{" in path:
            continue
        for method in route.methods or ():
            scope: dict[str, Any] = {"type": "http", "path": path, "root_path": "", "method": method}
            group = [r for r in ROUTES if words(r.path) == words(path)]
            assert _first(group, scope) is _first(ROUTES, scope)


def _first(routes: list[Route], scope: dict[str, Any]) -> Route | None:
    return next((r for r in routes if r.matches(scope)[0] is Match.FULL), None)


def test_words() -> None:
    assert words("/api/v2/tickets/5/comments") == ("api", "v2", "tickets")
    assert words("/oauth/tokens") == ("oauth",)
    assert words("/") == ("",)


def test_a_path_that_begins_with_a_parameter_is_refused() -> None:
    @asynccontextmanager
    async def nothing(_: Starlette) -> AsyncIterator[None]:
        yield

    with pytest.raises(ValueError, match=r"`/api/v2/\{id\}` begins with a parameter"):
        WordRouter([Route("/api/v2/{id}", ROUTES[0].endpoint)], nothing)
