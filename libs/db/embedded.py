"""A real PostgreSQL without an installation: for tests, the demo, and a service started with nothing.

A temporary cluster (no folder given) trusts every local user as superuser and does not fsync: it is for
throw-away data on a machine whose users trust each other. A kept one (`durable=True`) asks for random
passwords (scram-sha-256) and writes as a production server does.
"""

from __future__ import annotations

import hashlib
import hmac
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from libs.db.binaries import EmbeddedPostgresError, RunAs, binaries, major_version, readable_binaries, run_as
from libs.db.cluster import (
    await_answer,
    free_port,
    initialise,
    refuse_other_version,
    server_settings,
    stop_orphan,
)
from libs.db.data_directory import DataDirectory

_SUPERUSER = "setlist_admin"
_STARTS = 3


class EmbeddedPostgres:
    """One PostgreSQL server on 127.0.0.1, owned by this process.

    Args:
        data_dir: folder of a cluster that is kept; it is made if missing. None makes a temporary folder that
            `stop` removes.
        durable: passwords and fsync; only with a folder.
        port: 0 picks a free one.

    Use it as a context manager, or `start` and `stop`. Start it from a thread that lives as long as the
    server should (see `libs.db.binaries.run_as`).
    """

    def __init__(self, data_dir: Path | None = None, durable: bool = False, *, port: int = 0) -> None:
        if durable and data_dir is None:
            raise ValueError("a durable cluster needs a folder")
        self._given = data_dir
        self._durable = durable
        self._wanted_port = port
        self._directory: DataDirectory | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._secret = ""
        self.port = 0
        self.version = 0

    def start(self) -> str:
        """Start the server and return the superuser's address of the database `postgres`.

        Raises:
            EmbeddedPostgresError: no programs, the folder is in use, belongs to another version or cannot be
                reached, or the server ended; the text says which.
        """
        if self._process is not None:
            raise EmbeddedPostgresError("this PostgreSQL has been started already")
        identity = run_as()
        try:
            self._directory = DataDirectory(self._given)
            self._directory.open(identity)
            self._start(identity, self._directory)
        except BaseException:
            self.stop()
            raise
        return self.url("postgres", superuser=True)

    def stop(self) -> None:
        """Stop the server at once (fast shutdown); remove a temporary cluster, release a kept one."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # SIGTERM would wait for every client
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(10)
            self._process = None
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    def url(self, database: str, *, role: str | None = None, superuser: bool = False) -> str:
        """Return the address of `database` for `role` (its namesake by default) or for the superuser."""
        name = _SUPERUSER if superuser else role or database
        password = f":{self._password(name)}" if self._durable else ""
        return f"postgresql://{name}{password}@127.0.0.1:{self.port}/{database}"

    def create_role(self, role: str, *, create_databases: bool = False) -> None:
        """Make the plain role `role` (no superuser) if it does not exist."""
        with self._admin() as connection:
            self._create_role(connection, role, create_databases)

    def create_database(self, name: str, *, owner: str | None = None) -> str:
        """Make database `name`, owned by a plain role of the same name, if it does not exist.

        Nobody but the owner (and the superuser) may connect to it.

        Returns:
            the owner's address.
        """
        role = owner or name
        with self._admin() as connection:
            self._create_role(connection, role, create_databases=False)
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, (name,)).fetchone() is None:
                names = (sql.Identifier(name), sql.Identifier(role))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
                connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(names[0]))
        return self.url(name, role=role)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres", superuser=True), autocommit=True)

    def _create_role(self, connection: psycopg.Connection, role: str, create_databases: bool) -> None:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None:
            return
        may = sql.SQL("CREATEDB" if create_databases else "NOCREATEDB")
        password = sql.Literal(self._password(role) if self._durable else None)
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER {} PASSWORD {}").format(
                sql.Identifier(role), may, password
            )
        )

    def _password(self, role: str) -> str:
        return hmac.new(self._secret.encode(), role.encode(), hashlib.sha256).hexdigest()

    def _start(self, identity: RunAs, directory: DataDirectory) -> None:
        programs = binaries()
        self.version = major_version(programs)
        data = directory.path / "cluster"
        refuse_other_version(data, self.version, programs)
        programs = readable_binaries(programs, identity, directory.path, directory.unfinished())
        if self._durable:
            self._secret = directory.secret()
        if not (data / "PG_VERSION").exists():
            password = self._password(_SUPERUSER) if self._durable else None
            initialise(
                programs, identity, directory, user=_SUPERUSER, password=password, version=self.version
            )
        stop_orphan(programs, identity, data)
        settings = server_settings(self.version, durable=self._durable)
        for left in reversed(range(_STARTS)):
            self.port = self._wanted_port or free_port()
            command = [str(programs / "postgres"), "-D", str(data), "-p", str(self.port), *settings]
            self._process = _launch([*identity.prefix, *command], identity, directory)
            if await_answer(self._process, self.url("postgres", superuser=True), data, seconds=20):
                return
            self._process.wait()
            self._process = None
            if not left or self._wanted_port:
                text = (directory.path / "log").read_text(errors="replace").strip()
                raise EmbeddedPostgresError(f"PostgreSQL ended at start on port {self.port}: {text[-500:]}")


def _launch(command: list[str], identity: RunAs, directory: DataDirectory) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own: ctrl-C is for the service, which stops its server last."""
    with (directory.path / "log").open("wb") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=directory.path,
            start_new_session=True,
            **identity.options(),  # type: ignore[call-overload]
        )
    return process
