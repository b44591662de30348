"""The folder of an embedded server: whose it is, who uses it now, and what a killed process left in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from libs.db.binaries import EmbeddedPostgresError, RunAs

UNFINISHED: Final = "unfinished-"
"""Prefix of what is made beside its final name and then renamed; left-overs are removed at the next start."""

_TEMPORARY = "setlist-pg-"
_KNOWN = frozenset({"lock", "secret", "cluster", "log", "programs"})
_STALE_SECONDS = 60.0


class DataDirectory:
    """A folder with `lock`, `cluster`, `log`, and for kept clusters `secret`; one process uses it at a time.

    Args:
        given: a folder that is kept; None makes a temporary one that `close` removes.
    """

    def __init__(self, given: Path | None) -> None:
        self._temporary = given is None
        if given is None:
            remove_stale(Path(tempfile.gettempdir()))
            self.path = Path(tempfile.mkdtemp(prefix=_TEMPORARY)).resolve()
        else:
            self.path = given.resolve()
        self._lock: IO[bytes] | None = None

    def open(self, identity: RunAs) -> None:
        """Make, lock and check the folder.

        Raises:
            EmbeddedPostgresError: it is in use, holds what is not ours, or cannot be reached by `nobody`.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        ours = (path for path in self.path.iterdir() if not path.name.startswith(UNFINISHED))
        if strangers := sorted({path.name for path in ours} - _KNOWN):
            raise EmbeddedPostgresError(
                f"`{self.path}` is no folder of an embedded PostgreSQL: it holds `{strangers[0]}`"
            )
        self._lock = (self.path / "lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedPostgresError(f"another process uses the PostgreSQL in `{self.path}`") from None
        for path in self.path.glob(f"{UNFINISHED}*"):
            _remove(path)
        self._hand_over(identity)

    def close(self) -> None:
        """Release the folder; remove a temporary one."""
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secret(self) -> str:
        """Return the folder's own random secret, made at the first call; mode 0600.

        Raises:
            EmbeddedPostgresError: the cluster exists but its secret is gone.
        """
        path = self.path / "secret"
        if not path.exists():
            if (self.path / "cluster").exists():
                raise EmbeddedPostgresError(f"`{path}` is gone, and with it the passwords of the cluster")
            fresh = self.unfinished()
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(path)
        return path.read_text()

    def unfinished(self) -> Path:
        """Return a name for something that is not whole yet."""
        return self.path / f"{UNFINISHED}{secrets.token_hex(4)}"

    def _hand_over(self, identity: RunAs) -> None:
        if identity.owner is not None:
            os.chown(self.path, *identity.owner)
        command = [*identity.prefix, "/usr/bin/env", "test", "-w", str(self.path)]
        reach = subprocess.run(command, check=False, cwd="/", **identity.options())  # type: ignore[call-overload] # noqa: S603 - a system program
        if reach.returncode:
            raise EmbeddedPostgresError(
                f"root's PostgreSQL runs as `nobody`, who cannot reach `{self.path}`: choose a folder whose"
                " parents everybody may enter, e.g. below `/var/lib`"
            )


def remove_stale(folder: Path) -> None:
    """Remove temporary clusters in `folder` whose process was killed: nobody holds their lock."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError), (path / "lock").open("r+b") as lock:
            if time.time() - os.fstat(lock.fileno()).st_mtime < _STALE_SECONDS:
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
