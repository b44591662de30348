"""The decision: a pure function. Same snapshot, same plan, byte for byte."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property

from services.assignment.domain.compress import Crew
from services.assignment.domain.eligibility import slots
from services.assignment.domain.hand_out import hand_out
from services.assignment.domain.matching import Matching
from services.assignment.domain.model import (
    FULL,
    Agent,
    AgentId,
    Code,
    Decision,
    Model,
    Outcome,
    Plan,
    Queue,
    Snapshot,
    Ticket,
    TicketId,
)
from services.assignment.domain.quality import out_of_reach

_PRIORITY = {"urgent": 0, "high": 1, "normal": 2, "low": 3}
_FAR = datetime.max.replace(tzinfo=UTC)
_KNOWS_QUALITY = 2
"""The first engine that tells who lost to a better fit."""
_KNOWS_STRETCHES = 2
"""The first engine whose weighted turns are guarded after a change; those before always took Tijdeman's rule."""
_LOST = {
    Model.ROUND_ROBIN: Code.LOST_ROTATION,
    Model.LEAST_ACTIVE: Code.LOST_LOAD,
    Model.LONGEST_IDLE: Code.LOST_IDLE,
    Model.SKILLS: Code.LOST_LOAD,
    Model.WEIGHTED: Code.LOST_ROTATION,
}


Before = Callable[[Crew, TicketId, int], None]
"""Sees the agents as they are when a ticket is given: the crew, the ticket, the number of its kind."""


def value_order(ticket: Ticket, queue: Queue) -> tuple[object, ...]:
    """Return the key of a ticket: what is most valuable comes first, ties end with the id.

    With SLA: next breach first, tickets without SLA last, by age (the seed's "Use SLA"); with ageing: waiting
    time, where each step of priority counts for `ageing_seconds` of it (facts: §5.2); without both: priority,
    then oldest.
    """
    if queue.use_sla:
        return (ticket.next_breach_at is None, ticket.next_breach_at or _FAR, ticket.created_at, ticket.id)
    step = _PRIORITY.get(ticket.priority or "normal", 2)
    if queue.ageing_seconds is not None:
        return (ticket.created_at + timedelta(seconds=step * queue.ageing_seconds), ticket.id)
    return (step, ticket.created_at, ticket.id)


def decide(snapshot: Snapshot, before: Before | None = None) -> Plan:
    """Decide one round of one queue.

    Args:
        before: told of each ticket before it is given, and changes nothing.
    """
    order = sorted(snapshot.tickets, key=lambda t: value_order(t, snapshot.queue))
    if snapshot.queue.closed or snapshot.queue.pull_only:
        outcome = Outcome.QUEUE_CLOSED if snapshot.queue.closed else Outcome.QUEUE_PULL_ONLY
        rests = [Decision(t.id, outcome, rank) for rank, t in enumerate(order, 1)]
        return Plan(rests, {}, snapshot.stretch)
    agents = {a.id: a for a in sorted(snapshot.agents, key=lambda a: a.id)}
    crew = Crew(snapshot.queue, snapshot.restrictions, agents.values())
    if crew.stretch is not None:
        crew.stretch = snapshot.stretch if snapshot.engine >= _KNOWS_STRETCHES else None
    kinds = [crew.number(t, snapshot.as_of) for t in order]
    eligible = {kind: [p for p in crew.able[kind] if crew.profiles[p].free] for kind in set(kinds)}
    free = {p.index: p.free for p in crew.profiles}
    matching = Matching(eligible, free)
    served = [(t.id, kind) for t, kind in zip(order, kinds, strict=True) if matching.serve(kind)]
    look = None if before is None else lambda place: before(crew, *served[place])
    given = hand_out(crew, [kind for _, kind in served], eligible, matching, look)
    chosen = dict(zip((t for t, _ in served), given, strict=True))
    went = Counter((k, crew.members[a].profile.index) for (_, k), a in zip(served, given, strict=True))
    reasons = _Reasons(crew, agents, snapshot.engine, lambda: out_of_reach(eligible, free, went))
    decisions = [
        reasons.decision(t, kind, rank, chosen.get(t.id))
        for rank, (t, kind) in enumerate(zip(order, kinds, strict=True), 1)
    ]
    balances = {i: m.credit for i, m in crew.members.items() if m.credit != agents[i].credit}
    return Plan(decisions, balances, _stretch(snapshot, crew, balances))


def _stretch(snapshot: Snapshot, crew: Crew, balances: Mapping[AgentId, int]) -> str:
    if crew.stretch is not None:
        return crew.stretch
    # Turns without weights are no part of a stretch with them.
    return "" if balances else snapshot.stretch


def tally(decision: Decision) -> Counter[Code]:
    """Return how many agents have each code: the same as to count them, found by profile."""
    codes = decision.codes
    return codes.tally() if isinstance(codes, _Codes) else Counter(codes.values())


def _group(ticket: Ticket, agent: Agent) -> int:
    """Return in which group an agent gets a ticket: its own, or the one that helps, or his first."""
    if ticket.group is not None and ticket.group in agent.groups:
        return ticket.group
    return min(ticket.overflow & agent.groups or agent.groups)


