"""Conditional requests: `If-Match` and `If-None-Match` (RFC 9110 §8.8.3, §13.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


class BadConditionError(Exception):
    """The header is no `*` and no list of entity tags; the message names it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The tags of one header.

    Attributes:
        any: the header is `*`.
        strong: tags of byte-equal representations.
        weak: tags of equivalent ones.
    """

    any: bool = False
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()


def condition(request: Request, name: str) -> Condition | None:
    """Return the condition in a header, None without one.

    Raises:
        BadConditionError: it is malformed: a condition is never passed over.
    """
    values = request.headers.getlist(name)
    if not values:
        return None
    text = ", ".join(values)
    if text.strip() == "*":
        return Condition(any=True)
    strong: list[str] = []
    weak: list[str] = []
    at = 0
    while at < len(text):
        found = _TAG.match(text, at)
        if found is None:
            raise BadConditionError(f"{name} holds no list of entity tags")
        (weak if found[1] else strong).append(found[2])
        at = found.end()
    if not strong and not weak:
        raise BadConditionError(f"{name} holds no list of entity tags")
    return Condition(strong=tuple(strong), weak=tuple(weak))
