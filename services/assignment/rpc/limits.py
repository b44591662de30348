"""Limits in the grammar of admins, in messages."""

from __future__ import annotations

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.assignment.domain.limits import Limit, limit_of


def limit_in(text: str, field: str) -> Limit | None:
    """Return what a field says; None for an empty one.

    Raises:
        InvalidRequestError: it says nothing that anybody can want.
    """
    try:
        return limit_of(text)
    except ValueError as error:
        raise _refusal(field, str(error)) from error


def rate_in(text: str, field: str, *, instead: str = "open_limit") -> Limit | None:
    """Return what a field says that is for rates alone.

    Args:
        instead: the field for open tickets.

    Raises:
        InvalidRequestError: it says nothing that anybody can want, or limits open tickets.
    """
    limit = limit_in(text, field)
    if limit is not None and limit.minutes is None:
        raise _refusal(
            field, f"`{limit}` has no time: write `{limit} in 30m`, or set `{instead}` for open tickets"
        )
    return limit


def written(limit: Limit | None) -> str:
    """Return a limit as a field says it."""
    return "" if limit is None else str(limit)


def _refusal(field: str, said: str) -> InvalidRequestError:
    return InvalidRequestError(f"the limit cannot be used: {said}", violations=[FieldViolation(field, said)])
