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
from services.assignment.domain.inputs import dump, load
from services.assignment.domain.model import (
    ENGINE,
    Agent,
    Code,
    Model,
    Need,
    Queue,
    Snapshot,
    Ticket,
)
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
            preferred=draw(st.sampled_from([None, None, 1, 2, 9])),
        )
        for n in range(1, draw(st.integers(1, 6)) + 1)
    ]
    return Snapshot(agents, tickets, QUEUE, as_of=T0 + timedelta(hours=1))


def ways_of(world: Snapshot, served: list[int]) -> list[tuple[int, ...]]:
    """Return every way in which these tickets can be handed out."""
    kinds = {t.id: kind_of(t, world.as_of) for t in world.tickets}
    room = {a.id: slots(a, QUEUE)[0] or 0 for a in world.agents}
    able = [
        [a.id for a in world.agents if barred(a, kinds[t], QUEUE, world.restrictions) is None] for t in served
    ]
    return [w for w in itertools.product(*able) if all(n <= room[a] for a, n in Counter(w).items())]


def fit(world: Snapshot, served: list[int], way: tuple[int, ...]) -> int:
    """Return the quality of a way."""
    agents, kinds = (
        {a.id: a for a in world.agents},
        {t.id: kind_of(t, world.as_of) for t in world.tickets},
    )
    return sum(quality(agents[a], kinds[t]) for t, a in zip(served, way, strict=True))


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_quality_is_the_best_of_all_ways_and_balance_the_best_of_those(world: Snapshot) -> None:
    given_to = {d.ticket: d.agent for d in decide(world).decisions if d.agent is not None}

    def worth(way: tuple[int, ...]) -> tuple[int, int]:
        got = Counter(way)
        balance = sum((a.open_count + got[a.id]) ** 2 for a in world.agents)
        return (-fit(world, [*given_to], way), balance)

    assert worth(tuple(given_to.values())) == min(map(worth, ways_of(world, [*given_to])))


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_who_loses_to_a_better_fit_or_is_needed_elsewhere_is_told_so_and_nobody_else(world: Snapshot) -> None:
    """Of all ways to serve the same tickets: none gives him one of this kind, for others need his slots; or some do, but
    none of the best quality; or one of these does, and load decided.
    """
    room = {a.id: slots(a, QUEUE)[0] for a in world.agents}
    decisions = [d for d in decide(world).decisions if d.agent is not None]
    served = [d.ticket for d in decisions]
    ways = ways_of(world, served)
    most = max(fit(world, served, way) for way in ways)
    best_ways = [way for way in ways if fit(world, served, way) == most]
    kinds = {t.id: kind_of(t, world.as_of) for t in world.tickets}

    for decision in decisions:
        alike = [n for n, t in enumerate(served) if kinds[t] == kinds[decision.ticket]]
        for agent, code in decision.codes.items():
            full = sum(d.agent == agent and d.rank < decision.rank for d in decisions) == room[agent]
            if code in (Code.LOST_QUALITY, Code.LOST_LOAD, Code.SLOT_TAKEN) and not full:
                could = any(way[n] == agent for way in ways for n in alike)
                well = any(way[n] == agent for way in best_ways for n in alike)
                lost = Code.LOST_LOAD if well else Code.LOST_QUALITY
                assert code is (lost if could else Code.SLOT_TAKEN)


def test_an_older_engine_decides_again_as_it_did() -> None:
    """Word for word what was kept before the code was known."""
    text = (
        '{"agents":[{"groups":[7],"id":1,"open_count":3,"skills":[["fr",2]]},{"groups":[7],"id":2}],'
        '"as_of":"2026-01-05T10:00:00+00:00","queue":{"id":"q","model":"skills"},"restrictions":{},'
        '"tickets":[{"created_at":"2026-01-05T09:00:00+00:00","group":7,"id":1,'
        '"needs":[{"drop_after_seconds":60,"level":2,"skill":"fr"}]}]}'
    )
    old = load(text)

    assert dump(old) == text
    assert decide(old).decisions[0].codes == {1: Code.CHOSEN, 2: Code.LOST_LOAD}
    new = replace(old, engine=ENGINE)
    assert decide(new).decisions[0].codes == {1: Code.CHOSEN, 2: Code.LOST_QUALITY}
    assert load(dump(new)) == new


def test_who_holds_a_dropped_skill_gets_the_ticket_though_he_has_more() -> None:
    speaker, idle = Agent(1, frozenset({7}), skills=(("fr", 2),), open_count=3), Agent(2, frozenset({7}))
    dropped = Ticket(1, T0, 7, needs=(Need("fr", 2, 60),))
    world = Snapshot([speaker, idle], [dropped], QUEUE, as_of=T0 + timedelta(seconds=60))

    assert decide(world).decisions[0].codes == {1: Code.CHOSEN, 2: Code.LOST_QUALITY}
    away = replace(world, agents=[replace(speaker, status="away"), idle])
    assert decide(away).decisions[0].agent == 2
    assert decide(replace(world, queue=Queue("q", model=Model.LEAST_ACTIVE))).decisions[0].agent == 2


def test_a_better_place_is_left_to_whoever_gains_more_by_it() -> None:
    """Kind 1 gains 1 at profile 0, kind 2 gains 2; there is one slot."""
    found = best({1: 1, 2: 1}, {1: [0, 1], 2: [0, 1]}, {0: 1, 1: 5}, {(1, 0): 1, (2, 0): 2})

    assert found.eligible[1] == [1]
    assert 0 in found.eligible[2]
    assert found.full == {0}, "so that kind 2 has to take it"
