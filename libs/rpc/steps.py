"""The steps between the wire and a use case, outermost first in `chain.ORDER`."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import grpc
import protovalidate
from google.protobuf.message import Message
from opentelemetry import context, metrics, propagate, trace

from libs.kernel.errors import (
    DeadlineTooShortError,
    DependencyUnavailableError,
    FieldViolation,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    SetlistError,
    UnauthenticatedError,
)
from libs.rpc.call import Call, Proceed
from libs.rpc.deadlines import HOPELESS_SECONDS, set_deadline
from libs.rpc.errors import DETAILS_KEY, INTERNAL_TEXT, code_of, internal_details, status_details, text_of
from libs.rpc.identity import Caller, ContextVerifier, set_caller
from libs.rpc.peers import MethodRule, PeerTable
from libs.rpc.tls import TlsFiles, peer_of
from libs.telemetry.logs import get_logger

NOT_THIS_PEER = "this peer may not call this method"
LOCAL_PEER = "ops"
"""Without TLS a server listens on loopback only, and whoever calls is an operator of this machine."""


class Telemetry:
    """A span and a duration per call, with the final code."""

    name = "telemetry"

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("setlist.rpc")
        self._duration = metrics.get_meter("setlist.rpc").create_histogram("rpc.server.call.duration", "s")

    async def around(self, call: Call, proceed: Proceed) -> None:
        carrier = {k: v for k, v in call.metadata if k in _TRACE and isinstance(v, str)}
        began = time.perf_counter()
        span = self._tracer.start_span(
            call.method[1:],
            propagate.extract(carrier) if carrier else None,
            kind=trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,  # a refusal is no fault of ours, and its text stays out of traces
        )
        token = context.attach(trace.set_span_in_context(span))
        try:
            await proceed()
        finally:
            attributes = {"rpc.method": call.method[1:], "rpc.response.status_code": call.code.name}
            span.set_attributes(attributes)
            if call.code in _FAULTS:
                span.set_status(trace.StatusCode.ERROR)
            self._duration.record(time.perf_counter() - began, attributes)
            context.detach(token)
            span.end()


_TRACE = frozenset({"traceparent", "tracestate"})
_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE})
_LEVELS = {grpc.StatusCode.INTERNAL: logging.WARNING, grpc.StatusCode.OK: logging.DEBUG}


class RequestLog:
    """One line per call: method, account, code, duration. Never a body."""

    name = "request log"

    def __init__(self) -> None:
        self._log = get_logger()  # one for all calls: making one costs more than a line that is not printed

    async def around(self, call: Call, proceed: Proceed) -> None:
        began = time.perf_counter()
        try:
            await proceed()
        except asyncio.CancelledError:
            call.code = grpc.StatusCode.CANCELLED
            raise
        finally:
            level = _LEVELS.get(call.code, logging.INFO)
            if self._log.is_enabled_for(level):
                self._log.log(
                    level,
                    "rpc",
                    method=call.method,
                    account=call.account,
                    code=call.code.name,
                    duration_ms=round((time.perf_counter() - began) * 1000, 3),
                )


class ErrorMap:
    """Turns our errors into rich statuses; of anything else the caller learns nothing."""

    name = "error map"

    def __init__(self, service: str) -> None:
        self._service = service

    async def around(self, call: Call, proceed: Proceed) -> None:
        try:
            await proceed()
        except grpc.aio.AbortError:
            call.code = _code_of_abort(call)
            raise
        except SetlistError as error:
            await self._refuse(call, error)
        except TimeoutError:
            await self._refuse(call, DeadlineTooShortError("the deadline passed"))
        except grpc.aio.AioRpcError as error:
            if (ours := _of_callee(error)) is None:
                await self._hide(call)
            else:
                await self._refuse(call, ours)
        except Exception:
            await self._hide(call)

    async def _refuse(self, call: Call, error: SetlistError) -> None:
        call.code = code_of(error.kind)
        details = status_details(error, self._service)
        await call.context.abort(call.code, text_of(error), ((DETAILS_KEY, details),))

    async def _hide(self, call: Call) -> None:
        call.code = grpc.StatusCode.INTERNAL
        get_logger().exception("unexpected error", method=call.method)
        details = internal_details(self._service)
        await call.context.abort(call.code, INTERNAL_TEXT, ((DETAILS_KEY, details),))


def _of_callee(error: grpc.aio.AioRpcError) -> SetlistError | None:
    """Return what our caller may know of a callee's refusal; None: it is a fault of ours."""
    match error.code():
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.RESOURCE_EXHAUSTED:
            return DependencyUnavailableError("another service does not answer", retry_after_seconds=1.0)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineTooShortError("another service did not answer in time")
        case _:
            return None


