"""The work folder of a run: one demo at a time in it, nothing outside it, cleared of what a killed run left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from libs.db.embedded import EmbeddedPostgres
from tools.demo.failures import DemoError

_KEPT = frozenset({"lock"})


def default_folder() -> Path:
    """Return where a run works unless told otherwise.

    Root's own home cannot be entered by `nobody`, as whom PostgreSQL then runs.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/setlist/demo")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "setlist" / "demo"


class WorkFolder:
    """Locks and empties a folder; takes the database away again at the end and leaves the logs.

    Args:
        path: the folder; made if missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.leftovers = False
        self._lock: int | None = None

    @property
    def postgres(self) -> Path:
        """The folder of the database cluster."""
        return self.path / "postgres"

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            DemoError: another demo runs in it, or it cannot be used.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o755)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            raise DemoError(
                f"another demo runs in `{self.path}`: stop it, or use --work with another folder"
            ) from None
        except OSError as error:
            self._release()
            raise DemoError(f"the work folder `{self.path}` cannot be used: {error.strerror}") from None
        self.leftovers = (self.postgres / "cluster").exists()
        if self.leftovers:  # the run before was killed: its server may still run, and a start takes it over
            with EmbeddedPostgres(self.postgres):
                pass
        for entry in self.path.iterdir():
            if entry.name not in _KEPT:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self.postgres)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
