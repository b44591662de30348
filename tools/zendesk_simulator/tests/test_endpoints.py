"""The README lists every endpoint of the server, and none that is not there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tools.zendesk_simulator.routes import ROUTES

README = Path(__file__).parents[1] / "README.md"
_ROW = re.compile(r"\| ([A-Z ]+) \| `(/[^`]*)` \| (.+) \|")


def _listed() -> list[tuple[str, str, str]]:
    rows = [found for line in README.read_text().splitlines() if (found := _ROW.fullmatch(line))]
    return [(method, row[2], row[3]) for row in rows for method in row[1].split()]


def test_the_table_and_the_server_agree() -> None:
    served = {
        (method, route.path.replace(":int}", "}"))
        for route in ROUTES
        for method in route.methods or ()
        if method != "HEAD"
    }
    listed = {(method, path) for method, path, _ in _listed()}

    assert listed - served == set()
    assert served - listed == set()


def test_every_row_has_a_source_and_stands_once() -> None:
    rows = _listed()

    assert all("facts" in source or "reference" in source for _, _, source in rows)
    assert [key for key, times in Counter((m, p) for m, p, _ in rows).items() if times > 1] == []


def test_no_route_is_hidden_by_an_earlier_one() -> None:
    for route in ROUTES:
        path = re.sub(r"\{\w+:int\}", "7", route.path)
        path = re.sub(r"\{\w+\}", "x", path)
        for method in sorted(route.methods or ()):
            hit = next(
                r for r in ROUTES if method in (r.methods or ()) and r.path_regex.fullmatch(path) is not None
            )
            assert hit is route or hit.path == route.path, f"{method} {route.path} is hidden by {hit.path}"
