"""Subject, action, resource and context of a request, by their form alone (facts: policy §5.1).

Unknown members are ignored at any depth; null members are gone before this is reached (decision 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.edge.http.authzen_errors import RefusedError

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entity:
    """A subject or a resource.

    Attributes:
        id: empty where the one that is sent is ignored.
        properties: what the asker knows of it.
    """

    type: str
    id: str = ""
    properties: Json = field(default_factory=dict)


def entity(body: Json, name: str, *, with_id: bool = True) -> Entity:
    """Return the subject or resource of a request.

    Raises:
        RefusedError: 400, names the first member that is missing or of a wrong type.
    """
    value = _object(body, name)
    if value is None:
        raise RefusedError(400, f"{name} is required")
    kind = _text(value, name, "type")
    number = _text(value, name, "id") if with_id else ""
    return Entity(kind, number, _object(value, "properties", f"{name}.") or {})


def action_name(body: Json) -> str:
    """Return the action's name.

    Raises:
        RefusedError: 400, as of `entity`.
    """
    value = _object(body, "action")
    if value is None:
        raise RefusedError(400, "action is required")
    _object(value, "properties", "action.")
    return _text(value, "action", "name")


def context_of(body: Json) -> Json:
    """Return the context of a request.

    Raises:
        RefusedError: 400, it is no object.
    """
    return _object(body, "context") or {}


def require_objects(body: Json, *names: str) -> None:
    """Refuse members that are there and no objects.

    Raises:
        RefusedError: 400.
    """
    for name in names:
        _object(body, name)


def _object(body: Json, name: str, prefix: str = "") -> Json | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise RefusedError(400, f"{prefix}{name} must be an object")
    return value


def _text(value: Json, name: str, member: str) -> str:
    """Return a text that must be there; an empty one names nothing, and would mean something else to policy."""
    text = value.get(member)
    if text is None or text == "":
        raise RefusedError(400, f"{name}.{member} is required")
    if not isinstance(text, str):
        raise RefusedError(400, f"{name}.{member} must be a string")
    return text
