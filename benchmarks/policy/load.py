"""The one load generator: keeps so many calls in flight on one connection, sends bytes and reads bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import grpc

from benchmarks.measure import cpu_seconds, percentile

QUIET_SECONDS = 0.25
QUIET_SHARE = 0.1
"""Of one processor: below, a server has written its log and rests."""


@dataclass(frozen=True, slots=True)
class Round:
    """Figures of some calls.

    Attributes:
        cpu_us: CPU time of the server's process per call, what it does afterwards for them included.
        per_second: calls.
        latencies: of each call, in milliseconds.
    """

    cpu_us: float
    per_second: float
    latencies: list[float]

    @property
    def p50(self) -> float:
        """In milliseconds."""
        return percentile(self.latencies, 0.5)

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return percentile(self.latencies, 0.99)


async def call(
    channel: grpc.aio.Channel,
    method: str,
    requests: Sequence[bytes],
    metadata: tuple[tuple[str, str], ...] = (),
    in_flight: int = 8,
) -> tuple[list[bytes], list[float]]:
    """Send every request; return the answers in their order, and the milliseconds of each.

    Raises:
        grpc.aio.AioRpcError: one was refused: then nothing is measured.
    """
    send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    answers, taken = [b""] * len(requests), [0.0] * len(requests)
    places = iter(range(len(requests)))

    async def one_after_the_other() -> None:
        for place in places:
            began = time.perf_counter()
            answers[place] = await send(requests[place], metadata=metadata, timeout=30)
            taken[place] = (time.perf_counter() - began) * 1000

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_the_other())
    return answers, taken


async def measured(
    pid: int,
    channel: grpc.aio.Channel,
    method: str,
    requests: Sequence[bytes],
    metadata: tuple[tuple[str, str], ...],
    in_flight: int,
    idle: float,
) -> Round:
    """Send every request and tell what it cost.

    Args:
        idle: seconds of CPU a second that the server uses for nothing; they are not counted.
    """
    await quiet(pid)
    cpu, began = cpu_seconds(pid), time.perf_counter()
    _, taken = await call(channel, method, requests, metadata, in_flight)
    seconds = time.perf_counter() - began
    await quiet(pid)
    used = cpu_seconds(pid) - cpu - idle * (time.perf_counter() - began)
    return Round(used / len(requests) * 1e6, len(requests) / seconds, taken)


async def quiet(pid: int) -> None:
    """Wait until a server rests: the decision log of the calls before is written."""
    while True:
        cpu = cpu_seconds(pid)
        await asyncio.sleep(QUIET_SECONDS)
        if cpu_seconds(pid) - cpu < QUIET_SECONDS * QUIET_SHARE:
            return


async def idle_share(pid: int, seconds: float = 2.0) -> float:
    """Return the CPU seconds a second of a server that nobody calls."""
    await quiet(pid)
    cpu = cpu_seconds(pid)
    await asyncio.sleep(seconds)
    return (cpu_seconds(pid) - cpu) / seconds


def some_of(requests: Sequence[bytes], number: int, count: int) -> list[bytes]:
    """Return the requests of a round: others than in the round before."""
    start = number * count % len(requests)
    return list(islice(cycle(requests), start, start + count))
