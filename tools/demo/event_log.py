"""Plays a real event log: a folder with the columns of the UCI incident log.

`resolved_at` and the other closure columns are outcomes: they decide only when the played agent
finishes his work, never who gets a ticket. A membership is not used before it was first seen; only
the first day, which has no yesterday, takes the pairs of that day itself.
"""

from __future__ import annotations

import csv
import gzip
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from tools.demo.script import AgentPart, JoinPart, Script, ScriptError, TicketPart

_TICKETS = (
    "ticket",
    "opened_at",
    "caller",
    "priority",
    "first_group",
    "first_group_at",
    "first_agent_at",
    "resolved_at",
)
_TICKETS_UNUSED = (
    "opened_by",
    "contact",
    "location",
    "category",
    "subcategory",
    "symptom",
    "impact",
    "urgency",
    "first_agent",
    "last_group",
    "last_agent",
    "n_events",
    "reassignments",
    "reopens",
    "made_sla",
    "resolved_by",
    "closed_at",
    "closed_code",
)
_MEMBERSHIPS = ("group", "agent", "first_at")
_MEMBERSHIPS_UNUSED = ("events", "tickets", "last_at")
_PRIORITIES = {"1": "urgent", "2": "high", "3": "normal", "4": "low"}
_DAY = timedelta(days=1)
UNKNOWN_GROUP = 0
"""Tickets of the log that never show a group go to a group without members, and wait there."""


def event_log(folder: Path, days: int, inbox_limit: int = 20) -> Script:
    """Read the first `days` days of a log.

    Args:
        folder: holds `tickets.csv[.gz]` and `memberships.csv[.gz]`.
        days: how many, from the day of the first ticket on.
        inbox_limit: open tickets at which an agent pauses; the log has none.

    Raises:
        ScriptError: a file, column or value is missing or malformed; names file, line and column.
    """
    rows = list(_tickets(folder))
    if not rows:
        raise ScriptError(f"`{folder}` holds no tickets")
    start = min(row[0] for row in rows).replace(hour=0, minute=0)
    end = start + days * _DAY
    known = [work.total_seconds() for *_, work in rows if work is not None]
    usual = timedelta(seconds=statistics.median(known)) if known else timedelta(hours=4)
    tickets = [
        TicketPart(key, at, caller, group, priority, work if work is not None else usual)
        for at, key, caller, group, priority, work in sorted(rows, key=lambda r: (r[0], r[1]))
        if at < end
    ]
    pairs = [(at, group, agent) for at, group, agent in _memberships(folder) if at < end]
    first = [(group, agent) for at, group, agent in pairs if at < start + _DAY]
    joins = [JoinPart(_morning(at), agent, group) for at, group, agent in sorted(pairs) if at >= start + _DAY]
    keys = sorted({agent for _, _, agent in pairs})
    if not keys:
        raise ScriptError(f"`{folder}` shows no agent before {end:%Y-%m-%d}")
    groups = {t.group for t in tickets} | {group for _, group, _ in pairs}
    agents = [
        AgentPart(
            key, tuple(sorted(g for g, a in first if a == key)), manager=key == keys[0], admin=key == keys[-1]
        )
        for key in keys
    ]
    return Script(
        title=f"{days} day{'s' if days != 1 else ''} of `{folder.name}`",
        start=start,
        end=end,
        agents=agents,
        groups=sorted(groups),
        tickets=tickets,
        joins=[j for j in joins if j.at < end],
        inbox_limit=inbox_limit,
    )


def _morning(seen: datetime) -> datetime:
    """Return the midnight after `seen`: from then on the pair is past knowledge."""
    return seen.replace(hour=0, minute=0) + _DAY


def unknown_columns(folder: Path) -> list[str]:
    """Return one sentence for each column of the log that nobody knows; such columns are ignored."""
    known = {"tickets": _TICKETS + _TICKETS_UNUSED, "memberships": _MEMBERSHIPS + _MEMBERSHIPS_UNUSED}
    sentences = []
    for name, columns in known.items():
        path = _file(folder, name)
        with _open(path) as file:
            header = next(csv.reader(file), [])
        sentences += [
            f"`{path.name}` has an unknown column `{c}`: it is ignored" for c in header if c not in columns
        ]
    return sentences


def _file(folder: Path, name: str) -> Path:
    path = next((p for p in (folder / f"{name}.csv.gz", folder / f"{name}.csv") if p.is_file()), None)
    if path is None:
        raise ScriptError(f"`{folder}` has no `{name}.csv` or `{name}.csv.gz`")
    return path


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    path = _file(folder, name)
    try:
        with _open(path) as file:
            reader = csv.DictReader(file)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise ScriptError(f"`{path.name}` lacks the column `{missing[0]}`")
            for row in reader:
                where = f"`{path.name}` line {reader.line_num}"
                if None in row or any(row[c] is None for c in columns):
                    raise ScriptError(
                        f"{where} has {'more' if None in row else 'fewer'} values than the header"
                    )
                yield where, row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ScriptError(f"`{path.name}` cannot be read: {error}") from None


def _instant(where: str, column: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise ScriptError(
            f"{where}: column `{column}` holds `{text}`, not a time like 2016-02-29T01:16"
        ) from None


def _number(where: str, column: str, text: str, default: int | None = None) -> int:
    if not text and default is not None:
        return default
    if not text.isascii() or not text.isdigit():
        raise ScriptError(f"{where}: column `{column}` holds `{text}`, not a number")
    return int(text)


def _tickets(folder: Path) -> Iterator[tuple[datetime, int, int, int, str, timedelta | None]]:
    for where, row in _rows(folder, "tickets", _TICKETS):
        opened = _instant(where, "opened_at", row["opened_at"])
        if opened is None:
            raise ScriptError(f"{where}: column `opened_at` is empty")
        grouped = _instant(where, "first_group_at", row["first_group_at"]) or opened
        if row["priority"] not in _PRIORITIES:
            raise ScriptError(f"{where}: column `priority` holds `{row['priority']}`, not 1, 2, 3 or 4")
        begun = _instant(where, "first_agent_at", row["first_agent_at"])
        done = _instant(where, "resolved_at", row["resolved_at"])
        work = max(timedelta(minutes=5), done - begun) if begun and done else None
        yield (
            max(opened, grouped),
            _number(where, "ticket", row["ticket"]),
            _number(where, "caller", row["caller"], default=0),
            _number(where, "first_group", row["first_group"], default=UNKNOWN_GROUP),
            _PRIORITIES[row["priority"]],
            work,
        )


def _memberships(folder: Path) -> Iterator[tuple[datetime, int, int]]:
    for where, row in _rows(folder, "memberships", _MEMBERSHIPS):
        first = _instant(where, "first_at", row["first_at"])
        if first is None:
            raise ScriptError(f"{where}: column `first_at` is empty")
        yield first, _number(where, "group", row["group"]), _number(where, "agent", row["agent"])
