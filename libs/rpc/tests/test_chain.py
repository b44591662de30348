"""The order of the chain, and that no kind of method escapes it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from libs.rpc.chain import ORDER, Chain, build_steps
from libs.rpc.errors import reason_of
from libs.rpc.identity import current_caller
from libs.rpc.server import Limits
from libs.rpc.tests import probe
from libs.rpc.tests.probe import (
    EACH_KIND,
    MINE,
    PROBE,
    Probe,
    Request,
    Response,
    Serve,
    ask,
    calling,
    method,
    refusal,
    register,
)
from libs.rpc.tls import channel_credentials
from libs.testing.rpc import Rpc

BAD = Request(parent=MINE, size=-1)
FOREIGN = Request(parent="accounts/acc-2", size=-1)


def test_the_steps_stand_in_the_order_of_the_design() -> None:
    assert [name for name, _ in ORDER] == [
        "telemetry",
        "request log",
        "error map",
        "deadline",
        "authenticate",
        "tenant",
        "validate",
    ]
    assert [s.name for s in build_steps("probe", {}, None, None, 1)] == [name for name, _ in ORDER]


async def test_each_step_refuses_before_the_next_looks(serve: Serve) -> None:
    """One call that every step would refuse, made better step by step."""
    async with serve(limits=Limits(max_calls=1)) as rpc:
        stranger, edge = rpc.channel("privacy"), rpc.channel()

        hopeless = await _raw(rpc, "privacy", 0.05)
        unknown_peer = await refusal(stranger, "Read", FOREIGN, metadata=rpc.token(peer="privacy"))
        no_token = await refusal(edge, "Read", FOREIGN)
        other_account = await refusal(edge, "Read", FOREIGN, metadata=rpc.token())
        invalid = await refusal(edge, "Read", BAD, metadata=rpc.token())
        good = await ask(edge, "Read", Request(parent=MINE), metadata=rpc.token())

    assert hopeless.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason_of(unknown_peer) == "PERMISSION_DENIED"
    assert "peer" in (unknown_peer.details() or "")
    assert reason_of(no_token) == "UNAUTHENTICATED"
    assert reason_of(other_account) == "PERMISSION_DENIED"
    assert "another account" in (other_account.details() or "")
    assert reason_of(invalid) == "INVALID_REQUEST"
    assert good == ["hello"]


async def _raw(rpc: Rpc, peer: str, timeout: float) -> grpc.aio.AioRpcError:
    """Call without our client builder, which would not even send a hopeless call."""
    files = rpc.client_tls(peer)
    async with (
        grpc.aio.insecure_channel(rpc.address)
        if files is None
        else grpc.aio.secure_channel(rpc.address, channel_credentials(files))
    ) as channel:
        async with asyncio.timeout(5):
            await channel.channel_ready()
        return await refusal(channel, "Read", FOREIGN, timeout=timeout)


@pytest.mark.parametrize("name", EACH_KIND)
async def test_all_four_kinds_are_served(serve: Serve, name: str) -> None:
    async with serve() as rpc:
        answers = await ask(rpc.channel(), name, Request(parent=MINE), metadata=rpc.token())

    assert answers == (["hello", "hello"] if name == "Stream" else ["hello"])


@pytest.mark.parametrize("name", EACH_KIND)
async def test_all_four_kinds_are_guarded(serve: Serve, name: str) -> None:
    served: list[str] = []

    async def behave(request: Any, context: Any) -> str:
        served.append(request.parent)
        return ""

    async with serve(behave) as rpc:
        edge, mine = rpc.channel(), rpc.token()
        refusals = [
            await refusal(
                rpc.channel("privacy"), name, Request(parent=MINE), metadata=rpc.token(peer="privacy")
            ),
            await refusal(edge, name, Request(parent=MINE)),
            await refusal(edge, name, FOREIGN, metadata=mine),
            await refusal(edge, name, BAD, metadata=mine),
        ]

    assert [reason_of(r) for r in refusals] == [
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "INVALID_REQUEST",
    ]
    assert served == []


@pytest.mark.parametrize("name", ["Collect", "Chat"])
async def test_every_message_of_a_stream_is_checked_not_only_the_first(serve: Serve, name: str) -> None:
    served: list[str] = []

    async def behave(request: Any, context: Any) -> str:
        served.append(request.parent)
        return ""

    async with serve(behave) as rpc:
        good = Request(parent=MINE)
        foreign = await refusal(rpc.channel(), name, good, FOREIGN, metadata=rpc.token())
        bad = await refusal(rpc.channel(), name, good, BAD, metadata=rpc.token())

    assert reason_of(foreign) == "PERMISSION_DENIED"
    assert reason_of(bad) == "INVALID_REQUEST"
    assert served == [MINE, MINE]


async def test_a_call_knows_its_own_caller_only(serve: Serve) -> None:
    arrived = asyncio.Barrier(2)

    async def behave(request: Any, context: Any) -> str:
        await arrived.wait()
        return current_caller().subject

    async with serve(behave) as rpc:
        answers = await asyncio.gather(
            ask(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token(user=1)),
            ask(rpc.channel(), "Read", Request(parent="accounts/b"), metadata=rpc.token(account="b", user=2)),
        )

    assert list(answers) == [["user:1"], ["user:2"]]


async def test_a_reader_that_goes_away_closes_the_stream_behind_it(serve: Serve) -> None:
    closed = asyncio.Event()

    class Endless:
        async def stream(self, request: Any, context: Any) -> Any:
            try:
                while True:
                    yield Response(text="more")
            finally:
                closed.set()

        def add(self, server: grpc.aio.Server) -> None:
            handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_stream_rpc_method_handler(
                self.stream, Request.FromString, lambda answer: bytes(answer.SerializeToString())
            )
            register(server, {"Stream": handler})

    async with serve(add=Endless().add) as rpc:
        call = calling(rpc.channel(), "Stream")(Request(parent=MINE), metadata=rpc.token())
        assert (await call.read()).text == "more"
        call.cancel()
        async with asyncio.timeout(5):
            await closed.wait()


async def test_a_wrapper_is_made_once_per_handler_and_never_answers_for_another() -> None:
    def answering(text: bytes) -> Any:
        async def behave(request: Any, context: Any) -> Any:
            return text

        return grpc.unary_unary_rpc_method_handler(behave, lambda raw: raw, lambda answer: answer)

    chain, now = Chain([]), answering(b"first")

    async def find(details: Any) -> Any:
        return now

    async def wrapped(name: str) -> Any:
        details: Any = SimpleNamespace(method=name)
        return await chain.intercept_service(find, details)

    first = await wrapped("/a")
    assert await wrapped("/a") is first
    assert await wrapped("/b") is not first
    now = answering(b"second")
    second = await wrapped("/a")

    assert await first.unary_unary(b"", None) == b"first"
    assert await second.unary_unary(b"", None) == b"second"


async def ask_raw(channel: Any, name: str) -> None:
    await channel.unary_unary(method(name))(b"")


@pytest.mark.parametrize("name", ["Stream", "Chat"])
async def test_a_stream_that_never_waits_does_not_hold_up_other_calls(serve: Serve, name: str) -> None:
    """It is read as fast as it is written, so nothing but the chain gives the others a turn."""
    stop = False

    class Pouring(Probe):
        async def stream(self, request: Any, context: Any) -> Any:
            while not stop:
                yield Response(text="more")

        async def chat(self, requests: Any, context: Any) -> Any:
            async for one in self.stream(None, context):
                yield one

    async def done(request: Any, context: Any) -> str:
        return "done"

    async with serve(add=Pouring(done).add) as rpc, asyncio.timeout(20):
        given = iter([Request(parent=MINE)]) if name == "Chat" else Request(parent=MINE)
        call = calling(rpc.channel(), name)(given, metadata=rpc.token())
        read = 0

        async def drain() -> None:
            nonlocal read
            async for _ in call:
                read += 1

        reading = asyncio.create_task(drain())
        for _ in range(5):
            assert await ask(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token()) == ["done"]
        stop = True
        await reading

    assert read > 0


async def test_a_method_that_nobody_wrote_down_is_unimplemented(serve: Serve) -> None:
    async with serve() as rpc:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask_raw(rpc.channel(), "Nothing")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_is_for_operators() -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with probe.serve() as rpc:
        make: Any = reflection_pb2_grpc.ServerReflectionStub  # its stubs know no asyncio
        ops = make(rpc.channel("ops"))
        answers = [a async for a in ops.ServerReflectionInfo(iter([request]))]
        edge = make(rpc.channel("edge"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [a async for a in edge.ServerReflectionInfo(iter([request]))]

    listed = {s.name for a in answers for s in a.list_services_response.service}
    assert PROBE.full_name in listed
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
