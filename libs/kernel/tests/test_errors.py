"""An error carries facts; its class fixes kind and reason."""

import pytest

from libs.kernel import errors
from libs.kernel.errors import ErrorKind, FieldViolation, InvalidRequestError, Retry, SetlistError

KERNEL = [
    e
    for e in vars(errors).values()
    if isinstance(e, type) and issubclass(e, SetlistError) and e != SetlistError
]


@pytest.mark.parametrize("kind", KERNEL)
def test_each_error_can_be_told_apart_by_its_reason(kind: type[SetlistError]) -> None:
    assert isinstance(kind.kind, ErrorKind)
    assert kind.reason.isupper()
    assert [other for other in KERNEL if other.reason == kind.reason] == [kind]
    assert kind.__doc__


@pytest.mark.parametrize("kind", KERNEL)
def test_what_may_be_sent_again_unchanged_is_what_was_not_judged(kind: type[SetlistError]) -> None:
    """A judged request stays wrong; a stale one must be read again; only bad luck may be repeated."""
    passing = {ErrorKind.EXHAUSTED, ErrorKind.UNAVAILABLE, ErrorKind.TOO_LATE}

    assert (kind.retry is Retry.SAME) == (kind.kind in passing)
    assert (kind.retry is Retry.REREAD) == (kind.kind is ErrorKind.STALE)


def test_an_error_keeps_its_facts_to_itself() -> None:
    metadata, violations = {"id": "q-1"}, [FieldViolation("id", "is unknown")]
    error = InvalidRequestError("`q-1` is bad", metadata=metadata, violations=violations)
    metadata["id"] = "changed"
    violations.clear()

    assert str(error) == error.message == "`q-1` is bad"
    assert error.metadata == {"id": "q-1"}
    assert error.violations == (FieldViolation("id", "is unknown"),)
    assert error.retry_after_seconds is None
