"""Consistency tokens: a write returns one, a read that is given it sees that write (facts: policy §4.4)."""

from __future__ import annotations

import re

from libs.kernel.errors import FieldViolation, InvalidRequestError

_TOKEN = re.compile(r"zt1\.([0-9]{1,18})", re.ASCII)


def token_of(revision: int) -> str:
    """Return the consistency token of a revision."""
    return f"zt1.{revision}"


def revision_of(token: str) -> int:
    """Return the revision of a consistency token.

    Raises:
        InvalidRequestError: it is not a token of ours.
    """
    found = _TOKEN.fullmatch(token)
    if found is None:
        fault = FieldViolation("consistency.at_least", "is not a consistency token")
        raise InvalidRequestError(f"`{token[:64]}` is not a consistency token", violations=[fault])
    return int(found[1])
