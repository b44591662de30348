"""Deadlines: hopeless calls are refused, each hop gets less, a full server sheds."""

import asyncio
from typing import Any

import grpc
import pytest

from libs.rpc.deadlines import DEFAULT_SECONDS, HOPELESS_SECONDS, KEPT_BACK_SECONDS
from libs.rpc.errors import reason_of, retry_delay_seconds
from libs.rpc.server import Limits
from libs.rpc.tests.probe import EACH_KIND, MINE, Request, Serve, ask, refusal
from libs.testing.rpc import Rpc

REQUEST = Request(parent=MINE)


async def left(request: Any, context: Any) -> str:
    """Answer how much time is left."""
    remaining = context.time_remaining()
    without_end = remaining is None or remaining > 1e9  # the native backend says a huge number, not None
    return "none" if without_end else str(remaining)


async def test_a_call_without_a_time_out_gets_ten_seconds_and_a_watch_none(serve: Serve) -> None:
    async with serve(left) as rpc:
        [unary] = await ask(rpc.channel(), "Read", REQUEST, metadata=rpc.token())
        [collected] = await ask(rpc.channel(), "Collect", REQUEST, metadata=rpc.token())
        streamed = await ask(rpc.channel(), "Stream", REQUEST, metadata=rpc.token())

    assert abs(float(unary) - DEFAULT_SECONDS) < 2
    assert abs(float(collected) - DEFAULT_SECONDS) < 2
    assert set(streamed) == {"none"}


@pytest.mark.parametrize("name", EACH_KIND)
async def test_a_caller_may_set_its_own(serve: Serve, name: str) -> None:
    async with serve(left) as rpc:
        answers = await ask(rpc.channel(), name, REQUEST, metadata=rpc.token(), timeout=3)

    assert all(abs(float(answer) - 3) < 1 for answer in answers)


def relay(to: Rpc, name: str) -> Any:
    """Return a behaviour that asks the next server, and answers both times."""

    async def behave(request: Any, context: Any) -> str:
        mine = await left(request, context)
        answers = await ask(to.channel(), name, REQUEST, metadata=to.token(), timeout=60)
        return f"{mine} {answers[0]}"

    return behave


@pytest.mark.parametrize("name", EACH_KIND)
async def test_each_hop_has_less_time_than_the_one_before(serve: Serve, name: str) -> None:
    async with serve(left) as third, serve(relay(third, name)) as second, serve(relay(second, name)) as first:
        [answer, *_] = await ask(first.channel(), "Read", REQUEST, metadata=first.token(), timeout=5)

    times = [float(t) for t in answer.split()]
    assert len(times) == 3
    assert abs(times[0] - 5) < 2
    kept_back = KEPT_BACK_SECONDS - 0.005  # deadlines travel in whole milliseconds
    assert times[1] <= times[0] - kept_back
    assert times[2] <= times[1] - kept_back
    assert times[2] > 3


async def test_a_hopeless_call_is_not_sent(serve: Serve) -> None:
    async with serve() as rpc:
        error = await refusal(
            rpc.channel(), "Read", REQUEST, metadata=rpc.token(), timeout=HOPELESS_SECONDS / 2
        )

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "too little time is left to make this call"


async def test_a_hopeless_call_is_refused_with_a_reason(serve: Serve) -> None:
    """A client that is not ours sends it; the server is told a longer time than it then grants."""
    served: list[object] = []

    async def behave(request: Any, context: Any) -> str:
        served.append(request)
        return ""

    async with serve(behave, tls=False) as rpc, grpc.aio.insecure_channel(rpc.address) as channel:
        await channel.channel_ready()
        error = await refusal(channel, "Read", REQUEST, metadata=rpc.token(), timeout=HOPELESS_SECONDS * 0.9)

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason_of(error) == "DEADLINE_TOO_SHORT"
    assert served == []


async def test_the_deadline_ends_the_work(serve: Serve) -> None:
    ended = asyncio.Event()

    async def behave(request: Any, context: Any) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    async with serve(behave) as rpc:
        error = await refusal(rpc.channel(), "Read", REQUEST, metadata=rpc.token(), timeout=0.3)
        async with asyncio.timeout(5):
            await ended.wait()

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("name", EACH_KIND)
async def test_a_full_server_sheds_with_a_delay_and_recovers(serve: Serve, name: str) -> None:
    inside, go = asyncio.Barrier(3), asyncio.Event()

    async def behave(request: Any, context: Any) -> str:
        if not go.is_set():
            await inside.wait()
            await go.wait()
        return "done"

    async with serve(behave, limits=Limits(max_calls=2)) as rpc:
        working = [
            asyncio.create_task(ask(rpc.channel(), "Read", REQUEST, metadata=rpc.token())) for _ in range(2)
        ]
        async with asyncio.timeout(5):
            await inside.wait()
        shed = await refusal(rpc.channel(), name, REQUEST, metadata=rpc.token())
        go.set()
        answers = await asyncio.gather(*working)
        again = await ask(rpc.channel(), name, REQUEST, metadata=rpc.token())

    assert shed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason_of(shed) == "OVERLOADED"
    assert retry_delay_seconds(shed) == 1.0
    assert answers == [["done"], ["done"]]
    assert again[0] == "done"


async def test_refused_and_failed_calls_give_their_place_back(serve: Serve) -> None:
    async def behave(request: Any, context: Any) -> str:
        raise ValueError("no")

    async with serve(behave, limits=Limits(max_calls=1)) as rpc:
        codes = [
            (await refusal(rpc.channel(), "Read", REQUEST, metadata=metadata)).code()
            for metadata in ((), rpc.token(), (), rpc.token())
        ]

    assert codes == [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INTERNAL] * 2
