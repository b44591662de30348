"""The interceptor chain of every server, as one constant with a reason per step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc

from libs.rpc.call import Call, Proceed, Step
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


class Chain(grpc.aio.ServerInterceptor):
    """Wraps every handler, of all four kinds, with the steps.

    Requests reach the chain undecoded, so that a peer is known before its bytes are parsed and a parse
    error is mapped like any other.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED
            return None
        method = str(handler_call_details.method)
        steps = self._steps

        async def serve(
            raw: bytes | AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]
        ) -> bytes | None:
            call = Call(method, context, handler, raw)

            async def run(position: int) -> None:
                if position == len(steps):
                    await call.serve()
                    return
                proceed: Proceed = lambda: run(position + 1)  # noqa: E731 - one place, one line
                await steps[position].around(call, proceed)

            try:
                await run(0)
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
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            serve, request_deserializer=None, response_serializer=None
        )
        return wrapped
