"""The journal: a new pair on this process's own disk before the database has it (facts: auth §2.4.5).

Zendesk deletes the old pair when it answers a refresh. A process that is killed between that answer and the
commit would lose the only living pair; with the journal its next start, or its next turn, commits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.auth.domain.grant import Grant


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A pair that Zendesk gave and that may not be committed yet.

    Attributes:
        intent: the refresh that was announced; names the entry.
        base: the account's address at Zendesk, to revoke a pair that nobody will keep.
        grant: sealed; its version is one above the one whose refresh token was sent.
    """

    intent: str
    base: str
    grant: Grant


class Journal(Protocol):
    """Entries that outlive the process."""

    async def keep(self, entry: JournalEntry) -> None:
        """Write an entry; it is on the disk when this returns.

        Raises:
            OSError: it is not.
        """
        ...

    async def entries(self) -> Sequence[JournalEntry]:
        """Return what was kept and not dropped, oldest first; what cannot be read is left out."""
        ...

    async def drop(self, intent: str) -> None:
        """Forget an entry; an unknown one is no error."""
        ...
