"""A journal that lives as long as the process: where there is no disk to write to, and in tests."""

from __future__ import annotations

from collections.abc import Sequence

from services.auth.app.journal import JournalEntry


class MemoryJournal:
    """Implements the port `Journal`."""

    def __init__(self) -> None:
        self._entries: dict[str, JournalEntry] = {}

    async def keep(self, entry: JournalEntry) -> None:
        self._entries[entry.intent] = entry

    async def entries(self) -> Sequence[JournalEntry]:
        return list(self._entries.values())

    async def drop(self, intent: str) -> None:
        self._entries.pop(intent, None)
