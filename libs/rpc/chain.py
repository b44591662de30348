"""The interceptor chain of every server, as one constant with a reason per step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import grpc

from libs.rpc.call import Call, Step
from libs.rpc.errors import INTERNAL_TEXT
from libs.rpc.identity import ContextVerifier
from libs.rpc.peers import PeerTable
from libs.rpc.steps import Authenticate, Deadline, ErrorMap, RequestLog, Telemetry, Validate
from libs.rpc.tenant import Tenant
from libs.rpc.tls import TlsFiles

ORDER: Sequence[tuple[str, str]] = (
    ("telemetry", "sees the final code of every call, refused ones too"),
    ("request log", "the same, one line per call"),
    ("error map", "nothing below leaks past it"),
    ("deadline", "hopeless work and overload are refused before they cost anything"),
    ("authenticate", "before anything reads the body: who is the peer, who acts"),
    ("tenant", "the account in the request is the account of the token"),
    ("validate", "every bad field at once, before a use case sees it"),
)


def build_steps(
    service: str,
    peers: PeerTable,
    tls: TlsFiles | None,
    verifier: ContextVerifier | None,
    max_calls: int,
    *,
    behind_mesh: bool = False,
) -> list[Step]:
    """Return the steps in `ORDER`."""
    steps: list[Step] = [
        Telemetry(),
        RequestLog(),
        ErrorMap(service),
        Deadline(max_calls),
        Authenticate(service, peers, tls, verifier, behind_mesh=behind_mesh),
        Tenant(),
        Validate(),
    ]
    if [s.name for s in steps] != [name for name, _ in ORDER]:
        raise ValueError("the steps are not in the order of `ORDER`")
    return steps


_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_KNOWN_METHODS = 1000
"""A generic handler may answer to any name; no more of its wrappers are kept."""


class Chain(grpc.aio.ServerInterceptor):
    """Wraps every handler, of all four kinds, with the steps.

    Requests reach the chain undecoded, so that a peer is known before its bytes are parsed and a parse
    error is mapped like any other.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        self._wrapped: dict[str, tuple[_Handler, _Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED
            return None
        method = str(handler_call_details.method)
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        wrapped = self._wrap(method, handler)
        if len(self._wrapped) < _KNOWN_METHODS:
            self._wrapped[method] = (handler, wrapped)
        return wrapped

    def _from(self, call: Call, position: int) -> Awaitable[None]:
        """Return the rest of the chain for a call, not yet begun."""
        if position == len(self._steps):
            return call.serve()
        return self._steps[position].around(call, lambda: self._from(call, position + 1))

    def _wrap(self, method: str, handler: _Handler) -> _Handler:
        """Return a handler of the same kind with the steps before it; made once per method, not per call."""

        async def serve(
            raw: bytes | AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]
        ) -> bytes | None:
            call = Call(method, context, handler, raw)
            try:
                await self._from(call, 0)
            except grpc.aio.AbortError:
                raise
            except Exception:  # a fault of the steps outside the error map: its text would reach the caller
                await context.abort(grpc.StatusCode.INTERNAL, INTERNAL_TEXT)
            return call.response

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[bool(handler.request_streaming), bool(handler.response_streaming)]
        wrapped: _Handler = make(serve, request_deserializer=None, response_serializer=None)
        return wrapped
