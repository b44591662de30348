"""The four services as processes behind mTLS, with an authority whose key the tests have."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.crypto.ca import Credentials, ThrowAwayCa
from tests.e2e.demo_process import free_offset
from tools.demo.house import HEALTH, HOST, SERVICES

START_SECONDS = 90.0
CODE = grpc.StatusCode


@dataclass(frozen=True)
class Guarded:
    """One running service.

    Attributes:
        folder: holds `{name}.crt` and `{name}.key`, which the process reads again when they change.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    ca: ThrowAwayCa

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def health(self) -> str:
        return f"{HOST}:{self.port + HEALTH}"

    def listening(self) -> set[int]:
        """Return every TCP port on which the process listens, as the kernel tells it."""
        mine = set()
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                mine.add(str(entry.readlink()))
        ports = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.process.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:  # 0A = LISTEN
                    ports.add(int(fields[1].rpartition(":")[2], 16))
        return ports

    def outcome(self, credentials: grpc.ChannelCredentials | None, method: str, seconds: float = 5.0) -> str:
        """Call a method with an empty request; return the name of its status code."""
        channel = (
            grpc.insecure_channel(self.address)
            if credentials is None
            else grpc.secure_channel(self.address, credentials)
        )
        with channel:
            return outcome(channel, method, seconds)

    def as_peer(self, given: Credentials) -> grpc.ChannelCredentials:
        """Return channel credentials that trust this service and show a certificate."""
        return grpc.ssl_channel_credentials(self.ca.certificate, given.key, given.certificate)


def outcome(channel: grpc.Channel, method: str, seconds: float = 5.0) -> str:
    """Call a method of whatever kind with an empty request; return the name of its status code."""
    try:
        channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)(
            b"", timeout=seconds
        )
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes], what: str, seconds: float) -> None:
    """Wait for a condition while the process lives."""
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < end, what
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)


def _alive(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            stub.Check(health_pb2.HealthCheckRequest(service="liveness"), timeout=2)  # type: ignore[attr-defined]  # the types lack it
        except grpc.RpcError:
            return False
    return True


@contextlib.contextmanager
def guarded_suite(folder: Path, database: Callable[[str], str]) -> Iterator[dict[str, Guarded]]:
    """Start every service on loopback; stop each by its own process id.

    Args:
        database: address of a migrated database, by package of migrations.
    """
    ca, offset = ThrowAwayCa(), free_offset()
    (folder / "ca.crt").write_bytes(ca.certificate)
    suite: dict[str, Guarded] = {}
    try:
        for name, usual in SERVICES.items():
            ca.issue(name).write(folder, name)
            suite[name] = _start(name, usual + offset, offset, folder, ca, database)
        for one in suite.values():
            wait_until(
                lambda at=one.health: _alive(at),  # type: ignore[misc]  # bound now, not when called
                one.process,
                f"{one.name} does not tell its health",
                START_SECONDS,
            )
        yield suite
    finally:
        for one in suite.values():
            one.process.terminate()
        for one in suite.values():
            try:
                one.process.wait(30)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait(10)


def _start(
    name: str, port: int, offset: int, folder: Path, ca: ThrowAwayCa, database: Callable[[str], str]
) -> Guarded:
    prefix = name.upper()
    own = {
        "HOST": HOST,
        "PORT": str(port),
        "HEALTH_PORT": str(port + HEALTH),
        "DATABASE_URL": database(f"services.{name}.migrations"),
        "STATE_DIR": str(folder / f"state-{name}"),
        "TLS_CERT_FILE": str(folder / f"{name}.crt"),
        "TLS_KEY_FILE": str(folder / f"{name}.key"),
        "TLS_CA_FILE": str(folder / "ca.crt"),
        "DRAIN_LAG_SECONDS": "0",
        "DRAIN_GRACE_SECONDS": "2",
        "KEY_ENCRYPTION_KEY": base64.b64encode(os.urandom(32)).decode(),
        **{f"{other.upper()}_ADDRESS": f"{HOST}:{usual + offset}" for other, usual in SERVICES.items()},
    }
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        **{f"{prefix}_{key}": value for key, value in own.items()},
    }
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}.main"], env=environment, stdout=log, stderr=log
        )
    return Guarded(name, port, process, folder, ca)
