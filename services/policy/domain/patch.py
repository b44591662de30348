"""A merge patch as text: what is refused before its members are looked at (RFC 7493, I-JSON)."""

from __future__ import annotations

import json

from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.strict_json import DoubledMemberError, no_constant, unique_members

MAXIMUM_DEPTH = 16
FIELD = "merge_patch_json"


def parse_patch(text: str) -> object:
    """Return the value of a merge patch.

    Raises:
        InvalidRequestError: no JSON, a member name that stands twice, a number outside of JSON, a lone
            surrogate, or nesting deeper than 16 levels.
    """
    try:
        value: object = json.loads(text, object_pairs_hook=unique_members, parse_constant=no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _refused("holds a character that is none (a lone surrogate)") from None
    except RecursionError:
        raise _refused(f"is nested deeper than {MAXIMUM_DEPTH} levels") from None
    except ValueError as error:
        raise _refused(
            f"is not JSON: {error}" if isinstance(error, DoubledMemberError) else "is not JSON"
        ) from None
    if _is_deeper(value, MAXIMUM_DEPTH):
        raise _refused(f"is nested deeper than {MAXIMUM_DEPTH} levels")
    return value


def _is_deeper(value: object, levels: int) -> bool:
    """Tell whether objects and lists stand in more levels than these; looks no deeper."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _refused(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"the merge patch {why}", violations=[FieldViolation(FIELD, why)])
