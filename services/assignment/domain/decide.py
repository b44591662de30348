"""The decision: a pure function. Same snapshot, same plan, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from services.assignment.domain import rotation
from services.assignment.domain.eligibility import Kind, barred, kind_of, slots
from services.assignment.domain.matching import Matching
from services.assignment.domain.model import (
    FULL,
    Agent,
    Code,
    Decision,
    Model,
    Outcome,
    Plan,
    Queue,
    Snapshot,
    Ticket,
)

_PRIORITY = {"urgent": 0, "high": 1, "normal": 2, "low": 3}
_FAR = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)
_LOST = {
    Model.ROUND_ROBIN: Code.LOST_ROTATION,
    Model.LEAST_ACTIVE: Code.LOST_LOAD,
    Model.LONGEST_IDLE: Code.LOST_IDLE,
    Model.SKILLS: Code.LOST_LOAD,
}


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


def decide(snapshot: Snapshot) -> Plan:
    """Decide one round of one queue."""
    agents = {a.id: a for a in sorted(snapshot.agents, key=lambda a: a.id)}
    limits = {a.id: slots(a, snapshot.queue) for a in agents.values()}
    order = sorted(snapshot.tickets, key=lambda t: value_order(t, snapshot.queue))
    if snapshot.queue.closed:
        return Plan([Decision(t.id, Outcome.QUEUE_CLOSED, rank) for rank, t in enumerate(order, 1)], {})
    kinds = {t.id: kind_of(t, snapshot.as_of) for t in order}
    free = {i: len(order) if most is None else most for i, (most, _) in limits.items()}
    bars: dict[Kind, dict[int, Code | None]] = {
        kind: {a.id: barred(a, kind, snapshot.queue, snapshot.restrictions) for a in agents.values()}
        for kind in set(kinds.values())
    }
    eligible = {k: [i for i, bar in found.items() if bar is None and free[i]] for k, found in bars.items()}
    matching = Matching(eligible, free)
    served = {t.id for t in order if matching.serve(kinds[t.id])}
    balances = {a.id: a.credit for a in agents.values()}
    room = {a.id: slots(a, snapshot.queue, batch=False)[0] for a in agents.values()}
    taken = dict.fromkeys(agents, 0)
    chosen: dict[int, int] = {}
    for ticket in order:
        if ticket.id in served:
            kind = kinds[ticket.id]
            chosen[ticket.id] = _choose(
                kind, snapshot.queue, agents, eligible[kind], matching, balances, taken, free, room
            )
    codes = _Codes(snapshot.queue, limits, bars, free, dict.fromkeys(agents, 0))
    decisions = [
        codes.decision(t, kinds[t.id], rank, chosen.get(t.id), agents) for rank, t in enumerate(order, 1)
    ]
    return Plan(decisions, {i: c for i, c in balances.items() if c != agents[i].credit})


def _choose(
    kind: Kind,
    queue: Queue,
    agents: Mapping[int, Agent],
    eligible: Sequence[int],
    matching: Matching[Kind],
    balances: dict[int, int],
    taken: dict[int, int],
    free: Mapping[int, int],
    room: Mapping[int, int | None],
) -> int:
    candidates = [i for i in eligible if taken[i] < free[i]]
    # Who is full is no member for this turn; who is only held by the batch size still is.
    rotation.accrue(balances, [i for i in eligible if (most := room[i]) is None or taken[i] < most])

    def preference(agent: int) -> tuple[object, ...]:
        turn = (-balances[agent], agent)
        if queue.model in (Model.LEAST_ACTIVE, Model.SKILLS):
            return (agents[agent].open_count + taken[agent], *turn)
        if queue.model is Model.LONGEST_IDLE:
            return (taken[agent], agents[agent].last_assigned_at or _NEVER, *turn)
        return turn

    for agent in sorted(candidates, key=preference):
        if matching.settle(kind, agent):
            rotation.take(balances, agent)
            taken[agent] += 1
            return agent
    raise AssertionError("unreachable: a served ticket has a place")


class _Codes:
    """Finds each agent's one code, ticket after ticket, in value order."""

    def __init__(
        self,
        queue: Queue,
        limits: Mapping[int, tuple[int | None, Code]],
        bars: Mapping[Kind, Mapping[int, Code | None]],
        free: Mapping[int, int],
        used: dict[int, int],
    ) -> None:
        self._queue = queue
        self._limits = limits
        self._bars = bars
        self._free = free
        self._used = used

    def decision(
        self, ticket: Ticket, kind: Kind, rank: int, chosen: int | None, agents: Mapping[int, Agent]
    ) -> Decision:
        codes = {i: self._code(i, kind, chosen) for i in agents}
        if chosen is not None:
            self._used[chosen] += 1
            group = ticket.group if ticket.group is not None else min(agents[chosen].groups)
            outcome = Outcome.ASSIGNED if self._queue.offer_seconds is None else Outcome.OFFERED
            return Decision(ticket.id, outcome, rank, chosen, group, codes)
        full = any(code in FULL for code in codes.values())
        outcome = Outcome.WAITING_ALL_FULL if full else Outcome.WAITING_NO_ELIGIBLE_AGENT
        return Decision(ticket.id, outcome, rank, codes=codes)

    def _code(self, agent: int, kind: Kind, chosen: int | None) -> Code:
        if agent == chosen:
            return Code.CHOSEN
        bar = self._bars[kind][agent]
        if bar is not None:
            return bar
        if not self._free[agent]:
            return self._limits[agent][1]
        if chosen is None or self._used[agent] >= self._free[agent]:
            return Code.SLOT_TAKEN
        return _LOST[self._queue.model]
