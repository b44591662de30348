"""docs/security.md and docs/evidence.md tell the truth: every test that they name exists.

Every threat names what stops it and every claim what shows it.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
EVIDENCE = ROOT / "docs" / "evidence.md"
PAGES = (PAGE, EVIDENCE)
_REFERENCE = re.compile(r"`([\w/]+/test_\w+\.py)::(test_\w+)`")
_HEADER = re.compile(r"\| (?:who|what) \| could \| what stops it \| shown by \|")


def references(page: Path) -> list[tuple[str, str]]:
    return _REFERENCE.findall(page.read_text())


def threats() -> list[list[str]]:
    """Return the cells of every row in every table of threats."""
    rows, inside = [], False
    for line in PAGE.read_text().splitlines():
        if _HEADER.fullmatch(line):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@functools.cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


@pytest.mark.parametrize(("path", "name"), sorted({one for page in PAGES for one in references(page)}))
def test_a_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), f"`{path}` is not there"
    assert name in named_in(path)


def test_every_threat_is_stopped_by_something_and_shown_by_a_test() -> None:
    rows = threats()

    assert len(rows) >= 40
    for row in rows:
        assert len(row) == 4, row
        assert all(row), row
        assert _REFERENCE.search(row[3]), row
    assert len({(row[0], row[1]) for row in rows}) == len(rows)


def test_every_claim_is_shown_by_a_test_or_measured() -> None:
    rows = [line.strip("| ").split(" | ") for line in EVIDENCE.read_text().splitlines() if line[:1] == "|"]
    claims = [row for row in rows if row[-1] != "shown by" and not row[0].startswith("---")]

    assert len(claims) >= 60
    for claim in claims:
        assert len(claim) == 2, claim
        assert _REFERENCE.search(claim[1]) or re.match(r"`benchmarks/\w+`", claim[1]), claim


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_nothing_looks_like_a_test_without_being_checked(page: Path) -> None:
    assert len(re.findall(r"::test_", page.read_text())) == len(references(page))
