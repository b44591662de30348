"""Conditions in CEL (Common Expression Language): they only ever take a right away from the rule they stand on.

Whoever manages an account writes them, and they run in a process that others share: so what could run long, or
never be true, is refused when it is written.
"""

from __future__ import annotations

import json
import re
from typing import Any

import cel

VARIABLES = ("subject", "object", "relationship", "context", "now")
FUNCTIONS = (
    *("contains", "startsWith", "endsWith", "size"),
    *("int", "uint", "double", "string", "bytes", "dyn", "type", "duration", "timestamp"),
    *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
    *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
)
"""What may be called. `matches` may not: one pattern of 20 characters keeps a core busy for 80 ms."""
MACROS = ("all", "exists", "exists_one", "filter")
"""What may loop, once deep. `map` may not: it can hold a list as often as the list is long."""
MAXIMUM_LENGTH = 1000

_TYPES = frozenset(("int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type", "type"))
_QUOTE = r"('''|\"\"\"|'|\")"
_TEXT = re.compile(
    rf"(?<!\w)(?:r|br|rb){_QUOTE}.*?\1|{_QUOTE}(?:\\.|[^\\])*?\2|//[^\n]*", re.DOTALL | re.IGNORECASE
)
_LOOP = r"\.\s*(all|exists|exists_one|existsOne|filter|map)\s*\("
_BINDS = re.compile(rf"{_LOOP}[\s(]*(\w+)")
_BRACKETS = re.compile(rf"(?P<loop>{_LOOP})|(?P<open>\()|\)")


class ConditionFailedError(Exception):
    """A condition could not be evaluated; it counts as not met."""


class Condition:
    """One compiled condition.

    Args:
        source: CEL over `subject` (id, role, custom_role_id, groups, organization), `object` (id, type, and the
            record's attributes), `relationship` (id, type, source, target: the first of the path), `context`
            (what the asker sends) and `now`.

    Raises:
        ValueError: it is not CEL, too long, or asks for what is not there or not allowed; the text says which.
    """

    __slots__ = ("_program", "source")

    def __init__(self, source: str) -> None:
        if len(source) > MAXIMUM_LENGTH:
            raise ValueError(f"is longer than {MAXIMUM_LENGTH} characters")
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ValueError(f"is not CEL: {_first_line(error)}") from None
        self.source = source
        self._refuse()

    def _refuse(self) -> None:
        code = _TEXT.sub(lambda text: " " if text[0].startswith("//") else "''", self.source)
        bound = {name for _, name in _BINDS.findall(code)}
        for name in self._program.variables():
            if name not in VARIABLES and name not in bound and name not in _TYPES:
                raise ValueError(f"asks for `{name}`, which is none of {', '.join(VARIABLES)}")
        for name in self._program.functions():
            if name.isidentifier() and not name.startswith("_") and name not in FUNCTIONS:
                raise ValueError(f"calls `{name}`, which is none of {', '.join(FUNCTIONS)}")
        within: list[bool] = []
        for bracket in _BRACKETS.finditer(code):
            loop = bracket["loop"] is not None
            if loop and bracket[2] not in MACROS:
                raise ValueError(f"calls `{bracket[2]}`, which is none of {', '.join(MACROS)}")
            if loop and any(within):
                raise ValueError(f"calls `{bracket[2]}` inside of another; try `in`")
            if loop or bracket["open"]:
                within.append(loop)
            elif within:
                within.pop()

    def holds(self, variables: dict[str, Any]) -> bool:
        """Tell whether the condition is met.

        Raises:
            ConditionFailedError: it asks for what is not there, compares what cannot be compared, or is no bool.
                Its text holds names and types, no value of an attribute.
        """
        try:
            value = self._program.execute(variables)
        except Exception as error:
            raise ConditionFailedError(_why(error)) from None
        if not isinstance(value, bool):
            raise ConditionFailedError("is neither true nor false")
        return value


def _why(error: Exception) -> str:
    match error:
        case KeyError():
            return f"there is no {error.args[0]}"
        case IndexError():
            return "there is no such element"
        case ArithmeticError():
            return "a number is out of range"
        case TypeError():
            said = _first_line(error).partition(". ")[0]
            return f"{said[:1].lower()}{said[1:]}"
        case _:
            called = re.match(r"Function '(\w+)'", str(error))
            return f"{called[1]} cannot be called with this" if called else "a value is of no known type"


def _first_line(error: Exception) -> str:
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return line.rpartition("ERROR: ")[2][:200]


def attributes_of(text: str | None) -> dict[str, Any]:
    """Return a record's attributes as they are kept in a snapshot: JSON text, None = none."""
    if text is None:
        return {}
    value: dict[str, Any] = json.loads(text)
    return value
