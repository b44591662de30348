"""The health port: liveness, readiness, one name per service; a drain is final."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.rpc.health import Health
from libs.rpc.server import PortTakenError

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ("", "readiness", "setlist.probe.v1.ProbeService")


class Dependency:
    """Something a service needs; says why it is not there."""

    def __init__(self) -> None:
        self.why: str | Exception | None = None

    async def __call__(self) -> str | None:
        if isinstance(self.why, Exception):
            raise self.why
        return self.why


@asynccontextmanager
async def running(*probes: Dependency) -> AsyncIterator[tuple[Health, Any]]:
    health = Health(["setlist.probe.v1.ProbeService"], probes)
    port = await health.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield health, health_pb2_grpc.HealthStub(channel)
    await health.stop()


async def states(stub: Any) -> dict[str, int]:
    found = {}
    for name in ("liveness", *NAMES):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        found[name] = answer.status
    return found


def expected(status: int) -> dict[str, int]:
    return {"liveness": SERVING, **dict.fromkeys(NAMES, status)}


async def test_a_process_lives_before_it_is_ready() -> None:
    async with running() as (health, stub):
        assert await states(stub) == expected(NOT_SERVING)
        assert await health.check_once()
        assert await states(stub) == expected(SERVING)


@pytest.mark.parametrize("why", ["the database does not answer", RuntimeError("no"), OSError("no")])
async def test_readiness_follows_its_probes_and_liveness_does_not(why: str | Exception) -> None:
    good, bad = Dependency(), Dependency()
    async with running(good, bad) as (health, stub):
        bad.why = why
        assert not await health.check_once()
        assert await states(stub) == expected(NOT_SERVING)

        bad.why = None
        assert await health.check_once()
        assert await states(stub) == expected(SERVING)


async def test_a_probe_that_hangs_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.rpc.health.READINESS_PERIOD_SECONDS", 0.05)

    class Hanging(Dependency):
        async def __call__(self) -> str | None:
            await asyncio.Event().wait()
            return None

    async with running(Hanging()) as (health, _):
        assert not await health.check_once()


async def test_nothing_makes_a_draining_process_ready_again() -> None:
    async with running(Dependency()) as (health, stub):
        await health.check_once()
        await health.not_serving()
        assert await states(stub) == expected(NOT_SERVING)

        assert not await health.check_once()
        assert await states(stub) == expected(NOT_SERVING)


async def test_a_drain_during_a_check_wins() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow(Dependency):
        async def __call__(self) -> str | None:
            asked.set()
            await go.wait()
            return None

    async with running(Slow()) as (health, stub):
        check = asyncio.create_task(health.check_once())
        await asked.wait()
        await health.not_serving()
        go.set()
        assert not await check
        assert await states(stub) == expected(NOT_SERVING)


async def test_an_unknown_name_is_not_found() -> None:
    async with running() as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="setlist.other"), timeout=5)

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_hears_of_the_drain_and_does_not_hold_the_stop() -> None:
    health = Health([], [Dependency()])
    port = await health.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs name no methods
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="readiness"))
        seen = [(await watch.read()).status]
        await health.check_once()
        seen.append((await watch.read()).status)
        await health.not_serving()
        seen.append((await watch.read()).status)
        async with asyncio.timeout(2):
            await health.stop()

    assert seen == [NOT_SERVING, SERVING, NOT_SERVING]


async def test_two_processes_cannot_share_the_port() -> None:
    first, second = Health([], []), Health([], [])
    port = await first.start("127.0.0.1:0")
    try:
        with pytest.raises(PortTakenError, match=f"cannot listen on 127.0.0.1:{port}"):
            await second.start(f"127.0.0.1:{port}")
    finally:
        await first.stop()
        await second.stop()
