"""SIGTERM drains: no new readiness, work in flight ends, exit 0. A loop that will not live ends the process."""

import asyncio
import signal
from typing import Any

import grpc
import pytest

from libs.rpc.tests.probe import Request, ask, calling
from libs.service.tests.process import NOT_SERVING, SERVING, health, running, until_health
from libs.testing.postgres import FreshDatabase

pytestmark = pytest.mark.integration
BACKENDS = pytest.mark.parametrize("backend", ["grpcio", "native"])
SCHEMA = "libs.db.tests.migrations_sample"


@BACKENDS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_drain_lets_work_in_flight_end_and_still_answers_newcomers(
    fresh_database: FreshDatabase, number: signal.Signals, backend: str
) -> None:
    async with running(
        TINY_DATABASE_URL=fresh_database(SCHEMA),
        TINY_DRAIN_LAG_SECONDS="1",
        TINY_DRAIN_GRACE_SECONDS="20",
        TINY_RPC_BACKEND=backend,
    ) as service:
        serving = await service.event("serving")
        await until_health(serving["health"], "readiness", SERVING)
        async with grpc.aio.insecure_channel(serving["address"]) as channel:
            talk: Any = calling(channel, "Chat")()
            await talk.write(Request(parent="before"))
            assert (await talk.read()).text == "echo before"

            service.process.send_signal(number)
            await until_health(serving["health"], "readiness", NOT_SERVING)
            assert await health(serving["health"], "liveness") == SERVING
            assert await ask(channel, "Read", Request(parent="newcomer")) == ["echo newcomer"]
            await talk.write(Request(parent="after"))
            assert (await talk.read()).text == "echo after"
            await talk.done_writing()
            assert await talk.code() is grpc.StatusCode.OK
        assert await service.end() == 0

    events = [line["event"] for line in service.lines]
    assert events.index("draining") < events.index("closed") < events.index("stopped")


@BACKENDS
async def test_after_the_grace_nobody_holds_the_process(fresh_database: FreshDatabase, backend: str) -> None:
    async with running(
        TINY_DATABASE_URL=fresh_database(SCHEMA), TINY_DRAIN_GRACE_SECONDS="0.3", TINY_RPC_BACKEND=backend
    ) as service:
        serving = await service.event("serving")
        async with grpc.aio.insecure_channel(serving["address"]) as channel:
            talk: Any = calling(channel, "Chat")()
            await talk.write(Request(parent="x"))
            await talk.read()
            service.process.terminate()
            async with asyncio.timeout(15):
                assert await talk.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert await service.end() == 0


async def test_a_loop_that_keeps_failing_ends_the_process(fresh_database: FreshDatabase) -> None:
    async with running(TINY_DATABASE_URL=fresh_database(SCHEMA), TINY_LOOP="raises") as service:
        await service.event("serving")
        assert service.process.stderr is not None
        err = (await service.process.stderr.read()).decode()
        assert await service.end() == 1

    assert err == "tiny: background loop `upkeep` failed 5 times in a row, last: ConnectionError\n"
    failures = [line for line in service.lines if line["event"] == "background loop failed"]
    assert len(failures) == 5
    assert "lovelace" not in str(service.lines)
    assert "closed" in [line["event"] for line in service.lines]


async def test_the_log_lines_of_a_process_name_the_service(fresh_database: FreshDatabase) -> None:
    async with running(TINY_DATABASE_URL=fresh_database(SCHEMA), TINY_LOG_LEVEL="debug") as service:
        serving = await service.event("serving")
        async with grpc.aio.insecure_channel(serving["address"]) as channel:
            await ask(channel, "Read", Request(parent="x"))
        call = await service.event("rpc")
        service.process.terminate()
        assert await service.end() == 0

    assert (call["code"], call["service"], call["level"]) == ("OK", "tiny", "debug")
    assert {line.get("service", "tiny") for line in service.lines} == {"tiny"}
