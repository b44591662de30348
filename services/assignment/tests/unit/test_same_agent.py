"""The vendor's window arithmetic, row by row (facts: §2.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.assignment.domain.same_agent import Anchor, Earlier, same_agent

A, C = 1, 3
NOW = datetime(2026, 7, 4, 9, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")


def july(day: int, hour: int = 9, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 7, day, hour, minute, second, tzinfo=UTC)


TWO = [Earlier(july(1), A), Earlier(july(2, 14), A)]
BROKEN = [Earlier(july(1), A), Earlier(july(2, 14), C), Earlier(july(3, 10), A)]
DAILY = [Earlier(datetime(2026, 6, 24, 9, tzinfo=UTC) + timedelta(days=n), A) for n in range(10)]


@pytest.mark.parametrize(
    ("earlier", "hours", "agent"),
    [
        pytest.param(TWO, 72, A, id="1: exactly as old as the window counts"),
        pytest.param(TWO, 71, None, id="2"),
        pytest.param([Earlier(july(1, 8, 59, 59), A), TWO[1]], 72, None, id="3: a second older"),
        pytest.param(BROKEN, 24, A, id="4: the run is the last ticket alone"),
        pytest.param(BROKEN, 22, None, id="5"),
        pytest.param([TWO[0], Earlier(july(3, 10), C)], 72, C, id="6: the newest earlier ticket decides"),
        pytest.param(DAILY, 72, None, id="7: the run began long ago"),
        pytest.param([], 8760, None, id="8"),
    ],
)
def test_the_window_counts_from_the_oldest_ticket_of_the_run(
    earlier: list[Earlier], hours: int, agent: int | None
) -> None:
    assert same_agent(earlier, NOW, hours) == agent
    assert same_agent(reversed(earlier), NOW, hours) == agent


def test_row_9_a_clock_change_is_not_an_hour() -> None:
    earlier = [Earlier(datetime(2026, 3, 28, 9, tzinfo=ROME), A)]
    now = datetime(2026, 3, 31, 9, tzinfo=ROME)

    assert same_agent(earlier, now, 71) == A
    assert same_agent(earlier, now, 70) is None


def test_with_the_newest_as_anchor_a_long_run_does_not_end_by_itself() -> None:
    assert same_agent(DAILY, NOW, 24, Anchor.NEWEST) == A
    assert same_agent(DAILY, NOW, 23, Anchor.NEWEST) is None


def test_unassigned_tickets_neither_break_nor_extend_a_run() -> None:
    gaps = [Earlier(july(1, 8), None), TWO[0], Earlier(july(2), None), TWO[1], Earlier(july(4, 8), None)]

    assert same_agent(gaps, NOW, 72) == A
    assert same_agent([Earlier(july(4), None)], NOW, 72) is None
