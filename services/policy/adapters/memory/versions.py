"""A table whose rows are kept with the revisions in which they held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from libs.decision.rows import Change, Row

K = TypeVar("K")
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Version(Generic[R]):
    """One row from a revision on, and before another one; None = it still holds."""

    row: R
    since: int
    until: int | None = None

    def holds(self, at: int | None) -> bool:
        """Tell whether it holds at a revision; None = at present."""
        if at is None:
            return self.until is None
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(slots=True)
class Table(Generic[K, R]):
    """Versions by key. They are immutable, so a copy of the dictionary is a copy of the table."""

    versions: dict[K, tuple[Version[R], ...]] = field(default_factory=dict)

    def copy(self) -> Table[K, R]:
        """Return a table that changes by itself."""
        return Table(dict(self.versions))

    def rows(self, at: int | None = None) -> Iterator[tuple[K, R]]:
        """Yield keys and rows at a revision."""
        for key, versions in self.versions.items():
            for version in versions:
                if version.holds(at):
                    yield key, version.row

    def get(self, key: K, at: int | None = None) -> R | None:
        """Return the row of a key at a revision."""
        return next((v.row for v in self.versions.get(key, ()) if v.holds(at)), None)

    def drop(self, key: K, revision: int) -> R | None:
        """End the row of a key; return it. One of this very revision was never seen, and is not kept."""
        row = self.get(key)
        if row is not None:
            self.versions[key] = tuple(
                v if v.until is not None else Version(v.row, v.since, revision)
                for v in self.versions[key]
                if v.until is not None or v.since < revision
            )
        return row

    def put(self, key: K, row: R, revision: int) -> None:
        """Keep a row instead of the one before."""
        self.drop(key, revision)
        self.versions[key] = (*self.versions.get(key, ()), Version(row, revision))

    def changes(self, after: int, to: int) -> Iterator[Change]:
        """Yield what came and went."""
        for versions in self.versions.values():
            for v in versions:
                if v.until is not None and after < v.until <= to:
                    yield Change(v.until, v.row, gone=True)
                if after < v.since <= to:
                    yield Change(v.since, v.row)

    def forget(self, until: int) -> None:
        """Delete the versions that only revisions before this one need."""
        self.erase(lambda v: v.until is not None and v.until <= until)

    def erase(self, matches: Callable[[Version[R]], bool]) -> None:
        """Delete versions, of the past and of the present, without a trace."""
        kept = {key: tuple(v for v in vs if not matches(v)) for key, vs in self.versions.items()}
        self.versions = {key: vs for key, vs in kept.items() if vs}
