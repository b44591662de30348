"""The one way JSON is read: bounded, and only what every parser reads alike (I-JSON, RFC 7493)."""

from __future__ import annotations

import json
from typing import Any

from libs.kernel.strict_json import finite, has_lone_surrogate, no_constant, unique_members

MAXIMUM_DIGITS = 309
"""Of an integer: more than a double can hold."""


class BadJsonError(Exception):
    """The body is no JSON that every parser reads alike; the message says why, without the body's text."""


def parse(raw: bytes, maximum_depth: int, *, drop_nulls: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        maximum_depth: of objects and arrays in each other.
        drop_nulls: leave out members that are null.

    Raises:
        BadJsonError: not UTF-8, not JSON, a member name that stands twice, a number that is no double, a
            lone surrogate, or nested too deeply.
    """
    try:
        value = _DROPPING.decode(raw.decode("utf-8")) if drop_nulls else _KEEPING.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadJsonError("the body is not UTF-8") from None
    except RecursionError:
        raise BadJsonError(f"the body is nested deeper than {maximum_depth} levels") from None
    except json.JSONDecodeError as error:
        raise BadJsonError(f"the body is not JSON: {error.msg.lower()} at character {error.pos}") from None
    except ValueError as error:
        raise BadJsonError(f"the body is not valid JSON: {error}") from None
    _check(value, maximum_depth)
    return value


def _check(value: object, maximum_depth: int) -> None:
    """Check depth and texts; a loop, since what is deep would exhaust the stack."""
    waiting = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, str):
            _check_text(one)
            continue
        if not isinstance(one, dict | list):
            continue
        if depth > maximum_depth:
            raise BadJsonError(f"the body is nested deeper than {maximum_depth} levels")
        if isinstance(one, dict):
            for name in one:
                _check_text(name)
        waiting += [(inner, depth + 1) for inner in (one.values() if isinstance(one, dict) else one)]


def _check_text(text: str) -> None:
    if has_lone_surrogate(text):
        raise BadJsonError("the body is not valid JSON: a lone surrogate is no character")


def _members_with_value(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in unique_members(pairs).items() if value is not None}


def _int(text: str) -> int:
    """Return an integer that a double holds exactly: others would be another number for other readers."""
    if len(text) > MAXIMUM_DIGITS:
        raise ValueError("a number is beyond double precision")
    value = int(text)
    try:
        exact = int(float(value)) == value
    except OverflowError:
        exact = False
    if not exact:
        raise ValueError("a number is beyond double precision")
    return value


_KEEPING = json.JSONDecoder(
    object_pairs_hook=unique_members, parse_constant=no_constant, parse_float=finite, parse_int=_int
)
_DROPPING = json.JSONDecoder(
    object_pairs_hook=_members_with_value, parse_constant=no_constant, parse_float=finite, parse_int=_int
)
