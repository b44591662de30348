"""One error type crosses every boundary.

A subclass fixes kind and reason; an instance carries only facts. `libs.rpc` turns the kind into a
gRPC code and the reason into `ErrorInfo`; nothing in here knows gRPC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """What sort of failure this is, seen from the caller (facts: google.rpc.Code, AIP-193)."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    STALE = "stale"
    EXHAUSTED = "exhausted"
    WRONG_STATE = "wrong_state"
    OUT_OF_RANGE = "out_of_range"
    UNAVAILABLE = "unavailable"
    NOT_BUILT = "not_built"
    TOO_LATE = "too_late"


class Retry(StrEnum):
    """What a caller may do: `never` again, the `same` call later, or `reread` and then again."""

    NEVER = "never"
    SAME = "same"
    REREAD = "reread"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of a request.

    Attributes:
        field: path of the field, in the proto's spelling, e.g. `queue.view_id`.
        description: what is wrong, lower case, no final period.
    """

    field: str
    description: str


class SetlistError(Exception):
    """An error with a reason that callers may handle.

    Subclasses set `kind`, `reason` (a value of the service's `ErrorReason` enum without its prefix)
    and, where it differs from the kind's default, `retry`.

    Args:
        message: starts lower case, no final period, the caller's input in backticks, no personal data.
        metadata: every variable part of the message, for programs.
        violations: the bad fields, for kind INVALID.
        retry_after_seconds: when a delay is known.
    """

    kind: ClassVar[ErrorKind]
    reason: ClassVar[str]
    retry: ClassVar[Retry] = Retry.NEVER

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds


class InvalidRequestError(SetlistError):
    """A request broke its contract; `violations` names every bad field."""

    kind = ErrorKind.INVALID
    reason = "INVALID_REQUEST"


class UnauthenticatedError(SetlistError):
    """No valid credentials; the cause is never told to the caller."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class PermissionDeniedError(SetlistError):
    """The caller may not do this; raised before anything is looked up."""

    kind = ErrorKind.FORBIDDEN
    reason = "PERMISSION_DENIED"


class NotFoundError(SetlistError):
    """The resource does not exist in this account."""

    kind = ErrorKind.NOT_FOUND
    reason = "NOT_FOUND"


class EtagMismatchError(SetlistError):
    """The resource changed since the caller read it."""

    kind = ErrorKind.STALE
    reason = "ETAG_MISMATCH"
    retry = Retry.REREAD


class RequestIdReusedError(SetlistError):
    """A `request_id` came again with another body."""

    kind = ErrorKind.WRONG_STATE
    reason = "REQUEST_ID_REUSED"


class ConcurrentChangeError(SetlistError):
    """The database refused a transaction because another one changed the same rows."""

    kind = ErrorKind.STALE
    reason = "CONCURRENT_CHANGE"
    retry = Retry.REREAD


class OverloadedError(SetlistError):
    """The server sheds this call."""

    kind = ErrorKind.EXHAUSTED
    reason = "OVERLOADED"
    retry = Retry.SAME


class DependencyUnavailableError(SetlistError):
    """Another service, Zendesk or the database does not answer."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DEPENDENCY_UNAVAILABLE"
    retry = Retry.SAME


class NotBuiltError(SetlistError):
    """The RPC is part of the contract but not built yet; the message says what is missing."""

    kind = ErrorKind.NOT_BUILT
    reason = "NOT_BUILT"


class DeadlineTooShortError(SetlistError):
    """Too little time was left to begin."""

    kind = ErrorKind.TOO_LATE
    reason = "DEADLINE_TOO_SHORT"
    retry = Retry.SAME
