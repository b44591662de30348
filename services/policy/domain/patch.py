"""A merge patch as text: what is refused before its members are looked at (RFC 7493, I-JSON)."""

from __future__ import annotations

import json
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError

MAXIMUM_DEPTH = 16
FIELD = "merge_patch_json"


def parse_patch(text: str) -> object:
    """Return the value of a merge patch.

    Raises:
        InvalidRequestError: no JSON, a member name that stands twice, a number outside of JSON, a lone
            surrogate, or nesting deeper than 16 levels.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _refused("holds a character that is none (a lone surrogate)") from None
    except RecursionError:
        raise _refused(f"is nested deeper than {MAXIMUM_DEPTH} levels") from None
    except ValueError as error:
        raise _refused(f"is not JSON: {error}" if isinstance(error, _TwiceError) else "is not JSON") from None
    if _depth(value) > MAXIMUM_DEPTH:
        raise _refused(f"is nested deeper than {MAXIMUM_DEPTH} levels")
    return value


class _TwiceError(ValueError):
    """A member name stands twice: which of the two would count?"""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _TwiceError("a member name stands twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(v) for v in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(v) for v in value), default=0)
    return 0


def _refused(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"the merge patch {why}", violations=[FieldViolation(FIELD, why)])
