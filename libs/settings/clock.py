"""Which clock a process runs on."""

from __future__ import annotations

import mmap
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

from libs.kernel.clock import Clock, SystemClock

VARIABLE = "SETLIST_CLOCK_FILE"
_OFFSET = struct.Struct("<q")


class SharedClock:
    """The machine's clock plus an offset that all processes of one run share through a file.

    A played day sets the offset, so that every process sees the same instant at once.

    Args:
        path: a file of eight bytes: the offset in microseconds, signed, little-endian.

    Raises:
        ValueError: the file has another size.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        if path.stat().st_size != _OFFSET.size:
            raise ValueError(f"`{path}` is not a clock file: it must have {_OFFSET.size} bytes")
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _OFFSET.size)

    @classmethod
    def create(cls, path: Path) -> SharedClock:
        """Make the file, with offset 0."""
        path.write_bytes(_OFFSET.pack(0))
        return cls(path)

    def now(self) -> datetime:
        (microseconds,) = _OFFSET.unpack(self._memory[:])
        return datetime.now(UTC) + timedelta(microseconds=microseconds)

    def set(self, instant: datetime) -> None:
        """Make `instant` the current time of every process."""
        offset = instant - datetime.now(UTC)
        self._memory[:] = _OFFSET.pack(offset // timedelta(microseconds=1))


def clock_from_environment() -> Clock:
    """Return the shared clock when `SETLIST_CLOCK_FILE` names its file, else the machine's clock.

    Raises:
        ValueError: the file is not a clock file.
        OSError: the file cannot be opened.
    """
    path = os.environ.get(VARIABLE)
    return SharedClock(Path(path)) if path else SystemClock()
