"""Random snapshots for properties of the decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from services.assignment.domain.model import Agent, Model, Need, Queue, Restrictions, Snapshot, Ticket
from services.assignment.domain.rotation import TURN

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
GROUPS = st.integers(1, 4)
LIMIT = st.none() | st.integers(1, 4)
SKILLS = st.sampled_from(["de", "fr"])
STEPS = st.sampled_from([(), (), ((30, 1),), ((0, 2), (90, 1))])
NEEDS = st.builds(Need, SKILLS, st.integers(1, 3), st.none() | st.sampled_from([60, 3600]), STEPS)


@st.composite
def agents(draw: st.DrawFn, number: int) -> Agent:
    """An agent with any combination of what can keep him from a ticket."""
    return Agent(
        id=number,
        groups=frozenset(draw(st.sets(GROUPS, max_size=3))),
        custom_role_id=draw(st.none() | st.integers(1, 2)),
        status=draw(st.sampled_from(["online", "online", "online", "away"])),
        light=draw(st.integers(0, 9)) == 0,
        suspended=draw(st.integers(0, 9)) == 0,
        open_count=draw(st.integers(0, 4)),
        assigned_12h=draw(st.integers(0, 4)),
        assigned_12h_queue=draw(st.integers(0, 2)),
        assigned_run=draw(st.integers(0, 2)),
        inbox_limit=draw(LIMIT),
        daily_limit=draw(LIMIT),
        last_assigned_at=draw(st.none() | st.integers(0, 9).map(lambda h: T0 - timedelta(hours=h))),
        credit=draw(st.integers(-TURN, TURN)),
        absence=draw(st.sampled_from(["", "idle", "out_of_office"])),
        off_shift=draw(st.integers(0, 9)) == 0,
        capacity=draw(st.none() | st.integers(1, 9)),
        load=draw(st.integers(2, 6)),
        interruptible=draw(st.integers(0, 2)),
        open_queue=draw(st.integers(0, 3)),
        rate_limit=draw(LIMIT),
        assigned_rate=draw(st.integers(0, 3)),
        assigned_rate_queue=draw(st.integers(0, 2)),
        skills=tuple(sorted(draw(st.dictionaries(SKILLS, st.integers(1, 3))).items())),
    )


@st.composite
def tickets(draw: st.DrawFn, number: int) -> Ticket:
    """A ticket of a group, or of none."""
    return Ticket(
        id=number,
        created_at=T0 + timedelta(minutes=draw(st.integers(0, 5))),
        group=draw(st.none() | GROUPS),
        priority=draw(st.sampled_from([None, "low", "normal", "high", "urgent"])),
        next_breach_at=draw(st.none() | st.integers(0, 5).map(lambda m: T0 + timedelta(minutes=m))),
        entered_at=draw(st.none() | st.integers(0, 5).map(lambda m: T0 + timedelta(minutes=m))),
        needs=tuple(sorted(draw(st.just(set()) | st.sets(NEEDS, max_size=2)), key=repr)),
        declined=frozenset(draw(st.just(set()) | st.sets(st.integers(1, 6), max_size=2))),
        dedicated=draw(st.sampled_from([None, None, None, 1, 2])),
        overflow=frozenset(draw(st.just(set()) | st.sets(GROUPS, max_size=2))),
        preferred=draw(st.sampled_from([None, None, None, 1, 2, 9])),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A round of up to 6 agents and 14 tickets."""
    people = [draw(agents(n)) for n in range(1, draw(st.integers(0, 6)) + 1)]
    waiting = [draw(tickets(n)) for n in range(1, draw(st.integers(1, 14)) + 1)]
    chosen = st.sets(st.integers(1, 6), max_size=4)
    queue = Queue(
        "q",
        model=draw(st.sampled_from(Model)),
        agents=frozenset(draw(st.just(set()) | chosen)),
        use_sla=draw(st.booleans()),
        batch_size=draw(LIMIT),
        daily_limit=draw(LIMIT),
        scheduled=draw(st.booleans()),
        offer_seconds=draw(st.sampled_from([None, 30])),
        work=draw(st.sampled_from([1, 1, 2, 5])),
        interruptible=draw(st.booleans()),
        open_limit=draw(LIMIT),
        rate_limit=draw(LIMIT),
        ageing_seconds=draw(st.sampled_from([None, 0, 60, 3600])),
    )
    restrictions = Restrictions(
        frozenset(draw(st.just(set()) | st.sets(GROUPS, max_size=2))),
        frozenset(draw(st.just(set()) | st.sets(st.integers(1, 2), max_size=1))),
    )
    as_of = draw(st.none() | st.integers(0, 120).map(lambda m: T0 + timedelta(minutes=m)))
    return Snapshot(people, waiting, queue, restrictions, as_of)
