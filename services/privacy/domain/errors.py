"""What privacy refuses, and why."""

from libs.kernel.errors import ErrorKind, Retry, SetlistError


class RequestStateError(SetlistError):
    """The request's state does not allow this."""

    kind = ErrorKind.WRONG_STATE
    reason = "REQUEST_STATE"


class PlanChangedError(SetlistError):
    """The plan that is approved is not the present one."""

    kind = ErrorKind.STALE
    reason = "PLAN_CHANGED"
    retry = Retry.REREAD


class LegalHoldError(SetlistError):
    """A legal hold forbids the erasure."""

    kind = ErrorKind.WRONG_STATE
    reason = "LEGAL_HOLD"


class DeadlinePassedError(SetlistError):
    """An extension must be told before the first deadline."""

    kind = ErrorKind.WRONG_STATE
    reason = "DEADLINE_PASSED"


class DuplicateRequestError(SetlistError):
    """An active request of this kind exists for the person."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "DUPLICATE_REQUEST"
