"""Made-up helpdesks: teams of agents with a few groups each, tickets of groups with priorities and ages."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.assignment.domain.compress import Crew
from services.assignment.domain.decide import value_order
from services.assignment.domain.matching import Matching
from services.assignment.domain.model import Agent, Model, Queue, Restrictions, Ticket

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
GROUPS, TEAMS = 50, 40
_PRIORITIES = ("low", "normal", "normal", "normal", "high", "urgent")


def agents(
    number: int, dice: random.Random, most: tuple[int, int] = (1, 10), teams: int = TEAMS
) -> list[Agent]:
    """Return agents of so many teams; each team has one to four groups."""
    made = [frozenset(dice.sample(range(1, GROUPS + 1), dice.randint(1, 4))) for _ in range(teams)]
    return [Agent(n, dice.choice(made), inbox_limit=dice.randint(*most)) for n in range(1, number + 1)]


def tickets(number: int, dice: random.Random, first: int = 1) -> list[Ticket]:
    """Return tickets of all groups, of the last eleven days."""
    return [
        Ticket(
            n,
            START - timedelta(seconds=dice.randrange(10**6)),
            dice.randint(1, GROUPS),
            dice.choice(_PRIORITIES),
        )
        for n in range(first, first + number)
    ]


@dataclass(frozen=True, slots=True)
class Compressed:
    """A round as a solver takes it: kinds in value order, profiles with slots.

    Attributes:
        order: the kind of each ticket, the most valuable first.
    """

    crew: Crew
    order: Sequence[int]
    eligible: dict[int, list[int]]

    @classmethod
    def of(cls, people: Sequence[Agent], waiting: Sequence[Ticket], model: Model) -> Compressed:
        """Compress a round."""
        queue = Queue("q", model=model)
        crew = Crew(queue, Restrictions(), people)
        order = [crew.number(t, None) for t in sorted(waiting, key=lambda t: value_order(t, queue))]
        eligible = {k: [p for p in crew.able[k] if crew.profiles[p].free] for k in sorted(set(order))}
        return cls(crew, order, eligible)

    def serve(self) -> tuple[list[int], Matching[int]]:
        """Return the kinds of the served tickets, and the matching."""
        matching = Matching(self.eligible, {p.index: p.free for p in self.crew.profiles})
        return [kind for kind in self.order if matching.serve(kind)], matching

    def served_arcs(self) -> dict[str, Any]:
        """Return the served set as a cheapest maximum flow: one arc per ticket with its rank as cost.

        Ranks are enough: the best of a matroid does not depend on how far apart the values are.
        """
        kinds, profiles = len(self.eligible), len(self.crew.profiles)
        sink = 1 + kinds + profiles
        arcs = [(0, 1 + kind, 1, rank) for rank, kind in enumerate(self.order)]
        arcs += [
            (1 + kind, 1 + kinds + p, len(self.order), 0)
            for kind, found in self.eligible.items()
            for p in found
        ]
        arcs += [(1 + kinds + p.index, sink, p.free, 0) for p in self.crew.profiles]
        return _message(arcs, {0: len(self.order), sink: -len(self.order)})

    def balance_arcs(self, served: Sequence[int]) -> dict[str, Any]:
        """Return the balance of the served set: one arc per slot, which costs what it adds to the load's square."""
        kinds, profiles = len(self.eligible), len(self.crew.profiles)
        sink = kinds + profiles
        arcs = [(kind, kinds + p, len(served), 0) for kind, found in self.eligible.items() for p in found]
        for member in self.crew.members.values():
            node = kinds + member.profile.index
            arcs += [(node, sink, 1, 2 * (member.open + k) + 1) for k in range(member.free)]
        return _message(arcs, {**Counter(served), sink: -len(served)})


def _message(arcs: Sequence[tuple[int, int, int, int]], supplies: dict[int, int]) -> dict[str, Any]:
    tails, heads, caps, costs = zip(*arcs, strict=True)
    return {
        "solve": "cheapest_flow",
        "tails": [*tails],
        "heads": [*heads],
        "capacities": [*caps],
        "costs": [*costs],
        "nodes": [*supplies],
        "supplies": [*supplies.values()],
    }
