"""The port of what a rotation is beside its credits; every call belongs to a transaction (`ports.Transaction`)."""

from __future__ import annotations

from typing import Protocol


class Rotations(Protocol):
    """The rotations of queues. Credits are read with the snapshot and kept with its decisions (`tables.Decisions`)."""

    async def stretch(self, queue: str) -> str:
        """Return whose turns a rotation was so far (`domain.rotation.stretch_of`); empty = it begins."""
        ...

    async def put_stretch(self, queue: str, stretch: str) -> None:
        """Keep whose turns it was; the caller holds the lock."""
        ...

    async def reset(self, queue: str) -> int:
        """Begin a rotation anew; return how many agents were owed turns, or owed some. The caller holds the lock."""
        ...