class _Reasons:
    """Finds each agent's one code, ticket after ticket, in value order."""

    def __init__(
        self,
        crew: Crew,
        agents: Mapping[AgentId, Agent],
        engine: int,
        needed: Callable[[], frozenset[tuple[int, int]]],
    ) -> None:
        self.crew = crew
        self._exact = engine >= _KNOWS_QUALITY
        self._find_needed = needed
        self.agents = agents
        self.filled: dict[AgentId, int] = {}
        """Rank of the ticket that took an agent's last slot."""
        self.limits = {i: slots(a, crew.queue) for i, a in agents.items()}
        self.lost = _LOST[crew.queue.model]
        self.at_limit: dict[int, Counter[Code]] = {}
        """By profile: those who could take nothing from the start, by the limit that says so."""
        self.standing: Counter[int] = Counter()
        """By profile: those who could take something."""
        self.ranks: dict[int, list[int]] = {}
        """By profile: the ranks of the tickets that took a last slot, in order."""
        for i, member in crew.members.items():
            most, code = self.limits[i]
            if most == 0:
                self.at_limit.setdefault(member.profile.index, Counter())[code] += 1
            else:
                self.standing[member.profile.index] += 1
        self._used = dict.fromkeys(agents, 0)
        self._waiting: dict[int, tuple[Outcome, _Codes]] = {}

    def loses(self, kind: int, profile: int) -> Code:
        """Return why an agent of a profile who had room for a ticket of a kind did not get it."""
        if not self._exact:
            return self.lost
        if (kind, profile) in self.needed:
            return Code.SLOT_TAKEN
        best = self.crew.best
        return Code.LOST_QUALITY if best is not None and (kind, profile) in best.unfit else self.lost

    @cached_property
    def needed(self) -> frozenset[tuple[int, int]]:
        """(kind, profile) whose slots other tickets of the round need."""
        return self._find_needed()

    def decision(self, ticket: Ticket, kind: int, rank: int, chosen: AgentId | None) -> Decision:
        if chosen is None:
            if kind not in self._waiting:  # why nobody takes it is the same for the whole kind
                codes = _Codes(self, kind, None, 0)
                full = not FULL.isdisjoint(codes.tally())
                outcome = Outcome.WAITING_ALL_FULL if full else Outcome.WAITING_NO_ELIGIBLE_AGENT
                self._waiting[kind] = outcome, codes
            outcome, codes = self._waiting[kind]
            return Decision(ticket.id, outcome, rank, codes=codes)
        self._used[chosen] += 1
        if self._used[chosen] == self.limits[chosen][0]:
            self.filled[chosen] = rank
            self.ranks.setdefault(self.crew.members[chosen].profile.index, []).append(rank)
        group = _group(ticket, self.agents[chosen])
        outcome = Outcome.ASSIGNED if self.crew.queue.offer_seconds is None else Outcome.OFFERED
        return Decision(ticket.id, outcome, rank, chosen, group, _Codes(self, kind, chosen, rank))


class _Codes(Mapping[AgentId, Code]):
    """Every agent with his one code, found when asked: a round keeps no table of tickets times agents."""

    __slots__ = ("_chosen", "_kind", "_rank", "_reasons")

    def __init__(self, reasons: _Reasons, kind: int, chosen: AgentId | None, rank: int) -> None:
        self._reasons = reasons
        self._kind = kind
        self._chosen = chosen
        self._rank = rank

    def __getitem__(self, agent: AgentId) -> Code:
        reasons = self._reasons
        if agent == self._chosen:
            return Code.CHOSEN
        bar = reasons.crew.bar(self._kind, reasons.crew.members[agent].profile)
        if bar is not None:
            return bar
        most, code = reasons.limits[agent]
        if most == 0:
            return code
        if self._chosen is None or reasons.filled.get(agent, self._rank) < self._rank:
            return Code.SLOT_TAKEN
        return reasons.loses(self._kind, reasons.crew.members[agent].profile.index)

    def tally(self) -> Counter[Code]:
        """Count the codes, a profile at a time."""
        reasons, found = self._reasons, Counter[Code]()
        for profile in reasons.crew.profiles:
            index = profile.index
            limited, others = reasons.at_limit.get(index, Counter[Code]()), reasons.standing[index]
            bar = reasons.crew.bar(self._kind, profile)
            if bar is not None:
                found[bar] += limited.total() + others
                continue
            found.update(limited)
            if self._chosen is None:
                found[Code.SLOT_TAKEN] += others
            else:
                taken = bisect_left(reasons.ranks.get(index, []), self._rank)
                found[Code.SLOT_TAKEN] += taken
                found[reasons.loses(self._kind, index)] += others - taken
        if self._chosen is not None:
            found[reasons.loses(self._kind, reasons.crew.members[self._chosen].profile.index)] -= 1
            found[Code.CHOSEN] = 1
        return +found

    def __iter__(self) -> Iterator[AgentId]:
        return iter(self._reasons.agents)

    def __len__(self) -> int:
        return len(self._reasons.agents)

    def __repr__(self) -> str:
        return repr(dict(self))
