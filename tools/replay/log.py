"""The event log as a history: read by the demo's reader, which keeps outcomes away from decisions."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

from services.assignment.domain.history import Arrival, Change, Given, History
from services.assignment.domain.model import Agent, Ticket
from tools.demo.event_log import event_log
from tools.demo.script import Script
from tools.replay.config import Config, Policy

WHOLE = 10_000
"""Days: more than any log has."""


def read_log(folder: Path, days: int | None = None) -> tuple[Script, dict[int, Given]]:
    """Read a log; return what happens, and what the company itself did with each ticket.

    Args:
        days: only so many from the first ticket on; None = all.

    Raises:
        ScriptError: something is missing or malformed; names file, line and column.
    """
    script = event_log(folder, days or WHOLE)
    last = max(t.at for t in script.tickets) + timedelta(days=1)
    script = replace(script, title=folder.name, end=min(script.end, last.replace(hour=0, minute=0)))
    return script, dict(_recorded(folder))


def _recorded(folder: Path) -> Iterator[tuple[int, Given]]:
    packed = folder / "tickets.csv.gz"
    source: Callable[[], TextIO] = (
        partial(gzip.open, packed, "rt", encoding="utf-8", newline="")  # type: ignore[assignment]  # text, by its mode
        if packed.is_file()
        else partial((folder / "tickets.csv").open, encoding="utf-8", newline="")
    )
    with source() as file:
        for row in csv.DictReader(file):
            if row.get("first_agent") and row["first_agent_at"]:
                at = datetime.fromisoformat(row["first_agent_at"]).replace(tzinfo=UTC)
                yield int(row["ticket"]), Given(at, int(row["first_agent"]))


def history_of(script: Script, recorded: dict[int, Given], config: Config, policy: Policy) -> History:
    """Return the history as one policy meets it: its limits are the agents'."""
    arrivals = []
    for part in script.tickets:
        minutes = config.target_minutes.get(part.priority)
        breach = part.at + timedelta(minutes=minutes) if minutes is not None else None
        ticket = Ticket(part.key, part.at, part.group, part.priority, next_breach_at=breach)
        # Caller 0 stands for an unknown one.
        requester = part.requester or None
        arrivals.append(Arrival(part.at, ticket, part.work, "log", breach_at=breach, requester=requester))
    return History(script.start, script.end, arrivals, list(_changes(script, config, policy)), recorded)


def _changes(script: Script, config: Config, policy: Policy) -> Iterator[Change]:
    """Yield memberships as they begin, and everybody's hours."""
    groups = {a.key: set(a.groups) for a in script.agents}
    happens: list[tuple[datetime, int, int, int]] = [(script.start, 0, a.key, 0) for a in script.agents]
    happens += [(j.at, 1, j.agent, j.group) for j in script.joins]
    day = script.start.replace(hour=0, minute=0)
    while config.hours is not None and day < script.end:
        for hour in config.hours:
            at = day + timedelta(hours=hour)
            happens += [(at, 2, a.key, 0) for a in script.agents if script.start < at < script.end]
        day += timedelta(days=1)
    for at, _, key, group in sorted(happens):
        if group:
            groups[key].add(group)
        online = config.hours is None or config.hours[0] <= at.hour < config.hours[1]
        yield Change(
            at,
            Agent(
                key,
                frozenset(groups[key]),
                status="online" if online else "away",
                inbox_limit=policy.inbox_limit,
                daily_limit=policy.daily_limit,
            ),
        )
