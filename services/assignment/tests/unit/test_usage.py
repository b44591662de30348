"""Usage figures: counted once a day, and never about few people."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kernel.errors import InvalidRequestError, PermissionDeniedError
from services.assignment.app.count_usage import DAYS_AT_ONCE, LOOK_BACK, CountUsage
from services.assignment.domain.usage import AgentCount, Counted, UsageDay, percentile, published
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call
from services.assignment.tests.zendesk import LocalZendesk

DAY = date(2026, 1, 5)
ROWS = st.dictionaries(
    st.tuples(
        st.sampled_from(["queue", "pull", "dedicated"]), st.sampled_from(["a", "b"]), st.integers(1, 9)
    ),
    st.integers(1, 20),
    max_size=40,
)


def counted(rows: dict[tuple[str, str, int], int]) -> Counted:
    return Counted(tuple(AgentCount(*key, n) for key, n in rows.items()), 99, (10.4, 20.6), 7)


@given(ROWS)
def test_no_figure_is_about_few_agents_not_even_by_subtraction(rows: dict[tuple[str, str, int], int]) -> None:
    day = published(DAY, counted(rows))

    if len({agent for _, _, agent in rows}) < 5:
        assert day == UsageDay(DAY, withheld=True)
        return
    shown = {(s.mechanism, s.model) for s in day.shares}
    for share in day.shares:
        mine = {a: n for (m, o, a), n in rows.items() if (m, o) == (share.mechanism, share.model)}
        assert len(mine) >= 5
        assert sum(mine.values()) == share.assigned
    rest = {a for (m, o, a) in rows if (m, o) not in shown}
    assert not rest or len(rest) >= 5
    assert day.other == sum(n for (m, o, _), n in rows.items() if (m, o) not in shown)
    assert day.assigned == day.other + sum(s.assigned for s in day.shares) == sum(rows.values())


def test_a_small_share_takes_the_next_one_with_it() -> None:
    rows = {("queue", "a", n): 10 for n in range(1, 8)} | {("queue", "b", n): 2 for n in range(1, 6)}
    rows |= {("pull", "a", 1): 1}

    day = published(DAY, counted(rows))

    assert [(s.mechanism, s.model, s.assigned) for s in day.shares] == [("queue", "a", 70)]
    assert (day.other, day.agents, day.decisions) == (11, 7, 99)
    assert (day.wait_median_seconds, day.wait_p90_seconds) == (10, 21)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_percentiles_are_by_nearest_rank(waits: list[float]) -> None:
    for part in (0.5, 0.9):
        found = percentile(waits, part)
        assert sum(w <= found for w in waits) >= part * len(waits) - 1e-9
        assert sum(w < found for w in waits) < part * len(waits)


async def busy_day(house: House, zendesk: LocalZendesk) -> None:
    """Give each of six agents two tickets."""
    for agent in range(30, 36):
        zendesk.agent(agent, SUPPORT)
    await house.open(*range(30, 36))
    first = len(zendesk.tickets) + 1
    for number in range(first, first + 12):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()


async def test_a_day_is_counted_once_when_it_has_settled(house: House, zendesk: LocalZendesk) -> None:
    await busy_day(house, zendesk)
    today = house.clock.now().date()
    acts(9, "admin")
    assert await house.usage(ACCOUNT, "", "") == []
    midnight = house.clock.now().replace(hour=0, minute=0) + timedelta(days=1)

    house.clock.advance(midnight + timedelta(minutes=58) - house.clock.now())
    await house.minute(minutes=1)
    assert await house.usage(ACCOUNT, "", "") == []
    await house.minute(minutes=1)
    (day,) = await house.usage(ACCOUNT, "", "")

    assert (day.day, day.assigned, day.agents, day.decisions) == (today, 12, 6, 12)
    assert [(s.mechanism, s.model, s.assigned) for s in day.shares] == [("queue", "round_robin", 12)]
    assert day.wait_median_seconds == 120
    assert await CountUsage(house.store, house.clock)(ACCOUNT) == 0  # another replica


async def test_days_that_were_missed_are_made_up_for_and_not_more_at_once(
    house: House, zendesk: LocalZendesk
) -> None:
    await busy_day(house, zendesk)
    first = house.clock.now().date()
    house.clock.advance(timedelta(days=9))
    count = CountUsage(house.store, house.clock)

    assert [await count(ACCOUNT) for _ in range(3)] == [DAYS_AT_ONCE, 2, 0]

    days = await house.usage(ACCOUNT, "", "")
    assert [d.day for d in days] == [first + timedelta(days=n) for n in range(9)]
    assert [d.withheld for d in days] == [False] + [True] * 8


async def test_nothing_is_counted_of_an_account_without_decisions_or_long_ago(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    house.clock.advance(timedelta(days=2))
    assert await CountUsage(house.store, house.clock)(ACCOUNT) == 0
    await busy_day(house, zendesk)
    house.clock.advance(timedelta(days=LOOK_BACK.days + 30))
    await CountUsage(house.store, house.clock)(ACCOUNT)

    (oldest, *_) = await house.usage(ACCOUNT, "2026-01-01", "")
    assert oldest.day == house.clock.now().date() - timedelta(days=1) - LOOK_BACK


@pytest.mark.parametrize(
    ("first", "last"), [("2026-02-30", ""), ("2026-01-09", "2026-01-08"), ("2024-01-01", "2026-01-01")]
)
async def test_a_range_that_is_none_is_refused(house: House, first: str, last: str) -> None:
    with pytest.raises(InvalidRequestError):
        await house.usage(ACCOUNT, first, last)


async def test_admins_see_figures_and_no_person(
    house: House, zendesk: LocalZendesk, rpc: AssignmentServicer
) -> None:
    await busy_day(house, zendesk)
    house.clock.advance(timedelta(days=1))
    await house.minute()
    acts(30, "agent")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "GetUsage", parent=PARENT)

    acts(9, "admin")
    (day,) = (await call(rpc, "GetUsage", parent=PARENT)).days

    assert (day.day, day.assigned, day.agents, day.withheld) == ("2026-01-05", 12, 6, False)
    assert (day.wait_median_seconds, day.wait_p90_seconds) == (120, 120)
    assert "30" not in str(day).replace("round_robin", "")
