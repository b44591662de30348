"""Health on a port of its own (facts: style §3): liveness, readiness, and one name per service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from libs.rpc.server import listen
from libs.telemetry.logs import get_logger

READINESS_PERIOD_SECONDS = 5.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
Probe = Callable[[], Awaitable[str | None]]
"""Returns None when ready, else one sentence that says why not."""


class Health:
    """The health server of one process.

    Args:
        services: full names of the services on the main port.
        probes: what readiness depends on.
    """

    def __init__(self, services: Sequence[str], probes: Sequence[Probe]) -> None:
        self._names = ("", "readiness", *services)
        self._probes = probes
        self._servicer = health_aio.HealthServicer()
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)
        self._ready: bool | None = None
        self._draining = False

    async def start(self, address: str) -> int:
        """Listen in plain text and answer; return the port."""
        port = listen(self._server, address, None, open_plaintext=True)
        await self._servicer.set("liveness", _SERVING)
        await self._set(ready=False)
        await self._server.start()
        return port

    async def _set(self, *, ready: bool) -> None:
        for name in self._names:
            serving = ready and not self._draining  # asked each time: a drain may begin in between
            await self._servicer.set(name, _SERVING if serving else _NOT_SERVING)

    async def check_once(self) -> bool:
        """Ask every probe, within 90 % of the period, and publish the result."""
        why = None
        try:
            async with asyncio.timeout(READINESS_PERIOD_SECONDS * 0.9):
                for probe in self._probes:
                    why = why or await probe()
        except TimeoutError:
            why = "a readiness probe took too long"
        except Exception as error:
            why = type(error).__name__
        ready = why is None and not self._draining
        if ready != self._ready:
            get_logger().info("readiness", ready=ready, why=why)
            self._ready = ready
        await self._set(ready=ready)
        return ready

    async def watch(self) -> None:
        """Check for ever, every five seconds."""
        while True:
            await self.check_once()
            await asyncio.sleep(READINESS_PERIOD_SECONDS)

    async def not_serving(self) -> None:
        """Say for good that no new work is taken, whatever the probes say; liveness stays."""
        self._draining = True
        await self._set(ready=False)

    async def stop(self) -> None:
        """Stop at once: a watcher must not hold the process."""
        await self._server.stop(0)
