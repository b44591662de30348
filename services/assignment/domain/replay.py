"""A history under other rules, in virtual time, decided by the code that decides in earnest (facts: §7.3).

Outcomes (how long work took) only free slots at the right time; they never reach a decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count

from services.assignment.domain.eligibility import relaxations
from services.assignment.domain.history import Arrival, Given, History, Hours, Rules, Update
from services.assignment.domain.lately import Lately
from services.assignment.domain.model import Agent, AgentId, Queue, Ticket, TicketId
from services.assignment.domain.standing import Standing

DAILY_WINDOW = timedelta(hours=12)
"""The daily limit is not a day: it looks 12 hours back (facts: §2.2)."""


class _What(IntEnum):
    """What happens, in the order in which it happens at one instant."""

    CHANGED = 0
    FINISHED = 1
    LAPSED = 2
    ARRIVED = 3
    UPDATED = 4
    GIVEN_UP = 5
    DROPPED = 6
    TICK = 7
    PACED = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One ticket that was given in a replay."""

    ticket: TicketId
    given: Given
    queue: str


class Replay:
    """Plays one history through one set of rules; used once.

    Args:
        history: what happens.
        rules: what decides.
    """

    def __init__(self, history: History, rules: Rules) -> None:
        self.history = history
        self.rules = rules
        self.given_up: dict[TicketId, datetime] = {}
        """Tickets whose patience ended."""
        self.backlog = 0
        """The most tickets that waited at once."""
        self._queues = {
            q.id: Standing(q, rules.restrictions, history.stretches.get(q.id, "")) for q in rules.queues
        }
        self._arrivals = {a.ticket.id: a for a in history.arrivals}
        self._waiting: dict[TicketId, tuple[Ticket, str]] = {}
        self._agents: dict[AgentId, Agent] = {}
        self._open: dict[AgentId, dict[str, int]] = {}
        self._batch: dict[AgentId, int] = {}
        self._recent: dict[AgentId, dict[str, int]] = {}
        self._lately = Lately()
        self._events: list[tuple[datetime, _What, int, object]] = []
        self._numbers = count()
        self._due: set[str] = set()
        self._ticking: datetime | None = None
        self._running: datetime | None = None
        # Units of work, limits by queue and rates are counted anew: one ticket is not one slot everywhere.
        self._rates = any(q.rate_minutes is not None for q in rules.queues) or any(
            c.agent.rate_minutes is not None for c in history.changes
        )
        self._units = (
            self._rates
            or any(q.open_limit is not None for q in rules.queues)
            or any(c.agent.capacity is not None for c in history.changes)
        )
        self._daily = any(q.daily_limit is not None for q in rules.queues) or any(
            c.agent.daily_limit is not None for c in history.changes
        )

    def play(self) -> Iterator[Step]:
        """Yield each ticket as it is given, until the history ends.

        Raises:
            ValueError: an arrival names a queue that the rules do not have.
        """
        for change in self.history.changes:
            self._plan(change.at, _What.CHANGED, change.agent)
        for hours in self.history.hours:
            self._plan(hours.at, _What.CHANGED, hours)
        for arrival in self.history.arrivals:
            if arrival.queue not in self._queues:
                raise ValueError(
                    f"ticket {arrival.ticket.id} is of the queue `{arrival.queue}`, which no rule names"
                )
            self._plan(arrival.at, _What.ARRIVED, arrival)
        for update in self.history.updates:
            self._plan(update.at, _What.UPDATED, update)
        while self._events and self._events[0][0] < self.history.end:
            now = self._events[0][0]
            while self._events and self._events[0][0] == now:
                _, what, _, value = heappop(self._events)
                self._happen(what, value, now)
            yield from self._rounds(now)
            self.backlog = max(self.backlog, len(self._waiting))

    def _plan(self, at: datetime, what: _What, value: object) -> None:
        heappush(self._events, (at, what, next(self._numbers), value))

    def _happen(self, what: _What, value: object, now: datetime) -> None:
        match value:
            case Agent():
                self._learn(value, now)
            case Hours():
                self._queues[value.queue].closed = value.closed
            case Arrival():
                self._arrive(value, now)
            case Update():
                self._update(value, now)
            case (int() as agent, str() as queue):
                self._count(agent, queue, what, now)
            case int() if value in self._waiting:
                ticket, queue = self._waiting[value]
                if what is _What.DROPPED:
                    self._queues[queue].arrive([ticket], now)
                else:
                    self._withdraw(value)
                    self.given_up[value] = now
            case _:
                pass  # the minute job wakes up, or a ticket waits no more
        self._due |= self._queues.keys()

    def _count(self, agent: AgentId, queue: str, what: _What, now: datetime) -> None:
        """Note that one of an agent's tickets is open no more, or so old that a limit does not count it any more."""
        if what is _What.FINISHED:
            self._open[agent][queue] -= 1
            if not self._units:
                self._change(agent, "", opened=-1)
        elif what is _What.LAPSED:
            self._recent[agent][queue] -= 1
            self._change(agent, queue, daily=-1)
        if self._units:
            self._put(self._agents[agent], now)

    def _learn(self, agent: Agent, now: datetime) -> None:
        """Take what is known of an agent from now on."""
        before = self._agents.get(agent.id)
        self._put(agent, now)
        if before is not None and before.rate_minutes != agent.rate_minutes:
            for at in self._lately.times(agent.id):
                self._plan_pace(agent, None, at, now)

    def _put(self, agent: Agent, now: datetime) -> None:
        self._agents[agent.id] = agent
        mine, recent = self._open.get(agent.id, {}), self._recent.get(agent.id, {})
        rules = {queue: self._queues[queue].crew.queue for queue in mine}
        units = sum(number * rules[queue].work for queue, number in mine.items())
        interruptible = sum(n * rules[queue].work for queue, n in mine.items() if rules[queue].interruptible)
        for queue, standing in self._queues.items():
            member = standing.crew.members.get(agent.id)
            standing.put(
                replace(
                    agent,
                    open_count=agent.open_count + sum(mine.values()),
                    load=agent.load + units,
                    interruptible=agent.interruptible + interruptible,
                    open_queue=agent.open_queue + mine.get(queue, 0),
                    assigned_12h=agent.assigned_12h + sum(recent.values()),
                    assigned_12h_queue=agent.assigned_12h_queue + recent.get(queue, 0),
                    assigned_run=self._batch.get(agent.id, 0),
                    assigned_rate=agent.assigned_rate + self._lately.of(agent.id, agent.rate_minutes, now),
                    assigned_rate_queue=agent.assigned_rate_queue
                    + self._lately.of(agent.id, standing.crew.queue.rate_minutes, now, queue),
                    credit=member.credit if member else self.history.credits.get(queue, {}).get(agent.id, 0),
                    last_assigned_at=member.last if member else agent.last_assigned_at,
                )
            )

    def _arrive(self, arrival: Arrival, now: datetime) -> None:
        self._wait(arrival.ticket, arrival.queue, now)
        if arrival.patience is not None:
            self._plan(now + arrival.patience, _What.GIVEN_UP, arrival.ticket.id)

    def _update(self, update: Update, now: datetime) -> None:
        if update.ticket.id in self._waiting:
            self._withdraw(update.ticket.id)
            self._wait(update.ticket, update.queue, now)

    def _wait(self, ticket: Ticket, queue: str, now: datetime) -> None:
        self._queues[queue].arrive([ticket], now)
        self._waiting[ticket.id] = ticket, queue
        for at, _, _ in relaxations(ticket):
            if at > now:
                self._plan(at, _What.DROPPED, ticket.id)

    def _withdraw(self, ticket: TicketId) -> None:
        _, queue = self._waiting.pop(ticket)
        self._queues[queue].withdraw(ticket)

    def _rounds(self, now: datetime) -> Iterator[Step]:
        due, self._due = self._due, set()
        tick = self.history.start + -((self.history.start - now) // self.rules.every) * self.rules.every
        for queue, standing in self._queues.items():
            if queue not in due or not standing.waiting:
                continue
            if standing.crew.queue.scheduled:
                if tick != now:
                    self._wake(tick)
                    continue
                self._run(now)
            for ticket, agent in standing.decide(now):
                self._give(queue, ticket, agent, now)
                yield Step(ticket, Given(now, agent), queue)
        if self._batch and self._waiting:
            self._wake(tick + self.rules.every if tick == now else tick)

    def _wake(self, tick: datetime) -> None:
        if self._ticking != tick:
            self._ticking = tick
            self._plan(tick, _What.TICK, None)

    def _run(self, now: datetime) -> None:
        """Begin a run of the minute job, unless it has begun: batch sizes count anew."""
        if self._running != now:
            self._running = now
            for agent, number in self._batch.items():
                self._change(agent, "", batch=-number)
            self._batch.clear()

    def _give(self, queue: str, ticket: TicketId, agent: AgentId, now: datetime) -> None:
        del self._waiting[ticket]
        held = self._open.setdefault(agent, {})
        held[queue] = held.get(queue, 0) + 1
        recent = self._recent.setdefault(agent, {})
        recent[queue] = recent.get(queue, 0) + 1
        mine = self._queues[queue].crew.queue
        if mine.scheduled and mine.batch_size is not None:
            self._batch[agent] = self._batch.get(agent, 0) + 1
        if self._rates:
            self._lately.give(agent, queue, now)
            self._plan_pace(self._agents[agent], mine, now, now)
        if self._units:
            self._put(self._agents[agent], now)
        else:
            batch = 1 if mine.scheduled and mine.batch_size is not None else 0
            for other in self._queues.keys() - {queue}:
                self._queues[other].crew.change(agent, opened=1, daily=1, batch=batch)
        self._plan(now + self._arrivals[ticket].work, _What.FINISHED, (agent, queue))
        if self._daily:
            self._plan(now + DAILY_WINDOW, _What.LAPSED, (agent, queue))

    def _plan_pace(self, agent: Agent, queue: Queue | None, given: datetime, now: datetime) -> None:
        """Let an agent be looked at again when a ticket leaves the time of his rate limit, or of the queue's."""
        for minutes in {agent.rate_minutes, queue.rate_minutes if queue else None} - {None}:
            leaves = given + timedelta(minutes=minutes or 0)
            if leaves > now:
                self._plan(leaves, _What.PACED, (agent.id, ""))

    def _change(self, agent: AgentId, queue: str, *, opened: int = 0, daily: int = 0, batch: int = 0) -> None:
        for other, standing in self._queues.items():
            standing.crew.change(
                agent, opened=opened, daily=daily, queue_daily=daily if other == queue else 0, batch=batch
            )
