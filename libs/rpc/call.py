"""One call on its way through the chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message

from libs.kernel.errors import InvalidRequestError

BREATH = 16
"""Messages of a stream between two turns of the event loop. The native backend's `write` does not wait while
there is room, nor when the caller is gone: a generator that never waits either would hold up every other call,
and never hear that it was cancelled."""
Proceed: TypeAlias = Callable[[], Awaitable[None]]
Check: TypeAlias = Callable[[Message], None]
"""Looks at one request message; raises what is wrong with it."""


@dataclass(slots=True)
class Call:
    """A call being served.

    Attributes:
        method: full method name.
        context: gRPC's context.
        handler: the servicer's handler.
        checks: run on every request message as it is read; steps of the chain add theirs.
        code: final status, set by the error map.
        account: for the log line, once known.
    """

    method: str
    context: grpc.aio.ServicerContext[Any, Any]
    handler: grpc.RpcMethodHandler[Any, Any]
    raw: bytes | AsyncIterator[bytes]
    response: bytes | None = None
    checks: list[Check] = field(default_factory=list)
    code: grpc.StatusCode = grpc.StatusCode.OK
    account: str = ""
    _metadata: tuple[tuple[str, str | bytes], ...] | None = None

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The request's metadata; a context makes it anew each time it is asked."""
        if self._metadata is None:
            self._metadata = tuple(self.context.invocation_metadata() or ())
        return self._metadata

    def _message(self, raw: bytes) -> Message:
        decode = self.handler.request_deserializer
        try:
            message: Message = decode(raw) if decode else raw  # type: ignore[assignment]  # generated code always has one
        except DecodeError:
            raise InvalidRequestError("the request is not a valid message") from None
        for check in self.checks:
            check(message)
        return message

    async def _messages(self, raw: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        async for one in raw:
            yield self._message(one)

    async def serve(self) -> None:
        """Decode, check, call the servicer, encode; for each of the four kinds of handler."""
        handler = self.handler
        encode: Callable[[Any], bytes] = handler.response_serializer or bytes
        given: Any = self._message(self.raw) if isinstance(self.raw, bytes) else self._messages(self.raw)
        behaviour: Any
        if handler.response_streaming:
            behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream
            answers = behaviour(given, self.context)
            written = 0
            try:
                async for answer in answers:
                    await self.context.write(encode(answer))
                    written += 1
                    if written % BREATH == 0:
                        await asyncio.sleep(0)
            finally:  # a generator that a gone caller leaves half-read may hold a transaction
                if (close := getattr(answers, "aclose", None)) is not None:
                    await close()
        else:
            behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
            self.response = encode(await behaviour(given, self.context))


class Step(Protocol):
    """One named step of the chain."""

    name: str

    async def around(self, call: Call, proceed: Proceed) -> None:
        """Do the step's work before, after or around the rest of the chain."""
        ...
