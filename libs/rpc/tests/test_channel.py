"""The client builder: what it retries, how much it has in flight, what it passes on."""

import asyncio
import json
from collections import Counter
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from libs.kernel.errors import DependencyUnavailableError
from libs.rpc.channel import IN_FLIGHT, build_channel, service_config
from libs.rpc.errors import reason_of
from libs.rpc.tests.probe import EACH_KIND, MINE, PROBE, Request, Serve, ask, calling, refusal

REQUEST = Request(parent=MINE)


def test_the_service_config_holds_no_time_out_and_retries_what_is_idempotent() -> None:
    config = json.loads(service_config([PROBE]))

    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    [methods] = config["methodConfig"]
    assert "timeout" not in methods  # broken in grpcio: grpc #34547
    assert sorted(n["method"] for n in methods["name"]) == ["Chat", "Collect", "Put", "Read", "Stream"]


async def _attempts(serve: Serve, name: str, code: grpc.StatusCode, failures: int) -> tuple[int, str]:
    """Return how often the server was asked, and how it ended, when the first calls fail with `code`."""
    asked = 0

    async def behave(request: Any, context: Any) -> str:
        nonlocal asked
        asked += 1
        if asked <= failures:
            await context.abort(code, "not now")
        return "done"

    async with serve(behave) as rpc:
        peer, metadata = "policy", rpc.token(job="policy")
        if name == "Write":
            peer, metadata = "edge", rpc.token()
        try:
            [end, *_] = await ask(rpc.channel(peer), name, REQUEST, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            end = error.code().name
    return asked, end


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize("name", ["Read", "Put", "Stream", "Collect"])
async def test_idempotent_calls_are_tried_four_times(serve: Serve, name: str, code: grpc.StatusCode) -> None:
    answers = 2 if name == "Stream" else 1
    assert await _attempts(serve, name, code, 2) == (2 + answers, "done")
    assert await _attempts(serve, name, code, 99) == (4, code.name)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_other_calls_are_tried_once(serve: Serve, code: grpc.StatusCode) -> None:
    assert await _attempts(serve, "Write", code, 99) == (1, code.name)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.ABORTED, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL]
)
async def test_other_failures_are_not_retried(serve: Serve, code: grpc.StatusCode) -> None:
    assert await _attempts(serve, "Read", code, 99) == (1, code.name)


async def test_an_error_of_ours_keeps_its_reason_through_the_retries(serve: Serve) -> None:
    async def behave(request: Any, context: Any) -> str:
        raise DependencyUnavailableError("auth does not answer")

    async with serve(behave) as rpc:
        error = await refusal(rpc.channel(), "Read", REQUEST, metadata=rpc.token())

    assert reason_of(error) == "DEPENDENCY_UNAVAILABLE"


