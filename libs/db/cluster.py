"""The steps of bringing a cluster up: make it, compare versions, clear an orphan, wait for an answer."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import psycopg

from libs.db.binaries import EmbeddedPostgresError, RunAs
from libs.db.data_directory import DataDirectory

_BUILTIN_LOCALE_SINCE = 17
_IO_METHOD_SINCE = 18


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_settings(version: int, *, durable: bool) -> list[str]:
    """Return the server's settings as words of its command line."""
    settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",  # their paths are limited to 107 bytes, those of test folders are longer
        "timezone=UTC",
        "log_timezone=UTC",
        "max_connections=200",
        "shared_buffers=32MB",
    ]
    if version >= _IO_METHOD_SINCE:
        settings.append("io_method=sync")  # three processes fewer
    if not durable:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    return [word for setting in settings for word in ("-c", setting)]


def refuse_other_version(data: Path, version: int, programs: Path) -> None:
    """Refuse a cluster that another major version made.

    Raises:
        EmbeddedPostgresError: naming both versions and the way out.
    """
    marker = data / "PG_VERSION"
    if marker.exists() and (made_by := marker.read_text().strip()) != str(version):
        raise EmbeddedPostgresError(
            f"`{data}` was made by PostgreSQL {made_by}, the programs in `{programs}` are of {version}: one"
            f" does not read the other's; dump it with the `pg_dump` of {made_by}, load it into a new folder"
        )


def initialise(
    programs: Path,
    identity: RunAs,
    directory: DataDirectory,
    *,
    user: str,
    password: str | None,
    version: int,
) -> None:
    """Make the cluster of `directory`, all or nothing.

    Args:
        password: of `user`; None trusts every local connection.
    """
    words = [str(programs / "initdb"), "-U", user, "-E", "UTF8", "--no-locale", "--no-instructions"]
    if version >= _BUILTIN_LOCALE_SINCE:
        words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    data, secret = directory.unfinished(), directory.unfinished()
    if password is None:
        words += ["-A", "trust", "--no-sync"]
    else:
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
        if identity.owner is not None:
            os.chown(secret, *identity.owner)
        words += ["-A", "scram-sha-256", "--pwfile", str(secret)]
    command = [*identity.prefix, *words, "-D", str(data)]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=directory.path,
            **identity.options(),  # type: ignore[call-overload]
        )
    finally:
        secret.unlink(missing_ok=True)
    if done.returncode:
        raise EmbeddedPostgresError(f"`initdb` failed: {done.stderr.strip()[-500:]}")
    data.rename(directory.path / "cluster")


def stop_orphan(programs: Path, identity: RunAs, data: Path) -> None:
    """Stop a server of this cluster that a killed launcher left behind; we hold the folder's lock."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if str(data) not in _command_line(pid):
        return
    subprocess.run(  # noqa: S603 - our own program
        [*identity.prefix, str(programs / "pg_ctl"), "stop", "-D", str(data), "-m", "fast", "-t", "20"],
        capture_output=True,
        check=False,
        cwd=data.parent,
        **identity.options(),  # type: ignore[call-overload]
    )


def _command_line(pid: int) -> str:
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    command = ["/bin/ps", "-p", str(pid), "-o", "command="]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number


def await_answer(process: subprocess.Popen[bytes], url: str, data: Path, *, seconds: float) -> bool:
    """Wait until the server of `data` answers at `url`; False when its process ended.

    Raises:
        EmbeddedPostgresError: neither happened in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
                if row is not None and Path(row[0]).resolve() == data.resolve():
                    return True
        except psycopg.OperationalError:
            pass
        time.sleep(0.02)
    raise EmbeddedPostgresError(f"PostgreSQL did not answer within {seconds:g} s")
