"""What requests bring: the wrapped object of a body, its known members, and the warning about the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.zendesk_simulator.endpoint import Call
from tools.zendesk_simulator.errors import not_found, number, wrong_type
from tools.zendesk_simulator.state import Row


def action_of(call: Call) -> str:
    """Return the endpoint as Zendesk names it in refusals, e.g. `api/v2/tickets/update`."""
    verb = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "destroy", "GET": "show"}
    words = [w for w in call.request.url.path.split("/") if w and not w.isdigit()]
    last = words[-1]
    named = "_many" in last or last in ("create_or_update", "merge", "search", "reorder", "preview")
    return "/".join(words if named else [*words, verb[call.request.method]])


def wrapped(call: Call, member: str, known: Iterable[str] = ()) -> Row:
    """Return the object of a body.

    Args:
        member: its wrapper, e.g. `ticket`.
        known: its permitted members; others are left out with `x-zendesk-api-warn` (facts §2.1). None = all.

    Raises:
        Refusal: 400, the wrapper is missing or no object.
    """
    value = call.body.get(member)
    if not isinstance(value, dict):
        raise wrong_type(member, "an object", action_of(call))
    permitted = set(known)
    if not permitted:
        return value
    warn(call, [f"{member}.{key}" for key in value if key not in permitted])
    return {key: held for key, held in value.items() if key in permitted}


def rows_of(call: Call, member: str) -> list[Row]:
    """Return the array of objects of a body.

    Raises:
        Refusal: 400, it is missing or no array of objects.
    """
    value = call.body.get(member)
    if not isinstance(value, list) or any(not isinstance(row, dict) for row in value):
        raise wrong_type(member, "an array", action_of(call))
    return value


def warn(call: Call, unpermitted: list[str]) -> None:
    """Tell about members that were ignored, as Zendesk's parameter filter prints them."""
    if unpermitted:
        words = [w for w in action_of(call).split("/") if w not in ("api", "v2")]
        keys = ",".join(f'"{key}"' for key in unpermitted)
        call.headers["x-zendesk-api-warn"] = (
            f'{{:allowed_parameters=>{{:controller=>"{words[0]}", :action=>"{words[-1]}", '
            f":unpermitted_keys=>[{keys}], :invalid_values=>[]}}}}"
        )


def integer(call: Call, values: Row, name: str, prefix: str) -> int | None:
    """Return a whole number of an object, None when absent or null.

    Raises:
        Refusal: 400, it is something else.
    """
    value = values.get(name)
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise wrong_type(f"{prefix}.{name}", "an integer", action_of(call)) from None


def find(rows: dict[Any, Row], key: Any) -> Row:
    """Return a row by its key of the path; refuses with 404."""
    row = rows.get(key if isinstance(key, str) else number(key))
    if row is None:
        raise not_found()
    return row