class _Crowd:
    """Counts the calls that are served at once; lets nobody out before it is told to."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.go = asyncio.Event()
        self.changed = asyncio.Condition()

    async def __call__(self, request: Any, context: Any) -> str:
        async with self.changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.changed.notify_all()
        try:
            await self.go.wait()
        finally:
            async with self.changed:
                self.inside -= 1
                self.changed.notify_all()
        return "done"

    async def holds(self, number: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: self.inside == number)


async def test_calls_beyond_the_bound_wait_for_a_place_whatever_their_kind(serve: Serve) -> None:
    crowd = _Crowd()
    async with (
        serve(crowd) as rpc,
        build_channel(rpc.address, services=[PROBE], tls=rpc.client_tls("edge"), in_flight=4) as channel,
    ):
        calls = [
            asyncio.create_task(ask(channel, name, REQUEST, metadata=rpc.token())) for name in EACH_KIND * 5
        ]
        await crowd.holds(4)
        crowd.go.set()
        answers = await asyncio.gather(*calls)

    assert crowd.most == 4
    assert Counter(answer[0] for answer in answers) == {"done": 20}


async def test_who_waits_for_a_place_longer_than_the_deadline_is_refused(serve: Serve) -> None:
    crowd = _Crowd()
    async with (
        serve(crowd) as rpc,
        build_channel(rpc.address, services=[PROBE], tls=rpc.client_tls("edge"), in_flight=1) as channel,
    ):
        first = asyncio.create_task(ask(channel, "Read", REQUEST, metadata=rpc.token()))
        await crowd.holds(1)
        error = await refusal(channel, "Read", REQUEST, metadata=rpc.token(), timeout=0.2)
        crowd.go.set()
        assert await first == ["done"]
        assert await ask(channel, "Read", REQUEST, metadata=rpc.token()) == ["done"]

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "no place among the calls in flight became free in time"


async def test_when_too_many_wait_the_next_fails_at_once_and_the_waiting_are_served(serve: Serve) -> None:
    crowd = _Crowd()
    async with (
        serve(crowd) as rpc,
        build_channel(
            rpc.address, services=[PROBE], tls=rpc.client_tls("edge"), in_flight=2, waiting=3
        ) as channel,
    ):

        def call() -> asyncio.Task[list[str]]:
            return asyncio.create_task(ask(channel, "Read", REQUEST, metadata=rpc.token()))

        first = [call() for _ in range(5)]
        await crowd.holds(2)
        refused = await refusal(channel, "Read", REQUEST, metadata=rpc.token())
        first[-1].cancel()  # one who gives up waiting leaves room for another
        await asyncio.wait([first[-1]])
        another = call()
        crowd.go.set()
        answers = await asyncio.gather(*first[:-1], another)

    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.details() == "too many calls wait for a place among the calls in flight"
    assert answers == [["done"]] * 5


async def test_a_call_that_the_caller_cancels_is_not_tried_again(serve: Serve) -> None:
    asked = 0
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def behave(request: Any, context: Any) -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            return "another call"
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return "never"

    async with serve(behave) as rpc:
        call = calling(rpc.channel(), "Read")(REQUEST, metadata=rpc.token())
        waiting = asyncio.ensure_future(_awaited(call))
        async with asyncio.timeout(5):
            await arrived.wait()
            call.cancel()
            await gone.wait()
        await asyncio.wait([waiting])
        [end] = await ask(rpc.channel(), "Write", REQUEST, metadata=rpc.token())  # Write itself is tried once

    assert waiting.cancelled()
    assert (end, asked) == ("another call", 2)


async def test_two_thousand_calls_at_once_all_end_well(serve: Serve) -> None:
    """grpcio's server cancels calls above about 1,200 on one connection; the bound keeps us below."""
    inside = most = 0
    together = asyncio.Event()

    async def behave(request: Any, context: Any) -> str:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside > 1:
            together.set()
        await together.wait()  # the first is still there when the second comes
        inside -= 1
        return "done"

    async with serve(behave) as rpc:
        calls = [ask(rpc.channel(), "Read", REQUEST, metadata=token) for token in [rpc.token()] * 2000]
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert Counter(map(repr, answers)) == {"['done']": 2000}
    assert 1 < most <= IN_FLIGHT


@pytest.mark.parametrize("name", EACH_KIND)
async def test_cancelled_calls_give_their_place_back(serve: Serve, name: str) -> None:
    crowd = _Crowd()
    async with (
        serve(crowd) as rpc,
        build_channel(rpc.address, services=[PROBE], tls=rpc.client_tls("edge"), in_flight=1) as channel,
    ):
        for _ in range(3):
            given = iter([REQUEST]) if name in {"Collect", "Chat"} else REQUEST
            call = calling(channel, name)(given, metadata=rpc.token())
            reading = asyncio.ensure_future(
                call.read() if PROBE.methods_by_name[name].server_streaming else _awaited(call)
            )
            await crowd.holds(1)
            reading.cancel()
            call.cancel()
            await asyncio.wait([reading], timeout=5)
            await crowd.holds(0)
        crowd.go.set()
        assert (await ask(channel, name, REQUEST, metadata=rpc.token()))[0] == "done"


async def _awaited(call: Any) -> Any:
    return await call


@pytest.mark.parametrize("name", EACH_KIND)
async def test_the_trace_goes_with_every_kind_of_call(serve: Serve, name: str) -> None:
    async def behave(request: Any, context: Any) -> str:
        return next((str(v) for k, v in context.invocation_metadata() if k == "traceparent"), "none")

    tracer = TracerProvider().get_tracer("test")
    async with serve(behave) as rpc:
        with tracer.start_as_current_span("caller") as span:
            [seen, *_] = await ask(rpc.channel(), name, REQUEST, metadata=rpc.token())

    assert trace.format_trace_id(span.get_span_context().trace_id) in seen
