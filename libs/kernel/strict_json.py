"""What every reader must refuse in JSON so that no two read it differently (I-JSON, RFC 7493).

Hooks for `json.JSONDecoder`, shared by all who read texts of strangers: tokens, HTTP bodies, merge patches. What
else is refused (size, depth, digits) is theirs, and so are the words.
"""

from __future__ import annotations

import math
from typing import TypeVar

V = TypeVar("V")


class DoubledMemberError(ValueError):
    """A member name stands twice in an object: which of the two would count?"""


def unique_members(pairs: list[tuple[str, V]]) -> dict[str, V]:
    """Return an object's members; `object_pairs_hook`.

    Raises:
        DoubledMemberError: a name stands twice.
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DoubledMemberError("a member name stands twice")
    return members


def no_constant(_: str) -> object:
    """Refuse `NaN` and `Infinity`, which Python would take; `parse_constant`.

    Raises:
        ValueError: always.
    """
    raise ValueError("NaN and Infinity are no numbers")


def finite(text: str) -> float:
    """Return a number with fraction or exponent; `parse_float`.

    Raises:
        ValueError: no double can hold it.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is beyond double precision")
    return value


def has_lone_surrogate(text: str) -> bool:
    """Tell whether a text holds half a character, which JSON can write and UTF-8 cannot."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)
