"""A snapshot as text: what a decision was made from, kept so that it can be decided again (facts: §7.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from itertools import compress
from operator import attrgetter, ne
from typing import Any

from services.assignment.domain.model import (
    Agent,
    Model,
    Need,
    Queue,
    Restrictions,
    Snapshot,
    Ticket,
)

_FIRST_ENGINE = 1
"""Of texts that do not name one."""
_by_id = attrgetter("id")


def dump(snapshot: Snapshot) -> str:
    """Return a snapshot as canonical JSON: the same facts give the same text, in whatever order they came."""
    return canonical(besides_agents(snapshot) | {"agents": plain_agents(snapshot.agents)})


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
        return snapshot_of(value, typed_agents(value["agents"]))
    except (KeyError, TypeError) as error:
        raise ValueError("not the text of a snapshot") from error


def plain_agents(agents: Iterable[Agent]) -> list[dict[str, Any]]:
    """Return agents in types of JSON, by id."""
    return [_plain(a) for a in sorted(agents, key=_by_id)]


def typed_agents(values: Iterable[dict[str, Any]]) -> list[Agent]:
    """Return what `plain_agents` was made of."""
    return [Agent(**_typed(one)) for one in values]


def besides_agents(snapshot: Snapshot) -> dict[str, Any]:
    """Return everything else of a snapshot in types of JSON."""
    value: dict[str, Any] = {
        "tickets": [_plain(t) for t in sorted(snapshot.tickets, key=_by_id)],
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
    return value


def canonical(value: dict[str, Any]) -> str:
    """Return the one text of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def snapshot_of(value: dict[str, Any], agents: list[Agent]) -> Snapshot:
    """Return the snapshot of what `besides_agents` told, with its agents."""
    return Snapshot(
        agents,
        [Ticket(**_typed(t)) for t in value["tickets"]],
        Queue(**_typed(value["queue"])),
        Restrictions(**_typed(value["restrictions"])),
        datetime.fromisoformat(value["as_of"]) if "as_of" in value else None,
        value.get("privacy_revision"),
        value.get("engine", _FIRST_ENGINE),
        value.get("stretch", ""),
    )


def _layout(kind: type[Any]) -> tuple[tuple[str, ...], tuple[Any, ...], attrgetter[Any]]:
    """Return the names of a class's fields, their defaults, and what gets all their values at once."""
    names = tuple(f.name for f in fields(kind))
    return names, tuple(f.default for f in fields(kind)), attrgetter(*names)


_LAYOUTS = {kind.__name__: _layout(kind) for kind in (Agent, Ticket, Queue, Restrictions, Need)}


def _plain(one: Agent | Ticket | Queue | Restrictions | Need) -> dict[str, Any]:
    """Return the fields that differ from their defaults, in types of JSON."""
    names, defaults, get = _LAYOUTS[type(one).__name__]
    values = get(one)
    found = dict(compress(zip(names, values, strict=True), map(ne, values, defaults)))
    for name, value in found.items():
        if isinstance(value, frozenset):
            found[name] = sorted(value)
        elif isinstance(value, datetime):
            found[name] = value.isoformat()
        elif name == "needs":
            found[name] = [_plain(need) for need in sorted(value, key=repr)]
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
