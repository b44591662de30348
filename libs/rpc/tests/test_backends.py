"""What only the native backend needs, and that it really is what serves."""

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from libs.rpc.backends import Backend, BackendError, prepare_loop
from libs.rpc.call import BREATH, Call
from libs.rpc.server import Limits, build_server
from libs.rpc.tests import probe
from libs.rpc.tests.probe import EACH_KIND, MINE, Probe, Request, Response, ask, calling
from libs.rpc.tls import TlsFiles

SLOW_READERS = 40
"""More than Python's own default pool has threads, on any machine."""


async def _done(request: Any, context: Any) -> str:
    return "done"


@pytest.fixture
async def own_pool() -> AsyncIterator[None]:
    """Lets a test change the pool of the loop that all tests share."""
    yield
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor())


@pytest.mark.usefixtures("own_pool")
async def test_slow_readers_leave_threads_to_the_others() -> None:
    class Pouring(Probe):
        async def stream(self, request: Any, context: Any) -> Any:
            while True:
                yield Response(text="x" * 100_000)

    prepare_loop(Backend.NATIVE, Limits().max_calls)
    async with probe.serve(add=Pouring(_done).add, backend=Backend.NATIVE) as rpc:
        calls = [
            calling(rpc.channel(), "Stream")(Request(parent=MINE), metadata=rpc.token())
            for _ in range(SLOW_READERS)
        ]
        for call in calls:
            assert len((await call.read()).text) == 100_000
        for _ in range(100):  # calls and streams take turns: by now every stream waits for its reader
            await ask(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token())
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(lambda: "a thread") == "a thread"
        assert await ask(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token()) == ["done"]
        for call in calls:
            call.cancel()


class _Gone:
    """A context as the native backend's is once the caller is gone: `write` neither waits nor complains."""

    async def write(self, message: bytes) -> None:
        """Drop it."""


async def test_a_generator_that_never_waits_hears_that_it_was_cancelled() -> None:
    made = 0
    closed = False

    async def pour(request: Any, context: Any) -> AsyncIterator[bytes]:
        nonlocal made, closed
        try:
            for made in range(1, 100_000):  # noqa: B007 - read outside
                yield b"more"
        finally:
            closed = True

    handler: Any = grpc.unary_stream_rpc_method_handler(pour, lambda raw: raw, lambda answer: answer)
    gone: Any = _Gone()
    serving = asyncio.create_task(Call("/a/b", gone, handler, b"").serve())
    asyncio.get_running_loop().call_soon(serving.cancel)  # in the turn after the first messages
    await asyncio.wait([serving])

    assert serving.cancelled()
    assert closed
    assert made <= 2 * BREATH


async def test_the_native_backend_serves_one_message_itself_and_leaves_streams_of_requests_to_grpcio() -> (
    None
):
    """Else the switch would measure and serve grpcio under another name."""

    async def where(request: Any, context: Any) -> str:
        return str(context.peer()).partition(":")[0]

    async with probe.serve(where, backend=Backend.NATIVE) as rpc:
        seen = {
            n: (await ask(rpc.channel(), n, Request(parent=MINE), metadata=rpc.token()))[0] for n in EACH_KIND
        }

    assert seen == {"Read": "ipv4", "Stream": "ipv4", "Collect": "unix", "Chat": "unix"}


async def test_the_native_backend_does_not_take_a_certificate_and_then_serve_plain_text(
    tmp_path: Path,
) -> None:
    files = TlsFiles(tmp_path / "cert", tmp_path / "key", tmp_path / "ca")
    with pytest.raises(BackendError, match="the `native` backend serves no TLS"):
        build_server(service="probe", peers={}, verifier=None, tls=files, backend=Backend.NATIVE)


async def test_what_is_too_large_is_refused_on_every_backend(backend: Backend) -> None:
    async with probe.serve(_done, backend=backend, limits=Limits(max_message_bytes=10_000)) as rpc:
        for name in EACH_KIND:
            large = Request(parent=MINE, page_token="x" * 20_000)
            error = await probe.refusal(rpc.channel(), name, large, metadata=rpc.token())
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, name
        assert await ask(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token()) == ["done"]
