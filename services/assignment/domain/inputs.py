"""A snapshot as text: what a decision was made from, kept so that it can be decided again (facts: §7.1)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from services.assignment.domain.model import Agent, Model, Need, Queue, Restrictions, Snapshot, Ticket

_FIRST_ENGINE = 1
"""Of texts that do not name one."""


def dump(snapshot: Snapshot) -> str:
    """Return a snapshot as canonical JSON: the same facts give the same text, in whatever order they came."""
    value: dict[str, Any] = {
        "agents": [_plain(a) for a in sorted(snapshot.agents, key=lambda a: a.id)],
        "tickets": [_plain(t) for t in sorted(snapshot.tickets, key=lambda t: t.id)],
        "queue": _plain(snapshot.queue),
        "restrictions": _plain(snapshot.restrictions),
    }
    if snapshot.as_of is not None:  # snapshots older than this fact keep their text
        value["as_of"] = snapshot.as_of.isoformat()
    if snapshot.privacy_revision is not None:
        value["privacy_revision"] = snapshot.privacy_revision
    if snapshot.engine != _FIRST_ENGINE:
        value["engine"] = snapshot.engine
    if snapshot.stretch:
        value["stretch"] = snapshot.stretch
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the SHA-256 of a snapshot's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def load(text: str) -> Snapshot:
    """Return the snapshot of a text that `dump` made.

    Raises:
        ValueError: it is no such text.
    """
    try:
        value = json.loads(text)
        return Snapshot(
            [Agent(**_typed(a)) for a in value["agents"]],
            [Ticket(**_typed(t)) for t in value["tickets"]],
            Queue(**_typed(value["queue"])),
            Restrictions(**_typed(value["restrictions"])),
            datetime.fromisoformat(value["as_of"]) if "as_of" in value else None,
            value.get("privacy_revision"),
            value.get("engine", _FIRST_ENGINE),
            value.get("stretch", ""),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("not the text of a snapshot") from error


def _plain(one: Agent | Ticket | Queue | Restrictions | Need) -> dict[str, Any]:
    """Return the fields that differ from their defaults, in types of JSON."""
    found = {}
    for field in fields(one):
        value = getattr(one, field.name)
        if value == field.default:
            continue
        if isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, datetime):
            value = value.isoformat()
        elif field.name == "needs":
            value = [_plain(need) for need in sorted(value, key=repr)]
        found[field.name] = value
    return found


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    def typed(name: str, value: Any) -> Any:
        if name == "needs":
            return tuple(Need(**_typed(need)) for need in value)
        if name in ("skills", "weights", "steps"):
            return tuple((one, number) for one, number in value)
        if isinstance(value, list):
            return frozenset(value)
        if name.endswith("_at") and isinstance(value, str):
            return datetime.fromisoformat(value)
        return Model(value) if name == "model" else value

    return {name: typed(name, value) for name, value in values.items()}
