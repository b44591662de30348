"""The port through which the participant contract reaches a service's rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from libs.kernel.ids import AccountId, UserId


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of one column, or of one table when `column` is empty."""

    table: str
    column: str = ""
    erased: int = 0
    pseudonymised: int = 0
    retained: int = 0
    ground: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an export."""

    category: str
    values: Mapping[str, Any]
    third_party: bool = False
    provided: bool = False


class Subjects(Protocol):
    """What a service holds about one person."""

    async def preview(self, account: AccountId, user: UserId) -> Sequence[Count]:
        """Count what an erasure would do; zero for each place searched in vain."""
        ...

    async def erase(
        self, account: AccountId, user: UserId, request: str, node: str, attempt: int
    ) -> Sequence[Count]:
        """Erase the person in one transaction; the same request and node give the same answer.

        Raises:
            StaleAttemptError: a newer run of this node was seen.
        """
        ...

    async def search(self, account: AccountId, user: UserId) -> Mapping[tuple[str, str], int]:
        """Count what is left by (table, column), found through the schema's catalogue alone."""
        ...

    def export(self, account: AccountId, user: UserId) -> AsyncIterator[Record]:
        """Yield every record about the person, in a stable order."""
        ...
