"""Each program alone, with nothing set but its port and folder: it serves, and ends with 0 on SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.e2e.demo_process import free_offset
from tools.demo.house import EDGE, HEALTH, HOST, SERVICES

pytestmark = pytest.mark.e2e
START_SECONDS = 90.0


@contextmanager
def started(name: str, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; stop it by its own process id."""
    prefix = name.upper()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        f"{prefix}_PORT": str(port),
        f"{prefix}_STATE_DIR": str(folder / f"alone-{name}"),
        f"{prefix}_DRAIN_LAG_SECONDS": "0",
    }
    with (folder / f"alone-{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}.main"], env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(20)


def health_of(process: subprocess.Popen[bytes], port: int) -> int:
    """Return the status that the health port tells, once it answers."""
    end = time.monotonic() + START_SECONDS
    while True:
        with grpc.insecure_channel(f"{HOST}:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                answer = stub.Check(  # type: ignore[attr-defined]  # the types lack it
                    health_pb2.HealthCheckRequest(), timeout=2, wait_for_ready=True
                )
                return int(answer.status)
            except grpc.RpcError:
                assert process.poll() is None, "it ended"
                assert time.monotonic() < end, "it does not tell its health"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_with_nothing_set(folder: Path, name: str) -> None:
    port = SERVICES[name] + free_offset()
    with started(name, port, folder) as process:
        status = health_of(process, port + HEALTH)
        assert status in (
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.NOT_SERVING,  # auth's keys are out of reach: alive, not ready
        )
        with grpc.insecure_channel(f"{HOST}:{port}") as channel:
            names = ProtoReflectionDescriptorDatabase(channel).get_services()
        assert f"setlist.{name}.v1.{name.title()}Service" in names
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "embedded PostgreSQL" in (folder / f"alone-{name}.log").read_text()


def test_the_edge_starts_with_nothing_set(folder: Path) -> None:
    port = EDGE + free_offset()
    with started("edge", port, folder) as process, httpx2.Client(trust_env=False, timeout=5) as http:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                assert http.get(f"http://{HOST}:{port}/healthz").json() == {"status": "ok"}
                break
            except httpx2.TransportError:
                assert process.poll() is None, "it ended"
                assert time.monotonic() < end
        assert http.get(f"http://{HOST}:{port}/readyz").status_code == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
