"""What the store in memory holds: rows that never change, in dictionaries that are copied per transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Self

from libs.db.requests import Remembered
from services.privacy.app.ports import CertificateRow, EventRow, HoldRow, LedgerRow, RequestRow, StepRow

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A step with its lease and its wait."""

    row: StepRow
    not_before: datetime = LONG_AGO
    lease_until: datetime = LONG_AGO


@dataclass(frozen=True, slots=True)
class Suppression:
    """An erased person."""

    request: str
    revision: int


@dataclass(slots=True)
class Tables:
    """Every table; the first part of each key is the account."""

    requests: dict[Key, RequestRow] = field(default_factory=dict)
    steps: dict[Key, Held] = field(default_factory=dict)
    ledger: dict[tuple[str, str, str, int, str], LedgerRow] = field(default_factory=dict)
    events: dict[str, tuple[EventRow, ...]] = field(default_factory=dict)
    certificates: dict[Key, CertificateRow] = field(default_factory=dict)
    holds: dict[Key, HoldRow] = field(default_factory=dict)
    restrictions: dict[tuple[str, str, int], tuple[int, bool]] = field(default_factory=dict)
    suppressions: dict[Key, Suppression] = field(default_factory=dict)
    answers: dict[tuple[str, str], Remembered] = field(default_factory=dict)

    def copy(self) -> Self:
        """Return a copy whose rows are shared: no row is ever changed."""
        return type(self)(**{f.name: dict(getattr(self, f.name)) for f in fields(self)})
