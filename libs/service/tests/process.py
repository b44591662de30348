"""Runs the tiny service as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

BOUND_SECONDS = 30.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _start(arguments: tuple[str, ...], variables: dict[str, str]) -> Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TINY_", "SETLIST_"))}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    command = (sys.executable, "-m", "libs.service.tests.tiny", *arguments)
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)


async def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run to the end; return exit code, standard output and standard error."""
    process = await _start(arguments, variables)
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


class Running:
    """A service that serves.

    Attributes:
        lines: every log line so far.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def event(self, name: str) -> dict[str, Any]:
        """Read log lines up to an event; fails with what was written when the process ends before."""
        assert self.process.stdout is not None
        async with asyncio.timeout(BOUND_SECONDS):
            while raw := await self.process.stdout.readline():
                self.lines.append(json.loads(raw))
                if self.lines[-1]["event"] == name:
                    return self.lines[-1]
        assert self.process.stderr is not None
        raise AssertionError(f"no `{name}` in {self.lines}: {(await self.process.stderr.read()).decode()}")

    async def end(self) -> int:
        """Wait for the end; return the exit code."""
        async with asyncio.timeout(BOUND_SECONDS):
            out, err = await self.process.communicate()
        self.lines += [json.loads(line) for line in out.splitlines()]
        assert b"Traceback" not in err, err.decode()
        return self.process.returncode or 0


@asynccontextmanager
async def running(**variables: str) -> AsyncIterator[Running]:
    """Start the service on a free port; kill it at the end if it still lives."""
    process = await _start((), {"TINY_DRAIN_LAG_SECONDS": "0", **variables})
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def health(address: str, name: str) -> int:
    """Return what the health port says about a name."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status)


async def until_health(address: str, name: str, status: int) -> None:
    """Wait until the health port says `status` of a name."""
    async with asyncio.timeout(BOUND_SECONDS), grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=name)):
            if answer.status == status:
                return