def _code_of_abort(call: Call) -> grpc.StatusCode:
    """Return the code with which a servicer ended the call itself; grpcio gives its number."""
    given: Any = call.context.code()
    known = {code.value[0]: code for code in grpc.StatusCode}
    return given if isinstance(given, grpc.StatusCode) else known.get(given, grpc.StatusCode.UNKNOWN)


class Deadline:
    """Refuses hopeless work and sheds what exceeds the limit; passes the deadline on."""

    name = "deadline"

    def __init__(self, max_calls: int) -> None:
        self._free = max_calls

    async def around(self, call: Call, proceed: Proceed) -> None:
        left = call.context.time_remaining()
        if left is not None and left < HOPELESS_SECONDS:  # type: ignore[redundant-expr]  # None without a deadline, whatever the stubs say
            raise DeadlineTooShortError(f"less than {HOPELESS_SECONDS:g} s was left to begin")
        if self._free <= 0:
            raise OverloadedError("the server has too many calls in flight", retry_after_seconds=1.0)
        set_deadline(left if left is not None and left < 1e6 else None)  # type: ignore[redundant-expr]  # as above
        self._free -= 1
        try:
            await proceed()
        finally:
            self._free += 1


STALE_KEY = "setlist-stale"
"""Trailing metadata of an answer that was given although the feed of revocations is cut."""


class Authenticate:
    """The peer guard (identity against the method's row) and the context token.

    The peer is the service account of the certificate. Without TLS it is `ops` on this machine's own loopback,
    or, behind a mesh, the one for which auth signed the context token: never an address, never a header that
    somebody else could have written. There a method that takes no token has no provable peer and is closed.
    """

    name = "authenticate"

    def __init__(
        self,
        service: str,
        peers: PeerTable,
        tls: TlsFiles | None,
        verifier: ContextVerifier | None,
        *,
        behind_mesh: bool = False,
    ) -> None:
        self._service = service
        self._peers = peers
        self._tls = tls
        self._verifier = verifier
        self._peer_without_tls = None if behind_mesh else LOCAL_PEER

    async def around(self, call: Call, proceed: Proceed) -> None:
        rule = self._peers.get(call.method)
        peer = peer_of(call.context.auth_context(), self._tls) if self._tls else self._peer_without_tls
        if rule is None or (peer is not None and peer not in rule.peers):
            raise PermissionDeniedError(NOT_THIS_PEER)
        if rule.context:
            caller = await self._with_context(call, peer, rule)
            if not rule.users and caller.user is not None:
                raise PermissionDeniedError("only services may call this method")
        elif peer is None:
            raise PermissionDeniedError(NOT_THIS_PEER)
        else:
            caller = Caller(peer)
        call.account = caller.account or ""
        set_caller(caller)
        await proceed()

    async def _with_context(self, call: Call, peer: str | None, rule: MethodRule) -> Caller:
        given = [v for k, v in call.metadata if k == "authorization"]
        if len(given) != 1 or not isinstance(given[0], str) or not given[0].startswith("Bearer "):
            raise UnauthenticatedError("exactly one `authorization: Bearer` context token is needed")
        if self._verifier is None:
            raise UnauthenticatedError("this server has no keys to verify context tokens with")
        said = await self._verifier.verify(given[0].removeprefix("Bearer "), self._service)
        if peer is None:  # the signature is the proof of the peer
            peer = said.peer
            if peer not in rule.peers:
                raise PermissionDeniedError(NOT_THIS_PEER)
        elif said.peer != peer and self._tls is not None:
            raise UnauthenticatedError("the token is not valid")
        if said.stale:
            if not rule.stale:
                raise DependencyUnavailableError(
                    "what was revoked cannot be known just now", retry_after_seconds=1.0
                )
            call.context.set_trailing_metadata(((STALE_KEY, "true"),))
        return Caller(peer, said.account, said.installation, said.subject, said.role, said.custom_role_id)


class Validate:
    """Checks each request against the rules in its proto, all bad fields at once."""

    name = "validate"

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    async def around(self, call: Call, proceed: Proceed) -> None:
        call.checks.append(self._check)
        await proceed()

    def _check(self, message: Message) -> None:
        faults = self._validator.collect_violations(message)
        if faults:
            violations = [
                FieldViolation(_path(f.proto.field), f.proto.message or f.proto.rule_id) for f in faults
            ]
            fields = ", ".join(f"`{v.field}`" for v in violations[:10])
            raise InvalidRequestError(f"the request has bad fields: {fields}", violations=violations)


def _path(path: Any) -> str:
    """Return a field path of protovalidate as `queue.view_id` or `ids[2]`."""
    parts = []
    for element in path.elements if path is not None else ():
        subscript = element.subscript
        index = f"[{subscript.value}]" if subscript is not None and subscript.field == "index" else ""
        parts.append(element.field_name + index)
    return ".".join(parts) or "request"
