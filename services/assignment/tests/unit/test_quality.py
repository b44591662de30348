"""Skills that are not asked for any more: who holds them fits better, before loads are balanced."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import barred, kind_of, quality, slots
from services.assignment.domain.model import Agent, Model, Need, Queue, Snapshot, Ticket
from services.assignment.domain.quality import best
from services.assignment.tests.unit.test_decide import T0

SKILLS = ("fr", "de")
QUEUE = Queue("q", model=Model.SKILLS)


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """Agents with skills and few slots; tickets whose needs are dropped by now, or not."""
    agents = [
        Agent(
            n,
            frozenset(draw(st.sets(st.integers(1, 2), min_size=1))),
            skills=tuple(
                (s, draw(st.integers(1, 2))) for s in sorted(draw(st.sets(st.sampled_from(SKILLS))))
            ),
            inbox_limit=draw(st.integers(1, 4)),
            open_count=draw(st.integers(0, 2)),
        )
        for n in range(1, draw(st.integers(1, 4)) + 1)
    ]
    tickets = [
        Ticket(
            n,
            T0 + timedelta(minutes=n),
            draw(st.integers(1, 2)),
            needs=tuple(
                Need(s, draw(st.integers(1, 2)), draw(st.sampled_from([None, 0, 0, 0])))
                for s in sorted(draw(st.sets(st.sampled_from(SKILLS))))
            ),
        )
        for n in range(1, draw(st.integers(1, 6)) + 1)
    ]
    return Snapshot(agents, tickets, QUEUE, as_of=T0 + timedelta(hours=1))


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_quality_is_the_best_of_all_ways_and_balance_the_best_of_those(world: Snapshot) -> None:
    agents = {a.id: a for a in world.agents}
    given_to = {d.ticket: d.agent for d in decide(world).decisions if d.agent is not None}
    kinds = {t.id: kind_of(t, world.as_of) for t in world.tickets}
    room = {a.id: slots(a, QUEUE)[0] or 0 for a in world.agents}
    able = [
        [a.id for a in world.agents if barred(a, kinds[t], QUEUE, world.restrictions) is None]
        for t in given_to
    ]

    def worth(way: tuple[int, ...]) -> tuple[int, int]:
        got = Counter(way)
        fits = sum(quality(agents[a], kinds[t]) for t, a in zip(given_to, way, strict=True))
        return (-fits, sum((a.open_count + got[a.id]) ** 2 for a in world.agents))

    ways = [w for w in itertools.product(*able) if all(n <= room[a] for a, n in Counter(w).items())]
    assert worth(tuple(given_to.values())) == min(map(worth, ways))


def test_who_holds_a_dropped_skill_gets_the_ticket_though_he_has_more() -> None:
    speaker, idle = Agent(1, frozenset({7}), skills=(("fr", 2),), open_count=3), Agent(2, frozenset({7}))
    dropped = Ticket(1, T0, 7, needs=(Need("fr", 2, 60),))
    world = Snapshot([speaker, idle], [dropped], QUEUE, as_of=T0 + timedelta(seconds=60))

    assert decide(world).decisions[0].agent == 1
    away = replace(world, agents=[replace(speaker, status="away"), idle])
    assert decide(away).decisions[0].agent == 2
    assert decide(replace(world, queue=Queue("q", model=Model.LEAST_ACTIVE))).decisions[0].agent == 2


def test_a_better_place_is_left_to_whoever_gains_more_by_it() -> None:
    """Kind 1 gains 1 at profile 0, kind 2 gains 2; there is one slot."""
    found = best({1: 1, 2: 1}, {1: [0, 1], 2: [0, 1]}, {0: 1, 1: 5}, {(1, 0): 1, (2, 0): 2})

    assert found.eligible[1] == [1]
    assert 0 in found.eligible[2]
    assert found.full == {0}, "so that kind 2 has to take it"
