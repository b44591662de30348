"""A PostgreSQL with the model's account in it, and policy as processes on it, one for each way to serve."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.policy.auth_keys import CALLER, AuthKeys
from benchmarks.policy.model import ACCOUNT, MADE, Model
from libs.db.embedded import EmbeddedPostgres
from libs.db.engine import Database
from libs.db.migrate import migrate
from libs.decision.rows import ObjectRow, RelationshipRow, Row, TypeRow, User
from libs.kernel.ids import AccountId
from libs.rpc.tls import channel_credentials
from libs.telemetry.logs import configure_logs
from services.policy.adapters.sql.store import SqlStore

START_SECONDS = 60.0
_PART = 5_000
_KEY = "a key of this benchmark, for page and consistency tokens"
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class Served:
    """One policy process.

    Attributes:
        channel: to it, without any interceptor: what is measured is the server.
    """

    name: str
    pid: int
    channel: grpc.aio.Channel


async def fill(url: str, model: Model) -> None:
    """Write the model as one revision."""
    rows = list(model.rows())

    def of(kind: type[Row]) -> Iterator[Sequence[Row]]:
        some = [row for row in rows if isinstance(row, kind)]
        yield from (some[start : start + _PART] for start in range(0, len(some), _PART))

    database = Database(url, statement_timeout_seconds=120)
    async with SqlStore(database).transaction(AccountId(ACCOUNT)) as tx:
        await tx.next_revision("service:benchmark", MADE)
        for row in rows:
            if isinstance(row, TypeRow):
                await tx.add_type(row)
        for users in of(User):
            await tx.put_users([row for row in users if isinstance(row, User)])
        for objects in of(ObjectRow):
            await tx.put_objects([row for row in objects if isinstance(row, ObjectRow)])
        for related in of(RelationshipRow):
            await tx.relate([row for row in related if isinstance(row, RelationshipRow)])
    await database.close()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="setlist-benchmark-") as name:
        Path(name).chmod(0o755)  # PostgreSQL of root runs as `nobody`
        yield Path(name)


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """Run PostgreSQL with policy's schema; yield its address."""
    with EmbeddedPostgres(folder / "postgres") as server:
        url = server.create_database("setlist_policy")
        migrate(url, "services.policy.migrations")
        yield url


class House:
    """Starts policy processes on one database and stops them.

    Args:
        folder: for logs and certificates.
        url: of the database.
        auth: gives the keys.
    """

    def __init__(self, folder: Path, url: str, auth: AuthKeys) -> None:
        self._folder = folder
        self._url = url
        self._auth = auth

    @contextlib.asynccontextmanager
    async def policy(self, name: str, *, backend: str = "grpcio", tls: bool = False) -> AsyncIterator[Served]:
        """Run one.

        Raises:
            RuntimeError: it does not come up.
        """
        environment = {
            "POLICY_PORT": "0",
            "POLICY_HEALTH_PORT": str(free_port()),
            "POLICY_DATABASE_URL": self._url,
            "POLICY_AUTH_ADDRESS": self._auth.secure if tls else self._auth.plain,
            "POLICY_RPC_BACKEND": backend,
            "POLICY_PAGE_TOKEN_KEY": _KEY,
            "POLICY_DRAIN_LAG_SECONDS": "0",
        }
        if tls:
            files = self._auth.files("policy")
            environment |= {
                "POLICY_HOST": "127.0.0.1",
                "POLICY_TLS_CERT_FILE": str(files.cert),
                "POLICY_TLS_KEY_FILE": str(files.key),
                "POLICY_TLS_CA_FILE": str(files.ca),
            }
        log = self._folder / f"{name}.log"
        process = _start(environment, log)
        try:
            address = await _address(process, log)
            credentials = channel_credentials(self._auth.files(CALLER)) if tls else None
            channel = (
                grpc.aio.secure_channel(address, credentials)
                if credentials
                else grpc.aio.insecure_channel(address)
            )
            async with channel:
                yield Served(name, process.pid, channel)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 60)


def free_port() -> int:
    """Return a port of the loopback that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(p for p in sys.path if p)
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.policy.serve"],
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=output,
            stderr=output,
        )


async def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while (address := _printed(log)) is None:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"policy did not come up:\n{_tail(log)}")
        await asyncio.sleep(0.05)
    return address


def _printed(log: Path) -> str | None:
    """Return the address that a service says it serves at."""
    for line in log.read_text().splitlines():
        if "serving" in line and (found := _ADDRESS.search(line)):
            return found.group()
    return None


def _tail(log: Path) -> str:
    return log.read_text()[-2000:]


@contextlib.asynccontextmanager
async def house(model: Model) -> AsyncIterator[tuple[House, AuthKeys, Path]]:
    """Yield a house with the model's account, auth's keys and a folder."""
    configure_logs("benchmark", "warning")
    with _folder() as folder, database(folder) as url:
        await fill(url, model)
        auth = AuthKeys(folder)  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
        async with auth.serving():
            yield House(folder, url, auth), auth, folder
