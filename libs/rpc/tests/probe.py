"""A service with all four kinds of methods, whose behaviour each test chooses.

Its contract is made here as descriptors: no service of the suite may be imported from libs.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import grpc
from buf.validate import validate_pb2  # pants: no-infer-dep - comes with every proto of ours
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from libs.kernel.clock import Clock
from libs.rpc.backends import Backend
from libs.rpc.peers import PeerTable, rules
from libs.rpc.server import Limits
from libs.testing.rpc import Add, Rpc, rpc_harness

PACKAGE = "setlist.probe.v1"
Kind = descriptor_pb2.FieldDescriptorProto
Options = descriptor_pb2.MethodOptions


def _field(
    message: descriptor_pb2.DescriptorProto, name: str, kind: Any, *, of: str = "", many: bool = False
) -> descriptor_pb2.FieldDescriptorProto:
    number = len(message.field) + 1
    label = Kind.LABEL_REPEATED if many else Kind.LABEL_OPTIONAL
    return message.field.add(name=name, number=number, type=kind, type_name=of or None, label=label)


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="setlist/probe/v1/probe.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["buf/validate/validate.proto"],
    )
    thing = file.message_type.add(name="Thing")
    _field(thing, "name", Kind.TYPE_STRING)
    _field(thing, "parts", Kind.TYPE_MESSAGE, of=f".{PACKAGE}.Thing", many=True)
    _field(thing, "inner", Kind.TYPE_MESSAGE, of=f".{PACKAGE}.Thing")
    request = file.message_type.add(name="ProbeRequest")
    _field(request, "parent", Kind.TYPE_STRING)
    _field(request, "thing", Kind.TYPE_MESSAGE, of=f".{PACKAGE}.Thing")
    _field(request, "names", Kind.TYPE_STRING, many=True)
    size = _field(request, "size", Kind.TYPE_INT32)
    size.options.Extensions[validate_pb2.field].int32.gte = 0
    words = _field(request, "words", Kind.TYPE_STRING, many=True)
    words.options.Extensions[validate_pb2.field].repeated.items.string.max_len = 5
    _field(request, "page_size", Kind.TYPE_INT32)
    _field(request, "page_token", Kind.TYPE_STRING)
    entry = request.nested_type.add(name="LabelledEntry")
    entry.options.map_entry = True
    _field(entry, "key", Kind.TYPE_STRING)
    _field(entry, "value", Kind.TYPE_MESSAGE, of=f".{PACKAGE}.Thing")
    _field(request, "labelled", Kind.TYPE_MESSAGE, of=f".{PACKAGE}.ProbeRequest.LabelledEntry", many=True)
    answer = file.message_type.add(name="ProbeResponse")
    _field(answer, "text", Kind.TYPE_STRING)
    service = file.service.add(name="ProbeService")
    for name, asks, tells, level in (
        ("Read", False, False, Options.NO_SIDE_EFFECTS),
        ("Put", False, False, Options.IDEMPOTENT),
        ("Write", False, False, Options.IDEMPOTENCY_UNKNOWN),
        ("Open", False, False, Options.IDEMPOTENCY_UNKNOWN),
        ("Stream", False, True, Options.NO_SIDE_EFFECTS),
        ("Collect", True, False, Options.IDEMPOTENT),
        ("Chat", True, True, Options.IDEMPOTENT),
    ):
        method = service.method.add(name=name, client_streaming=asks, server_streaming=tells)
        method.input_type, method.output_type = f".{PACKAGE}.ProbeRequest", f".{PACKAGE}.ProbeResponse"
        method.options.idempotency_level = level
    return file


_POOL = descriptor_pool.Default()
_POOL.Add(_file())
PROBE = _POOL.FindServiceByName(f"{PACKAGE}.ProbeService")
Request: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.ProbeRequest"))
Response: Any = message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.ProbeResponse"))

PEERS: PeerTable = {
    **rules(PROBE, ["Read", "Stream", "Collect", "Chat"], "edge", "ops", "policy"),
    **rules(PROBE, ["Put"], "policy", "ops", users=False),
    **rules(PROBE, ["Write"], "edge", "ops"),
    **rules(PROBE, ["Open"], "edge", "ops", context=False),
}
METADATA = tuple[tuple[str, str], ...]
Behaviour = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[str]]


class Probe:
    """Answers each message with what `behaviour(request, context)` returns, in the four kinds."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    async def unary(self, request: Any, context: Any) -> Any:
        return Response(text=await self.behaviour(request, context))

    async def stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for _ in range(2):
            yield await self.unary(request, context)

    async def collect(self, requests: AsyncIterator[Any], context: Any) -> Any:
        return Response(text=",".join([await self.behaviour(one, context) async for one in requests]))

    async def chat(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for one in requests:
            yield await self.unary(one, context)

    def add(self, server: grpc.aio.Server) -> None:
        forms = {
            "request_deserializer": Request.FromString,
            "response_serializer": Response.SerializeToString,
        }
        unary = grpc.unary_unary_rpc_method_handler(self.unary, **forms)
        handlers = {
            "Read": unary,
            "Put": unary,
            "Write": unary,
            "Open": unary,
            "Stream": grpc.unary_stream_rpc_method_handler(self.stream, **forms),
            "Collect": grpc.stream_unary_rpc_method_handler(self.collect, **forms),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat, **forms),
        }
        register(server, handlers)


