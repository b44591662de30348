"""What a service stores about people: a verdict for every column (facts: privacy §3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property


class Strategy(StrEnum):
    """What happens to a column when its person is erased."""

    DELETE_ROW = "delete_row"
    NULL = "null"
    PSEUDONYMISE = "pseudonymise"
    KEEP = "keep"
    DROP_KEY = "drop_key"
    NOT_PERSONAL = "not_personal"


@dataclass(frozen=True, slots=True)
class Column:
    """The verdict on one column.

    Attributes:
        purpose: why it is held, or why it is not personal.
        subject: column of the same table that joins to the person.
        retention: ISO 8601 duration; empty = as long as the account.
        provided: whether the person provided it (GDPR Art. 20).
    """

    table: str
    column: str
    strategy: Strategy
    purpose: str
    subject: str = ""
    retention: str = ""
    provided: bool = False

    @property
    def personal(self) -> bool:
        """Whether it is about a person."""
        return self.strategy is not Strategy.NOT_PERSONAL


def not_personal(table: str, columns: str, why: str) -> tuple[Column, ...]:
    """Return the verdict "not personal" for several columns, separated by blanks."""
    return tuple(Column(table, column, Strategy.NOT_PERSONAL, why) for column in columns.split())


@dataclass(frozen=True)
class DataMap:
    """Everything a service stores.

    Attributes:
        service: short name.
        columns: one verdict per column of every table.
    """

    service: str
    columns: Sequence[Column]

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the map in canonical JSON."""
        rows = sorted((asdict(c) for c in self.columns), key=lambda c: (c["table"], c["column"]))
        return hashlib.sha256(json.dumps(rows, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def kept(self) -> set[tuple[str, str]]:
        """Return the columns that an erasure leaves, on a stated ground."""
        return {(c.table, c.column) for c in self.columns if c.strategy is Strategy.KEEP}

    def census(self, catalogue: set[tuple[str, str]]) -> list[str]:
        """Return one sentence for each column without a verdict and each verdict without a column."""
        known = {(c.table, c.column) for c in self.columns}
        missing = [f"`{t}.{c}` has no verdict in the data map" for t, c in sorted(catalogue - known)]
        surplus = [
            f"`{t}.{c}` is in the data map but not in the schema" for t, c in sorted(known - catalogue)
        ]
        return missing + surplus
