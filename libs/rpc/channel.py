"""The one client builder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from opentelemetry import propagate

from libs.rpc.deadlines import HOPELESS_SECONDS, budget_seconds
from libs.rpc.tls import TlsFiles, channel_credentials

IN_FLIGHT = 200
"""Calls at once per channel: grpcio's server drops calls above about 1,200 on one connection."""

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


class _Outgoing:
    """Deadline, trace context and a place among the calls in flight."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(IN_FLIGHT)

    async def prepare(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        left = budget_seconds(details.timeout)
        if left < HOPELESS_SECONDS:
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(),
                "too little time is left to make this call",
            )
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *carrier.items())
        await self._places.acquire()
        return grpc.aio.ClientCallDetails(
            details.method, left, metadata, details.credentials, details.wait_for_ready
        )

    def release(self, _: object) -> None:
        self._places.release()

    async def start(
        self, continuation: Callable[[Any, Any], Any], details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        prepared = await self.prepare(details)
        try:
            call = await continuation(prepared, request)
        except BaseException:
            self._places.release()
            raise
        call.add_done_callback(self.release)
        return call


class _UnaryUnary(_Outgoing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self.start(continuation, client_call_details, request)


class _StreamUnary(_Outgoing, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self.start(continuation, client_call_details, request_iterator)


def build_channel(
    target: str,
    *,
    services: Sequence[ServiceDescriptor],
    tls: TlsFiles | None = None,
    name: str | None = None,
) -> grpc.aio.Channel:
    """Return a channel that sets deadlines, bounds calls in flight and retries what is safe.

    Args:
        target: `host:port`; resolved by DNS to every replica.
        services: descriptors of what is called there.
        tls: our certificate; None = plain text, for loopback.
        name: name to check the server's certificate against, when it is not the host.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", service_config(services)),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ]
    if name is not None:
        options.append(("grpc.ssl_target_name_override", name))
    address = target if "://" in target or target.startswith(("dns:", "unix:")) else f"dns:///{target}"
    interceptors = (_UnaryUnary(), _StreamUnary())
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(
        address, channel_credentials(tls), options=options, interceptors=interceptors
    )