def register(server: grpc.aio.Server, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
    """Register in both ways, as generated code does: the native backend itself serves what is known by name."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(PROBE.full_name, handlers),))
    known: Any = server  # the stubs lag behind
    known.add_registered_method_handlers(PROBE.full_name, handlers)


def method(name: str) -> str:
    """Return the full name of a method."""
    return f"/{PROBE.full_name}/{name}"


def calling(channel: grpc.aio.Channel, name: str) -> Any:
    """Return a multicallable of the method's kind."""
    found = PROBE.methods_by_name[name]
    make = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[found.client_streaming, found.server_streaming]
    return make(method(name), Request.SerializeToString, Response.FromString)


async def ask(
    channel: grpc.aio.Channel,
    name: str,
    *requests: Any,
    metadata: METADATA = (),
    timeout: float | None = None,
) -> list[str]:
    """Call a method of any kind and return the texts of its answers."""
    found = PROBE.methods_by_name[name]
    given = iter(requests) if found.client_streaming else requests[0]
    call = calling(channel, name)(given, metadata=metadata, timeout=timeout)
    if found.server_streaming:
        return [answer.text async for answer in call]
    return [(await call).text]


async def refusal(
    channel: grpc.aio.Channel,
    name: str,
    *requests: Any,
    metadata: METADATA = (),
    timeout: float | None = None,
) -> grpc.aio.AioRpcError:
    """Call a method and return how it was refused."""
    try:
        answers = await ask(channel, name, *requests, metadata=metadata, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"`{name}` answered {answers}")


async def _hello(request: Any, context: Any) -> str:
    return "hello"


def serve(
    behaviour: Behaviour = _hello,
    *,
    clock: Clock | None = None,
    tls: bool = True,
    limits: Limits | None = None,
    peers: PeerTable = PEERS,
    add: Add | None = None,
    backend: Backend = Backend.GRPCIO,
) -> AbstractAsyncContextManager[Rpc]:
    """Serve a probe behind the whole chain: by mTLS on grpcio, as behind a mesh on the native backend.

    Args:
        behaviour: of the probe.
        clock: of the tokens.
        tls: False for plain text on grpcio, too.
        limits: of the server.
        peers: who may call.
        add: registers something else than the probe.
        backend: what speaks HTTP/2.
    """
    start = functools.partial(rpc_harness, "probe", peers, [PROBE], add or Probe(behaviour).add)
    native = backend is Backend.NATIVE
    return start(clock=clock, tls=tls and not native, limits=limits, backend=backend, behind_mesh=native)


class Serve(Protocol):
    """`serve` on the backend of the current test (fixture `serve`)."""

    def __call__(
        self,
        behaviour: Behaviour = ...,
        *,
        clock: Clock | None = ...,
        tls: bool = ...,
        limits: Limits | None = ...,
        peers: PeerTable = ...,
        add: Add | None = ...,
    ) -> AbstractAsyncContextManager[Rpc]: ...


MINE = "accounts/acc-1"
EACH_KIND = ("Read", "Stream", "Collect", "Chat")
