"""Which ticket comes first: priority, ageing, SLA (facts: §5.2); and each queue by its own method (ask 9)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.assignment.app.options import QueueOptions
from services.assignment.domain.decide import value_order
from services.assignment.domain.history import Arrival, Change, History, Rules
from services.assignment.domain.model import Agent, Code, Queue, Ticket
from services.assignment.domain.replay import Replay
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
STEPS = {"urgent": 3, "high": 2, "normal": 1, None: 1, "low": 0}
"""Steps of priority that count for a ticket; none is normal."""
TICKETS = st.builds(
    lambda number, minutes, priority: Ticket(number, T0 + timedelta(minutes=minutes), 7, priority),
    st.integers(1, 9),
    st.integers(0, 300),
    st.sampled_from([*STEPS]),
)


@given(st.lists(TICKETS, max_size=6, unique_by=lambda t: t.id), st.integers(0, 7200), st.integers(0, 500))
@settings(max_examples=200, deadline=None)
def test_with_ageing_the_largest_sum_of_bonus_and_waiting_time_goes_first_at_whatever_instant(
    tickets: list[Ticket], ageing: int, later: int
) -> None:
    """ "bonus(priority) + waiting time" of facts §5.2; as all wait alike, the order never changes by itself."""
    now = T0 + timedelta(minutes=300 + later)

    def worth(ticket: Ticket) -> tuple[float, int]:
        bonus = STEPS[ticket.priority] * ageing
        return (-(bonus + (now - ticket.created_at).total_seconds()), ticket.id)

    queue = Queue("q", ageing_seconds=ageing)
    assert sorted(tickets, key=lambda t: value_order(t, queue)) == sorted(tickets, key=worth)


@given(st.lists(TICKETS, max_size=6, unique_by=lambda t: t.id))
@settings(max_examples=100, deadline=None)
def test_without_ageing_priority_then_age_then_number(tickets: list[Ticket]) -> None:
    found = sorted(tickets, key=lambda t: value_order(t, Queue("q")))

    for first, second in itertools.pairwise(found):
        assert STEPS[first.priority] >= STEPS[second.priority]
        if STEPS[first.priority] == STEPS[second.priority]:
            assert (first.created_at, first.id) < (second.created_at, second.id)


@pytest.mark.parametrize(("ageing", "given_at"), [(None, None), (600, 40), (1200, 70)])
def test_ageing_ends_the_wait_that_priority_alone_never_ends(
    ageing: int | None, given_at: int | None
) -> None:
    """One agent, one ticket at a time, and an urgent one every ten minutes; the low one waits three steps."""
    ten = timedelta(minutes=10)
    arrivals = [Arrival(T0 + n * ten, Ticket(n + 2, T0 + n * ten, 7, "urgent"), ten, "q") for n in range(20)]
    low = Arrival(T0 + timedelta(minutes=5), Ticket(1, T0 + timedelta(minutes=5), 7, "low"), ten, "q")
    past = History(T0, T0 + 20 * ten, [low, *arrivals], [Change(T0, Agent(1, frozenset({7}), inbox_limit=1))])
    queue = Queue("q", scheduled=False, ageing_seconds=ageing)

    steps = {step.ticket: step.given.at for step in Replay(past, Rules([queue])).play()}

    expected = None if given_at is None else T0 + timedelta(minutes=given_at)
    assert steps.get(1) == expected


async def test_each_queue_goes_by_its_own_method_weights_and_limits_in_one_run(
    house: House, zendesk: LocalZendesk
) -> None:
    """Even numbers by weights of 3 to 1, odd ones to whoever has fewest, of these at most one each."""
    await house.open(1, 2)
    zendesk.views |= {70: lambda t: t["id"] % 2 == 0, 71: lambda t: t["id"] % 2 == 1}
    for number in (101, 102):
        zendesk.ticket(number, group_id=SUPPORT, status="open", assignee_id=1)
    weights = QueueOptions(weights=((1, 3), (2, 1)))
    await house.queue("weighed", source=70, model="weighted", options=weights)
    one_each = QueueOptions(open_limit=1)
    await house.queue("least", source=71, position=1, model="least_active", options=one_each)
    for number in (2, 4, 6, 8, 1, 3, 5):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()

    rows = {d.ticket: d for d in await house.decisions()}
    assert {t: (rows[t].agent_id, rows[t].model) for t in (2, 4, 6, 8)} == {
        2: (1, "weighted"),
        4: (1, "weighted"),
        6: (2, "weighted"),
        8: (1, "weighted"),
    }
    assert {t: (rows[t].agent_id, rows[t].model) for t in (1, 3, 5)} == {
        1: (2, "least_active"),
        3: (1, "least_active"),
        5: (None, "least_active"),
    }
    assert (await house.explain.why_waiting(ACCOUNT, 5)).decision.codes[1] is Code.CHANNEL_LIMIT
