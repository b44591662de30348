"""Who gets which of the served tickets (facts: §5.4, §5.5).

Each ticket, in value order, goes to the agent whose turn it is by the queue's model, as long as every other
served ticket keeps a place and the whole stays as balanced as it can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush, heapreplace

from services.assignment.domain import rotation
from services.assignment.domain.balance import Balance
from services.assignment.domain.compress import Crew
from services.assignment.domain.matching import Matching
from services.assignment.domain.model import AgentId, Model
from services.assignment.domain.profiles import BY_LOAD, Entry, Member
from services.assignment.domain.quality import Best, best
from services.assignment.domain.turns import Turns

Eligible = Mapping[int, Sequence[int]]


def hand_out(
    crew: Crew,
    served: Sequence[int],
    eligible: Eligible,
    matching: Matching[int],
    before: Callable[[int], None] | None = None,
) -> list[AgentId]:
    """Return the agent of each served ticket, and charge the agents.

    Args:
        served: numbers of the kinds of the served tickets, in value order.
        eligible: profiles with free slots of each kind.
        matching: that serves them.
        before: called before each ticket is given, with its place.
    """
    demand = Counter(served)
    heaps = {p: crew.profiles[p].heap for one in demand for p in eligible[one]}
    targets: dict[AgentId, int] | None = None
    places, crew.best = eligible, None
    fits = crew.quality({one: eligible[one] for one in demand})
    # With one kind and no difference in quality, taking the next in turn is the best balance already.
    if fits or len(demand) > 1:
        free = {p: crew.profiles[p].free for p in heaps}
        chosen = best(demand, eligible, free, fits) if fits else Best({k: [*eligible[k]] for k in demand})
        crew.best = chosen if fits else None
        balance, targets = balanced(crew, demand, chosen, eligible)
        places, matching = chosen.eligible, Matching(chosen.eligible, dict.fromkeys(heaps, 0), balance.flow)
        heaps = {p: [] for p in heaps}
        for agent in targets:
            member = crew.members[agent]
            heaps[member.profile.index].append(crew.entry(member))
        for heap in heaps.values():
            heapify(heap)
    found = []
    turns = Turns(crew)
    for place, one in enumerate(served):
        changed = turns.changed(eligible[one])
        weight = crew.weight(eligible[one])
        share = rotation.share_of(weight)
        crew.accrue(eligible[one], share)
        sharing = sum(crew.profiles[p].sharing for p in eligible[one])
        turn = share * weight, sharing
        if before is not None:
            before(place)
        tops = [(p, top) for p in places[one] if (top := crew.top(heaps[p])) is not None]
        best_owed = min((top for _, top in tops), key=lambda m: (-m.credit, m.id)) if changed else None
        by_credit = best_owed is not None and turns.by_credit(one, eligible[one], turn, best_owed)
        ranked = [(crew.rank(top, *turn, by_credit=by_credit), p, top) for p, top in tops]
        member = _next(one, ranked, matching)
        crew.take(member, share * weight)
        found.append(member.id)
        if targets is not None:
            targets[member.id] -= 1
            if targets[member.id]:
                heappush(heaps[member.profile.index], crew.entry(member))
    return found


def _next(one: int, ranked: list[tuple[Entry, int, Member]], matching: Matching[int]) -> Member:
    heapify(ranked)
    while ranked:
        _, profile, member = heappop(ranked)
        if matching.settle(one, profile):
            return member
    raise AssertionError("unreachable: a served ticket has a place")


def balanced(
    crew: Crew, demand: Mapping[int, int], chosen: Best, eligible: Eligible
) -> tuple[Balance[int], dict[AgentId, int]]:
    """Return the best balanced way to serve so many tickets of each kind: kinds by profile, and tickets by agent.

    Args:
        chosen: where tickets may go for the best quality.
        eligible: where they may go at all.
    """
    balance = Balance(demand, chosen.eligible)
    coming = {p: 0 for one in demand for p in eligible[one]}  # what a profile accrues in this round
    for one, number in demand.items():
        share = rotation.share_of(crew.weight(eligible[one]))
        for profile in eligible[one]:
            coming[profile] += number * share * crew.profiles[profile].weight

    def slot(member: Member, number: int) -> Entry:
        """Return the cost of an agent's next slot after so many, rising with each of his slots."""
        credit = member.credit + coming[member.profile.index]
        if crew.queue.model in BY_LOAD:
            return (member.open + number, -credit, member.id)
        if crew.queue.model is Model.LONGEST_IDLE:
            return (number, member.last, -credit, member.id)
        return (number * rotation.TURN - credit, member.id)

    members = (crew.members[e[-2]] for p in balance.profiles for e in crew.current(crew.profiles[p]))
    # What is full whichever way comes before all that is to be balanced.
    slots = [((m.profile.index not in chosen.full, *slot(m, 0)), 0, m) for m in members]
    heapify(slots)
    targets: dict[AgentId, int] = {}
    while balance.left:
        _, number, member = slots[0]
        if not balance.accept(member.profile.index):
            heappop(slots)
            continue
        number = targets[member.id] = number + 1
        if number < member.free:
            after = (member.profile.index not in chosen.full, *slot(member, number))
            heapreplace(slots, (after, number, member))
        else:
            heappop(slots)
    return balance, targets
