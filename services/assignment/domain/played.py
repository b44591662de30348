"""What a replay came to: waits, service levels, load, fairness, and who would have got what (facts: §7.3)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.assignment.domain.history import Given, History, Rules
from services.assignment.domain.model import AgentId, TicketId
from services.assignment.domain.replay import Replay


@dataclass(frozen=True, slots=True)
class Load:
    """What one agent got.

    Attributes:
        tickets: given to him.
        open_seconds: of all of them together, within the history.
    """

    tickets: int = 0
    open_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Played:
    """One history under one set of rules.

    Attributes:
        given: by ticket.
        waits: in seconds, sorted, of every ticket that was given, given up or waits at the end.
        waiting: tickets that wait at the end.
        breaches: tickets whose service level was breached, of `with_target` that have one.
        loads: of every agent that the history knows.
        repeats: tickets of requesters who had been given to somebody before.
        same_agent: of these, to the same agent as the last time.
    """

    title: str
    history: History
    given: Mapping[TicketId, Given]
    waits: Sequence[float]
    waiting: int
    given_up: int
    breaches: int
    with_target: int
    loads: Mapping[AgentId, Load]
    backlog: int
    repeats: int = 0
    same_agent: int = 0
    backlogs: Sequence[tuple[datetime, int]] = field(default_factory=tuple)

    def wait(self, share: float) -> float:
        """Return the wait in seconds that `share` (0 to 1) of the tickets do not exceed."""
        if not self.waits:
            return 0.0
        return self.waits[min(len(self.waits) - 1, max(0, math.ceil(share * len(self.waits)) - 1))]

    @property
    def mean_wait(self) -> float:
        """In seconds."""
        return math.fsum(self.waits) / len(self.waits) if self.waits else 0.0

    @property
    def waited(self) -> float:
        """Share of the tickets that waited at all."""
        return sum(w > 0 for w in self.waits) / len(self.waits) if self.waits else 0.0

    @property
    def fairness_by_count(self) -> float:
        """Jain's index of tickets per agent: 1 = all the same, 1/n = one has everything."""
        return _jain([load.tickets for load in self.loads.values()])

    @property
    def fairness_by_load(self) -> float:
        """Jain's index of open time per agent."""
        return _jain([load.open_seconds for load in self.loads.values()])


def play(history: History, rules: Rules, title: str, *, curve: timedelta = timedelta(hours=6)) -> Played:
    """Play a history through rules and count.

    Args:
        curve: how far apart the points of `backlogs` are.

    Raises:
        ValueError: an arrival names a queue that the rules do not have.
    """
    replay = Replay(history, rules)
    return count(replay, {step.ticket: step.given for step in replay.play()}, title, curve)


def count(replay: Replay, given: Mapping[TicketId, Given], title: str, curve: timedelta) -> Played:
    """Count what a replay that was played came to."""
    history = replay.history
    waits, breaches, targets, repeats, same = [], 0, 0, 0, 0
    tickets: Counter[AgentId] = Counter()
    seconds: Counter[AgentId] = Counter()
    last: dict[int, AgentId] = {}
    moves: list[tuple[datetime, int]] = []
    for arrival in sorted(history.arrivals, key=lambda a: (a.at, a.ticket.id)):
        if arrival.at >= history.end:
            continue
        found = given.get(arrival.ticket.id)
        ended = found.at if found else replay.given_up.get(arrival.ticket.id, history.end)
        waits.append((ended - arrival.at).total_seconds())
        moves += [(arrival.at, 1), (ended, -1)]
        if arrival.breach_at is not None and arrival.breach_at < history.end:
            targets += 1
            breaches += ended > arrival.breach_at
        if found is None:
            continue
        tickets[found.agent] += 1
        seconds[found.agent] += int((min(history.end, found.at + arrival.work) - found.at).total_seconds())
        if arrival.requester is not None:
            repeats += arrival.requester in last
            same += last.get(arrival.requester) == found.agent
            last[arrival.requester] = found.agent
    agents = sorted({c.agent.id for c in history.changes})
    return Played(
        title=title,
        history=history,
        given=given,
        waits=sorted(waits),
        waiting=len(waits) - len(given) - len(replay.given_up),
        given_up=len(replay.given_up),
        breaches=breaches,
        with_target=targets,
        loads={a: Load(tickets[a], seconds[a]) for a in agents},
        backlog=replay.backlog,
        repeats=repeats,
        same_agent=same,
        backlogs=_curve(history, moves, curve),
    )


def differences(
    one: Mapping[TicketId, Given], other: Mapping[TicketId, Given]
) -> list[tuple[TicketId, Given | None, Given | None]]:
    """Return the tickets that went to another agent, or to one of them only, by id."""
    found = [(t, one.get(t), other.get(t)) for t in sorted(one.keys() | other.keys())]
    return [(t, a, b) for t, a, b in found if (a and a.agent) != (b and b.agent)]


def _curve(
    history: History, moves: list[tuple[datetime, int]], step: timedelta
) -> list[tuple[datetime, int]]:
    """Return how many tickets waited, at each step the most since the last one."""
    points, at, level, most = [], history.start + step, 0, 0
    for when, by in sorted(moves):
        while when >= at and at < history.end:
            points.append((at, most))
            at, most = at + step, level
        level += by
        most = max(most, level)
    points.append((history.end, most))
    return points


def _jain(values: Sequence[float]) -> float:
    squares = math.fsum(v * v for v in values)
    return math.fsum(values) ** 2 / (len(values) * squares) if squares else 1.0
