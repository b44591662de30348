"""The one client builder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from opentelemetry import propagate

from libs.rpc.deadlines import DEFAULT_SECONDS, HOPELESS_SECONDS, budget_seconds
from libs.rpc.tls import TlsFiles, channel_credentials

IN_FLIGHT = 200
"""Calls at once per channel: grpcio's server drops calls above about 1,200 on one connection."""
WAITING = 4000
"""Calls that may wait for a place; more are refused at once, for a queue without end only hides an outage."""

LONGEST_RECONNECT_MS = 2000

_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}


def service_config(services: Sequence[ServiceDescriptor]) -> str:
    """Return gRPC's service config: round robin, and retries for what the proto calls idempotent."""
    names = [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if method.GetOptions().idempotency_level != 0
    ]
    methods = [{"name": names, "retryPolicy": _RETRY}] if names else []
    return json.dumps({"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": methods})


def _refused(code: grpc.StatusCode, why: str) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, nothing, nothing, why)


def _too_late(why: str) -> grpc.aio.AioRpcError:
    return _refused(grpc.StatusCode.DEADLINE_EXCEEDED, why)


class _Outgoing:
    """Deadline, trace context and a place among the calls in flight, for all four kinds of calls."""

    def __init__(self, in_flight: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(in_flight)
        self._may_wait = waiting

    async def _take_place(self, own: float | None) -> float | None:
        """Wait for a place; return the seconds that are left then, None for a stream without an end."""
        left = budget_seconds(own)
        if left is not None and left < HOPELESS_SECONDS:
            raise _too_late("too little time is left to make this call")
        if not self._places.locked():
            await self._places.acquire()  # at once
            return left
        if self._may_wait <= 0:
            raise _refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "too many calls wait for a place among the calls in flight",
            )
        began = asyncio.get_running_loop().time()
        self._may_wait -= 1
        try:
            async with asyncio.timeout(left):
                await self._places.acquire()
        except TimeoutError:
            raise _too_late("no place among the calls in flight became free in time") from None
        finally:
            self._may_wait += 1
        return None if left is None else left - (asyncio.get_running_loop().time() - began)

    async def start(
        self,
        continuation: Callable[[Any, Any], Any],
        details: grpc.aio.ClientCallDetails,
        request: Any,
        default_seconds: float | None,
    ) -> Any:
        left = await self._take_place(default_seconds if details.timeout is None else details.timeout)
        try:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            metadata = grpc.aio.Metadata(*(details.metadata or ()), *carrier.items())
            prepared = grpc.aio.ClientCallDetails(
                details.method, left, metadata, details.credentials, details.wait_for_ready
            )
            call = await continuation(prepared, request)
            call.add_done_callback(lambda _: self._places.release())
        except BaseException:
            self._places.release()
            raise
        return call


class _Interceptor:
    def __init__(self, outgoing: _Outgoing) -> None:
        self._outgoing = outgoing


class _UnaryUnary(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._outgoing.start(continuation, client_call_details, request, DEFAULT_SECONDS)


class _StreamUnary(_Interceptor, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._outgoing.start(
            continuation, client_call_details, request_iterator, DEFAULT_SECONDS
        )


class _UnaryStream(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._outgoing.start(continuation, client_call_details, request, None)


class _StreamStream(_Interceptor, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._outgoing.start(continuation, client_call_details, request_iterator, None)


def build_channel(
    target: str,
    *,
    services: Sequence[ServiceDescriptor],
    tls: TlsFiles | None = None,
    name: str | None = None,
    in_flight: int = IN_FLIGHT,
    waiting: int = WAITING,
) -> grpc.aio.Channel:
    """Return a channel that sets deadlines, bounds calls in flight and retries what is safe.

    A call with one answer gets 10 s when it names no time-out of its own. A stream of answers gets none, for a
    watch has no end; like every call it ends with the call in whose service it is made.

    Args:
        target: `host:port`; resolved by DNS to every replica.
        services: descriptors of what is called there.
        tls: our certificate; None = plain text, for loopback.
        name: name to check the server's certificate against, when it is not the host.
        in_flight: calls at once; the others wait, within their deadline.
        waiting: calls that may wait so; the next fails with RESOURCE_EXHAUSTED.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", service_config(services)),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        # gRPC would wait up to two minutes between two attempts: who is back must be found back at once.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
    ]
    if name is not None:
        options.append(("grpc.ssl_target_name_override", name))
    address = target if "://" in target or target.startswith(("dns:", "unix:")) else f"dns:///{target}"
    outgoing = _Outgoing(in_flight, waiting)
    kinds = (_UnaryUnary, _StreamUnary, _UnaryStream, _StreamStream)
    interceptors = [kind(outgoing) for kind in kinds]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(
        address, channel_credentials(tls), options=options, interceptors=interceptors
    )
