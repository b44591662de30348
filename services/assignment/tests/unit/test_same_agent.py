"""The vendor's window arithmetic, row by row (facts: §2.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.assignment.domain.same_agent import Anchor, Criteria, Earlier, Facts, Match, same_agent

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


PLAIN = Facts(group=7, brand=1, form=2, priority="high", channel="email", tags=frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("criteria", "admitted"),
    [
        (Criteria(), True),
        (Criteria(priorities=("low", "high")), True),
        (Criteria(priorities=("low",)), False),
        (Criteria(channels=("email",)), True),
        (Criteria(channels=("web", "chat")), False),
        (Criteria(tags=("b", "c")), True),
        (Criteria(tags=("c",)), False),
        (Criteria(excluded_tags=("c",)), True),
        (Criteria(tags=("a",), excluded_tags=("b",)), False),
    ],
)
def test_conditions_say_which_new_tickets_have_a_same_agent(criteria: Criteria, admitted: bool) -> None:
    assert criteria.admit(PLAIN) is admitted


def test_a_ticket_without_priority_or_channel_has_none_of_those_that_are_asked_for() -> None:
    assert not Criteria(priorities=("normal",)).admit(Facts())
    assert not Criteria(channels=("web",)).admit(Facts())


@pytest.mark.parametrize("one", Match)
def test_what_must_match_must_be_there_and_the_same(one: Match) -> None:
    criteria = Criteria(match=(one,))
    changed: dict[str, Any] = {one.value: 99}
    emptied: dict[str, Any] = {one.value: None}
    other, empty = replace(PLAIN, **changed), replace(PLAIN, **emptied)

    assert criteria.count(PLAIN, PLAIN)
    assert not criteria.count(other, PLAIN)
    assert not criteria.count(empty, PLAIN)
    assert not criteria.count(empty, empty)
    assert Criteria().count(other, PLAIN)


@pytest.mark.parametrize(
    ("earlier", "new", "counts"),
    [
        ({5: "gold"}, {5: "gold"}, True),
        ({5: "gold"}, {5: "silver"}, False),
        ({5: ["a", "b"]}, {5: ["a", "b"]}, True),
        ({5: True}, {5: True}, True),
        ({5: False}, {5: False}, False),
        ({5: None}, {5: None}, False),
        ({5: ""}, {5: ""}, False),
        ({}, {5: "gold"}, False),
    ],
)
def test_fields_match_by_what_somebody_filled_in(
    earlier: dict[int, object], new: dict[int, object], counts: bool
) -> None:
    assert Criteria(fields=(5,)).count(Facts(fields=earlier), Facts(fields=new)) is counts
