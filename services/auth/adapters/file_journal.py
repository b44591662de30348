"""The journal as a folder on this process's disk: one file per pair, sealed values only."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.auth.app.journal import JournalEntry
from services.auth.domain.grant import Grant

_INTENT = re.compile(r"[A-Za-z0-9_-]{1,100}")


class FileJournal:
    """Implements the port `Journal`.

    Args:
        folder: made when missing (mode 0700); give every replica its own, on a volume that outlives the container.

    Raises:
        OSError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        _sync(folder)

    async def keep(self, entry: JournalEntry) -> None:
        await asyncio.to_thread(self._write, entry)

    async def entries(self) -> Sequence[JournalEntry]:
        return await asyncio.to_thread(self._read)

    async def drop(self, intent: str) -> None:
        await asyncio.to_thread(self._path(intent).unlink, missing_ok=True)

    def _path(self, intent: str) -> Path:
        if not _INTENT.fullmatch(intent):
            raise ValueError("an intent that is no file name")
        return self._folder / f"{intent}.json"

    def _write(self, entry: JournalEntry) -> None:
        """Write, sync, rename, sync the folder: after a power cut there is the whole entry or none."""
        path = self._path(entry.intent)
        unfinished = path.with_suffix(".new")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(_values(entry), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        _sync(self._folder)

    def _read(self) -> list[JournalEntry]:
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append((path.stat().st_mtime_ns, _entry(path.stem, json.loads(path.read_text()))))
            except FileNotFoundError:
                continue  # dropped meanwhile
            except (OSError, ValueError, KeyError, TypeError):
                get_logger().error("a journal entry cannot be read", file=path.name)
        return [entry for _, entry in sorted(found, key=lambda one: one[0])]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(sealed: bytes | None) -> str | None:
    return None if sealed is None else base64.b64encode(sealed).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _values(entry: JournalEntry) -> dict[str, object]:
    grant = entry.grant
    ends = {"access_expires_at": grant.access_expires_at, "refresh_expires_at": grant.refresh_expires_at}
    return {
        "base": entry.base,
        "account": grant.account,
        "version": grant.version,
        "access": _text(grant.access),
        "refresh": _text(grant.refresh),
        "issued_at": grant.issued_at.isoformat(),
        **{name: end.isoformat() if end else None for name, end in ends.items()},
    }


def _entry(intent: str, values: Any) -> JournalEntry:
    issued, access = _time(values["issued_at"]), _bytes(values["access"])
    if issued is None or access is None:
        raise ValueError("not a whole entry")
    grant = Grant(
        AccountId(values["account"]),
        int(values["version"]),
        access,
        _bytes(values["refresh"]),
        issued,
        _time(values["access_expires_at"]),
        _time(values["refresh_expires_at"]),
    )
    return JournalEntry(intent, values["base"], grant)
