"""Reading Zendesk's JSON leniently (facts: Zendesk §6, dates; §12.3, ids as strings)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

Json = dict[str, Any]


def instant(value: object) -> datetime | None:
    """Return an aware datetime of Zendesk's several spellings (`…Z`, `… +00:00`), or None."""
    if not isinstance(value, str) or not value:
        return None
    return datetime.fromisoformat(value.replace("Z", "+00:00").replace(" +", "+"))


def known_instant(row: Json, member: str) -> datetime:
    """Return a member that every such object has.

    Raises:
        ValueError: it is missing or no instant.
    """
    found = instant(row.get(member))
    if found is None:
        raise ValueError(f"`{row.get('id')}` has no `{member}`")
    return found


def optional_id(value: object) -> int | None:
    """Return an id that may be absent, `0` or a string (events and installations spell ids as strings)."""
    return int(value) or None if isinstance(value, int | str) and value != "" else None


def id_tuple(values: object) -> tuple[int, ...]:
    """Return the ids of a list, whose members may be strings; anything else holds none."""
    return tuple(int(v) for v in values) if isinstance(values, list) else ()
