"""What the rule of a queue compared when a ticket was given, decided again from the inputs (facts: §7.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.assignment.domain.compress import Crew
from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import PREFERRED, quality
from services.assignment.domain.model import AgentId, Code, Decision, Model, Snapshot, TicketId
from services.assignment.domain.profiles import BY_LOAD, NEVER
from services.assignment.domain.rotation import TURN

LOST = frozenset({Code.LOST_ROTATION, Code.LOST_LOAD, Code.LOST_IDLE})
"""Codes of those who fit as well, and lost by the rule of the queue."""


@dataclass(frozen=True, slots=True)
class Score:
    """An agent at the moment a ticket was given.

    Attributes:
        open: tickets in status Open, with those of this round before it.
        before: of these, those of this round.
        owed: turns owed to him, with his share of this one, in units of `rotation.TURN`.
        last: when a queue last gave him a ticket, before this round; None = never, or nothing depends on it.
        wishes: skills that the ticket only wishes for and he holds.
        preferred: whether the ticket prefers him to everybody.
    """

    open: int
    before: int
    owed: int
    last: datetime | None
    wishes: int = 0
    preferred: bool = False

    @property
    def turns(self) -> float:
        """Turns owed to him."""
        return self.owed / TURN

    @property
    def fit(self) -> tuple[bool, int]:
        """How well he fits; larger is better."""
        return self.preferred, self.wishes


@dataclass(frozen=True, slots=True)
class Scored:
    """One decision, with what it was made by.

    Attributes:
        scores: of everybody who was considered; nobody where the ticket was given to nobody.
        runner_up: of those who lost by the rule of the queue, the one whom it would have taken first.
        took: tickets of this round that take the slots of agents who have none for this one, in value order.
    """

    decision: Decision
    scores: Mapping[AgentId, Score] = field(default_factory=dict)
    runner_up: AgentId | None = None
    took: Mapping[AgentId, Sequence[TicketId]] = field(default_factory=dict)


def scored(snapshot: Snapshot, ticket: TicketId) -> Scored | None:
    """Decide again and return what is decided for one ticket; None if it is not among those that waited."""
    scores: dict[AgentId, Score] = {}

    def look(crew: Crew, one: TicketId, number: int) -> None:
        if one != ticket:
            return
        kind, by_skills = crew.kind(number), crew.queue.model is Model.SKILLS
        for agent, member in crew.members.items():
            fit = quality(member.agent, kind)
            scores[agent] = Score(
                member.open,
                member.taken,
                member.credit,
                member.last if member.last != NEVER else None,
                fit % PREFERRED if by_skills else 0,
                fit >= PREFERRED,
            )

    plan = decide(snapshot, look)
    decision = next((d for d in plan.decisions if d.ticket == ticket), None)
    if decision is None:
        return None
    losers = [agent for agent, code in decision.codes.items() if code in LOST] if scores else []
    runner_up = min(losers, key=lambda a: (order(snapshot.queue.model, scores[a]), a), default=None)
    took: dict[AgentId, list[TicketId]] = {}
    for other in plan.assigned:
        if other.agent is not None and decision.codes[other.agent] is Code.SLOT_TAKEN:
            took.setdefault(other.agent, []).append(other.ticket)
    return Scored(decision, scores, runner_up, took)


def order(model: Model, score: Score) -> tuple[float | datetime, ...]:
    """Return what a model compares, the next agent first; weights beside."""
    if model in BY_LOAD:
        return (score.open, -score.owed)
    if model is Model.LONGEST_IDLE:
        return (score.before, score.last or NEVER, -score.owed)
    return (-score.owed,)
