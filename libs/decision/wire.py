"""Changes as JSON text: what the change log of policy sends to embedded decision points."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from types import NoneType
from typing import Any

from libs.decision.rows import Change, ObjectRow, RelationshipRow, Row, TypeRow, User


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _fields(row: Row) -> list[Any]:
    match row:
        case RelationshipRow():
            created, expires = _instant(row.created_at), _instant(row.expires_at)
            return ["r", row.id, row.type, row.source, row.target, created, expires]
        case User():
            return ["u", row.id, row.role, row.custom_role_id, list(row.groups), row.organization]
        case ObjectRow():
            return ["o", row.type, row.id, dict(row.attributes)]
        case TypeRow():
            made = _instant(row.created_at)
            ends = [row.source, row.target, row.many]
            return ["t", row.kind, row.key, row.permissions, made, *ends, row.version, row.extensions]


def encode(changes: Iterable[Change]) -> bytes:
    """Return changes as one JSON array."""
    plain = [[c.revision, int(c.gone), *_fields(c.row)] for c in changes]
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()


def decode(raw: bytes) -> list[Change]:
    """Return the changes in a JSON array.

    Raises:
        ValueError: it is none of ours.
    """
    try:
        changes = json.loads(raw)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if not isinstance(changes, list):
        raise ValueError("is no list of changes")
    return [_change(change) for change in changes]


def _change(fields: Any) -> Change:
    if not isinstance(fields, list) or len(fields) < 3:
        raise ValueError("is no change")
    revision, gone, kind, *rest = fields
    if type(revision) is not int or gone not in (0, 1):
        raise ValueError("is no change")
    return Change(revision, _row(kind, rest), bool(gone))


_TEXT, _NUMBER, _MAYBE_TEXT, _MAYBE_NUMBER = (str,), (int,), (str, NoneType), (int, NoneType)
_KINDS: dict[Any, tuple[tuple[type, ...], ...]] = {
    "r": (_TEXT, _TEXT, _TEXT, _TEXT, _TEXT, _MAYBE_TEXT),
    "u": (_NUMBER, _TEXT, _MAYBE_NUMBER, (list,), _MAYBE_NUMBER),
    "o": (_TEXT, _TEXT, (dict,)),
    "t": (_TEXT, _TEXT, (dict,), _TEXT, _TEXT, _TEXT, (bool,), _NUMBER, (dict,)),
}


def _row(kind: Any, fields: list[Any]) -> Row:
    kinds = _KINDS.get(kind) if isinstance(kind, str) else None
    if kinds is None or not all(type(field) in allowed for field, allowed in zip(fields, kinds, strict=True)):
        raise ValueError(f"`{kind}` is no kind of row, or has other fields")
    match kind:
        case "r":
            relationship, key, source, target, created, expires = fields
            ends_at = None if expires is None else _parsed(expires)
            return RelationshipRow(relationship, key, source, target, _parsed(created), ends_at)
        case "u":
            user_id, role, custom_role_id, groups, organization = fields
            if any(type(group) is not int for group in groups):
                raise ValueError("a group is no number")
            return User(user_id, role, custom_role_id, tuple(groups), organization)
        case "o":
            return ObjectRow(*fields)
        case _:
            type_kind, key, permissions, made, *rest = fields
            return TypeRow(type_kind, key, permissions, _parsed(made), *rest)


def _parsed(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant has no zone")
    return instant
