"""ReplayDay: the account's own days through changed rules, in virtual time; nothing is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.recorded_days import ReadRecordedDays, RecordedDays
from services.assignment.app.rounds import rules
from services.assignment.app.rows import QueueRow
from services.assignment.domain.history import Change, Given, History, Rules
from services.assignment.domain.limits import limit_of
from services.assignment.domain.model import Agent, Queue, TicketId
from services.assignment.domain.played import Played, count, differences
from services.assignment.domain.replay import Replay, Step

LONGEST = timedelta(days=31)


_CURVE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Changed:
    """What is other than it was; None and what is not named = as it was.

    Attributes:
        rate_limit: as an admin writes it (`domain.limits`), with a time; empty = nobody has one.
    """

    queues: Mapping[str, Queue] = field(default_factory=dict)
    inbox_limit: int | None = None
    daily_limit: int | None = None
    rate_limit: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it, beside what was decided then.

    Attributes:
        pulled: tickets left out, for they waited until an agent asked.
    """

    steps: list[Step]
    queues: Mapping[str, Queue]
    replayed: Played
    recorded: Played
    pulled: int = 0

    @property
    def left_out(self) -> list[str]:
        """What was not replayed, in sentences."""
        if not self.pulled:
            return []
        count = "1 ticket that" if self.pulled == 1 else f"{self.pulled} tickets that"
        return [f"{count} waited until an agent asked for the next one: nobody asks in a replay"]

    @property
    def differences(self) -> list[tuple[TicketId, Given | None, Given | None]]:
        """Tickets that another agent got, by id."""
        return differences(self.recorded.given, self.replayed.given)


class ReplayDays:
    """Plays recorded days."""

    def __init__(self, store: Store) -> None:
        self._read = ReadRecordedDays(store)
        self._store = store

    async def queue(self, account: AccountId, queue_id: str) -> QueueRow:
        """Return a queue as it is now: what changed rules are based on.

        Raises:
            NotFoundError: there is no such queue.
        """
        async with self._store.transaction(account) as tx:
            row = await tx.directory.queue(queue_id)
        if row is None:
            name = f"accounts/{account}/queues/{queue_id}"
            raise NotFoundError("no such queue", metadata={"name": name})
        return row

    async def __call__(
        self, account: AccountId, start: datetime, end: datetime, changed: Changed
    ) -> Replayed:
        """Play.

        Raises:
            InvalidRequestError: the end is not after the start, or too long after it; too many decisions.
            NotFoundError: nothing of these days is kept.
        """
        if not timedelta(0) < end - start <= LONGEST:
            fault = FieldViolation("end_time", f"must be after `start_time`, by at most {LONGEST.days} days")
            raise InvalidRequestError(f"`end_time` {fault.description}", violations=[fault])
        days = await self._read(account, start, end)
        return await asyncio.to_thread(_play, days, changed)  # it takes a while: others are served meanwhile


def based_on(row: QueueRow) -> Queue:
    """Return changed rules as a replay sees them: nobody is asked and nobody asks, an offer is taken."""
    return replace(rules(row), offer_seconds=None, pull_only=False)


def _play(days: RecordedDays, changed: Changed) -> Replayed:
    queues = {**days.queues, **{i: q for i, q in changed.queues.items() if i in days.queues}}
    history = days.history
    history = replace(history, changes=[_limited(c, changed) for c in history.changes])
    played = Replay(history, Rules(list(queues.values()), days.restrictions))
    steps = list(played.play())
    replayed = count(played, {s.ticket: s.given for s in steps}, "replayed", _CURVE)
    return Replayed(steps, queues, replayed, _as_it_was(history), days.pulled)


def _as_it_was(history: History) -> Played:
    nothing = Replay(history, Rules([]))
    known = {a.ticket.id: a.at for a in history.arrivals}
    recorded = {
        ticket: replace(given, at=max(given.at, known[ticket]))
        for ticket, given in history.recorded.items()
        if ticket in known
    }
    return count(nothing, recorded, "recorded", _CURVE)


def _limited(change: Change, changed: Changed) -> Change:
    agent: Agent = change.agent
    if changed.inbox_limit is not None:
        agent = replace(agent, inbox_limit=changed.inbox_limit)
    if changed.daily_limit is not None:
        agent = replace(agent, daily_limit=changed.daily_limit)
    if changed.rate_limit is not None:
        limit = limit_of(changed.rate_limit)
        agent = replace(
            agent, rate_limit=limit.most if limit else None, rate_minutes=limit.minutes if limit else None
        )
    return replace(change, agent=agent)
