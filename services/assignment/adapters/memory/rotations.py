"""Rotations in memory."""

from __future__ import annotations

from services.assignment.adapters.memory.tables import Tables


class MemoryRotations:
    """Implements the port `Rotations`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def stretch(self, queue: str) -> str:
        return self._tables.stretches.get(queue, "")

    async def put_stretch(self, queue: str, stretch: str) -> None:
        self._tables.stretches[queue] = stretch

    async def reset(self, queue: str) -> int:
        self._tables.stretches.pop(queue, None)
        gone = [key for key in self._tables.rotation if key[0] == queue]
        return sum(self._tables.rotation.pop(key) != 0 for key in gone)
