"""What a round was decided from, as text: the same facts come back, whole or as a patch, and the digest names them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.domain.inputs import digest, dump, load
from services.assignment.domain.model import Agent, Queue, Snapshot, Ticket
from services.assignment.domain.patches import Base, Difference, difference, dump_patch, load_patch
from services.assignment.domain.rotation import TURN, accrue, take
from services.assignment.tests.unit.worlds import T0, snapshots

SOME = settings(max_examples=150, deadline=None)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Snapshot, Snapshot]:
    """Two snapshots; in the second, too, some agents are as they were in the first, or so but for their credit."""
    first, second = draw(snapshots()), draw(snapshots())
    before = {a.id: a for a in first.agents}
    agents = []
    for agent in second.agents:
        one = draw(st.sampled_from([before.get(agent.id, agent), agent]))
        agents.append(replace(one, credit=one.credit + draw(st.sampled_from([0, 0, 5, 7, -3]))))
    return first, replace(
        second,
        agents=agents,
        privacy_revision=draw(st.none() | st.integers(0, 9)),
        engine=draw(st.integers(1, 2)),
        stretch=draw(st.sampled_from(["", "abc"])),
    )


def base_of(snapshot: Snapshot) -> Base:
    return Base(digest(dump(snapshot)), snapshot.agents)


def patch_of(base: Base, snapshot: Snapshot) -> str:
    return dump_patch(base.digest, difference(base, snapshot.agents), snapshot)


@given(pairs(), st.randoms())
@SOME
def test_a_patch_and_its_base_are_the_snapshot(two: tuple[Snapshot, Snapshot], dice: random.Random) -> None:
    first, second = two
    base = base_of(first)
    text = patch_of(base, second)

    assert load_patch(text, base) == second == load(dump(second))
    # A base that was read is the one that was kept.
    assert load_patch(text, Base(base.digest, load(dump(first)).agents)) == second
    # The same facts, in whatever order, give the same text.
    shuffled = replace(
        second,
        agents=dice.sample(list(second.agents), len(second.agents)),
        tickets=dice.sample(list(second.tickets), len(second.tickets)),
    )
    assert patch_of(Base(base.digest, reversed(first.agents)), shuffled) == text
    with pytest.raises(ValueError, match="not the text"):
        load(text)
    with pytest.raises(ValueError, match="not the patch"):
        load_patch(dump(second), base)
    with pytest.raises(ValueError, match="another snapshot"):
        load_patch(text, Base(digest(text), first.agents))


@given(pairs(), pairs())
@SOME
def test_other_facts_have_another_digest(
    one: tuple[Snapshot, Snapshot], other: tuple[Snapshot, Snapshot]
) -> None:
    """Of the base as of everything else: what a decision's hash covers stands for all that it was made from."""
    mixed, theirs = digest(patch_of(base_of(other[0]), one[1])), digest(patch_of(base_of(other[0]), other[1]))

    assert (digest(patch_of(base_of(one[0]), one[1])) == mixed) is (one[0] == other[0])
    assert (theirs == mixed) is (one[1] == other[1])


def crew(*groups: Sequence[int]) -> list[Agent]:
    """Return agents, numbered over all groups, of whom each has a credit of his own."""
    sets = [frozenset({group}) for group, ids in enumerate(groups) for _ in ids]
    return [Agent(n, of, credit=n * n) for n, of in enumerate(sets, 1)]


def test_turns_that_everybody_shares_are_told_kind_by_kind() -> None:
    agents = crew(range(60), range(30), range(10))
    base, owed = Base("b", agents), {a.id: a.credit for a in agents}
    for members, taken in ((range(1, 61), 1), (range(61, 91), 61)):
        take(owed, taken, accrue(owed, members))
    now = [replace(a, credit=owed[a.id], open_count=int(a.id in (1, 61))) for a in agents]

    news = difference(base, now)

    assert [a.id for a in news.changed] == [1, 61]
    assert (news.gone, news.grown, news.kinds, news.apart) == ([], TURN // 60, [(1, TURN // 30), (2, 0)], [])
    assert news.size == 3


def test_who_had_no_part_in_his_kind_s_turns_is_named() -> None:
    agents = crew(range(10))
    now = [replace(a, credit=a.credit + (0 if a.id in (3, 4) else 9)) for a in agents]

    assert difference(Base("b", agents), now) == Difference([], [], 9, [], [(0, [3, 4])])
    # Of two as common the smaller, whoever comes first.
    tied = [replace(a, credit=a.credit + (9 if a.id < 6 else 4)) for a in agents]
    assert difference(Base("b", agents), tied).grown == 4


def test_a_patch_word_for_word() -> None:
    """As patches are kept that were written so, kinds are numbered so for good."""
    both = frozenset({7, 8})
    agents = [
        Agent(1, both),
        Agent(2, both, status="away"),
        Agent(3, both, credit=5),
        Agent(4, both),
        Agent(5, both),
    ]
    now = [
        replace(agents[0], credit=3),
        agents[1],
        replace(agents[2], credit=8),
        replace(agents[3], credit=-6),
        Agent(6, frozenset({7}), open_count=1),
    ]
    snapshot = Snapshot(now, [Ticket(5, T0, 7)], Queue("q"), as_of=T0)
    text = patch_of(Base("b" * 64, agents), snapshot)

    assert text == (
        '{"apart":[[-6,[4]]],"as_of":"2026-01-05T09:00:00+00:00","base":"' + "b" * 64 + '",'
        '"changed":[{"groups":[7],"id":6,"open_count":1}],"engine":2,"gone":[5],"grown":3,"kinds":[[1,0]],'
        '"queue":{"id":"q"},"restrictions":{},'
        '"tickets":[{"created_at":"2026-01-05T09:00:00+00:00","group":7,"id":5}]}'
    )
    assert load_patch(text, Base("b" * 64, agents)) == snapshot
    assert sorted(json.loads(dump(snapshot))) == [
        "agents",
        "as_of",
        "engine",
        "queue",
        "restrictions",
        "tickets",
    ]


def test_every_difference_that_tells_agents_apart_makes_a_kind() -> None:
    one = Agent(0, frozenset({7}))
    others = [
        replace(one, groups=frozenset({8})),
        replace(one, skills=(("de", 1),)),
        replace(one, status="away"),
        replace(one, absence="idle"),
        replace(one, off_shift=True),
        replace(one, suspended=True),
        replace(one, light=True),
        replace(one, active=False),
        replace(one, restricted=True),
        replace(one, custom_role_id=4),
        replace(one, inbox_limit=3, open_count=3),
        replace(one, daily_limit=3, assigned_12h=4),
        replace(one, capacity=3, load=3),
    ]
    alike = [
        replace(one, open_count=3, last_assigned_at=T0, credit=7),
        replace(one, inbox_limit=4, open_count=3, daily_limit=2, assigned_12h=1, capacity=9, load=8),
    ]
    agents = [replace(a, id=n) for n, a in enumerate([one, *others, *alike])]

    assert Base("b", agents).kinds == [*range(14), 0, 0]
