"""Errors on the wire: `SetlistError` becomes a rich status, and callers read it back (AIP-193)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from libs.kernel.errors import ErrorKind, SetlistError

_DETAILS = "grpc-status-details-bin"
_CODES = {
    ErrorKind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorKind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorKind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    ErrorKind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorKind.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    ErrorKind.STALE: grpc.StatusCode.ABORTED,
    ErrorKind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorKind.WRONG_STATE: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorKind.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    ErrorKind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorKind.NOT_BUILT: grpc.StatusCode.UNIMPLEMENTED,
    ErrorKind.TOO_LATE: grpc.StatusCode.DEADLINE_EXCEEDED,
}
INTERNAL_TEXT = "internal error"
MAXIMUM_TEXT = 1000
MAXIMUM_METADATA = 1000
MAXIMUM_VIOLATIONS_BYTES = 2500
"""With the two above, and with binary values in base 64 as some servers send them, below the 8 KiB of trailers from
which gRPC's clients begin to refuse."""
"""A client refuses trailers beyond 8 KiB, and would see RESOURCE_EXHAUSTED instead of our error."""
M = TypeVar("M", bound=Message)


def code_of(kind: ErrorKind) -> grpc.StatusCode:
    """Return the gRPC code of a kind."""
    return _CODES[kind]


def text_of(error: SetlistError) -> str:
    """Return the message for the wire, shortened: it may repeat the caller's input."""
    return _shortened(error.message, MAXIMUM_TEXT)


def _shortened(text: str, limit: int) -> str:
    """Return a text of at most so many bytes as `grpc-message` sends it: what is not plain ASCII takes three each."""
    if len(text) * 12 <= limit:
        return text
    size = 0
    for place, character in enumerate(text):
        size += (
            1
            if " " <= character <= "~" and character != "%"
            else 3 * len(character.encode("utf-8", "replace"))
        )
        if size > limit:
            return f"{text[:place]}…"
    return text


def status_details(error: SetlistError, service: str) -> bytes:
    """Return the serialised `google.rpc.Status`: one ErrorInfo, and BadRequest and RetryInfo where known."""
    number = _CODES[error.kind].value[0]
    status = status_pb2.Status(code=number, message=text_of(error))
    share = MAXIMUM_METADATA // max(1, len(error.metadata))
    metadata = {**{k: _shortened(v, share) for k, v in error.metadata.items()}, "retry": error.retry.value}
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=f"{service}.setlist.dev", metadata=metadata
    )
    status.details.add().Pack(info)
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(field=violation.field, description=violation.description)
            if bad.ByteSize() > MAXIMUM_VIOLATIONS_BYTES:
                bad.field_violations.pop()
                break
        status.details.add().Pack(bad)
    if error.retry_after_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(error.retry_after_seconds * 1000))
        status.details.add().Pack(retry)
    return status.SerializeToString()


def internal_details(service: str) -> bytes:
    """Return the status of an error whose cause stays inside."""
    status = status_pb2.Status(code=code_pb2.INTERNAL, message=INTERNAL_TEXT)
    info = error_details_pb2.ErrorInfo(
        reason="INTERNAL", domain=f"{service}.setlist.dev", metadata={"retry": "never"}
    )
    status.details.add().Pack(info)
    return status.SerializeToString()


def _detail(error: grpc.aio.AioRpcError, kind: type[M]) -> M | None:
    metadata = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == _DETAILS and isinstance(value, bytes):
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                found = kind()
                if detail.Unpack(found):
                    return found
    return None


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Return the `ErrorInfo` of a failed call; None for refusals of gRPC itself, which carry none."""
    return _detail(error, error_details_pb2.ErrorInfo)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Return the reason of a failed call, or an empty string."""
    info = error_info(error)
    return info.reason if info else ""


def field_violations(error: grpc.aio.AioRpcError) -> Sequence[error_details_pb2.BadRequest.FieldViolation]:
    """Return the bad fields of a refused request."""
    bad = _detail(error, error_details_pb2.BadRequest)
    return bad.field_violations if bad else ()


def retry_delay_seconds(error: grpc.aio.AioRpcError) -> float | None:
    """Return the delay that the service asks for, if it does."""
    retry = _detail(error, error_details_pb2.RetryInfo)
    return retry.retry_delay.ToMilliseconds() / 1000 if retry else None


DETAILS_KEY = _DETAILS
