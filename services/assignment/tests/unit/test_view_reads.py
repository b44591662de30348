"""Which views are read again, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.assignment.domain.view_filter import ViewFilter
from services.assignment.domain.view_reads import (
    NEVER,
    News,
    ViewRead,
    changed_since,
    due,
    in_turn,
    swept_until,
)
from services.assignment.domain.webhook import TicketFacts

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)


def later(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def steady(view: int, read_at: datetime = T0, group: int = 20) -> ViewRead:
    """A view of a group, which time does not change."""
    of_group = ViewFilter((("group_id", "is", str(group)),), (), False, "d", False)
    return ViewRead(view, read_at, whole_at=read_at, filter=of_group)


def news(minute: float, *views: int, group: int = 20) -> News:
    return News(TicketFacts(1, "new", T0, T0, group), later(minute), frozenset(views))


def reads(*views: ViewRead) -> dict[int, ViewRead]:
    return {view.view: view for view in views}


def asked(*given: object) -> list[int]:
    """Return the views that are due."""
    return [view for view, _ in due(*given)]  # type: ignore[arg-type]  # the arguments of `due`


SOURCES = [("scheduled", 70), ("scheduled", 71)]


def minutes_read(told: News, until: int, *, shown: bool) -> list[int]:
    """Return in which minutes a job that runs every minute reads a view, of a ticket that goes on waiting."""
    view = steady(70)
    found: list[int] = []
    for minute in range(1, until):
        views = frozenset({70}) if shown and found else told.views
        if asked(
            SOURCES[:1],
            reads(view),
            [replace(told, views=views)] if told.at <= later(minute) else [],
            later(minute),
        ):
            view = replace(view, read_at=later(minute))
            found.append(minute)
    return found


def test_a_ticket_that_a_view_may_hold_and_does_not_show_is_looked_for_ten_minutes() -> None:
    assert minutes_read(news(2.5), 60, shown=False) == [3, 4, 8, 13]


def test_a_view_that_shows_the_ticket_is_read_once_more() -> None:
    assert minutes_read(news(2.5), 60, shown=True) == [3, 4]


def test_what_came_at_the_very_instant_of_a_read_is_read_again() -> None:
    assert asked(SOURCES[:1], reads(steady(70, later(3))), [news(3)], later(3)) == [70]


@pytest.mark.parametrize(
    ("told", "views"),
    [
        (news(1), [70, 71]),
        (news(1, group=21), []),
        (news(1, 70, group=21), [70]),  # it may have left
    ],
)
def test_views_are_asked_that_may_hold_it_or_show_it(told: News, views: list[int]) -> None:
    assert asked(SOURCES, reads(steady(70), steady(71)), [told], later(2)) == views


def test_what_comes_after_the_queue_that_surely_has_the_ticket_is_not_asked() -> None:
    settled = steady(70, later(9))
    known = reads(settled, steady(71))
    assert asked(SOURCES, known, [news(1, 70)], later(10)) == []
    assert asked(SOURCES, known, [news(1)], later(10)) == [71]
    assert asked([("trigger", 20), *SOURCES], reads(steady(70)), [news(1)], later(2)) == []
    assert asked([("scheduled", 0), *SOURCES], reads(steady(70)), [news(1)], later(2)) == []
    assert asked([("trigger", 21), *SOURCES], reads(steady(70)), [news(1)], later(2)) == [70]


def test_a_view_that_was_never_read_is_and_the_oldest_comes_first() -> None:
    known = reads(steady(70, later(-1)), steady(71, later(-2)), steady(72, NEVER))
    assert asked([*SOURCES, ("scheduled", 72)], known, [news(1)], later(2)) == [72, 71, 70]


def test_a_view_that_is_gone_is_not_asked() -> None:
    gone = replace(steady(70, NEVER), gone=True)
    assert asked(SOURCES, reads(gone), [news(1)], later(2)) == []
    assert in_turn([gone], later(600)) is None


def test_moving_views_take_turns_every_five_minutes_and_others_every_hour() -> None:
    moving = replace(steady(70), filter=ViewFilter())
    known = [moving, steady(71)]
    assert in_turn(known, later(4.9)) is None
    assert in_turn(known, later(5)) == 70
    assert in_turn([steady(71)], later(59)) is None
    assert in_turn([steady(71)], later(60)) == 71


@pytest.mark.parametrize(("views", "calls"), [(3, 1), (20, 1), (100, 1), (4, 7)])
def test_turns_cost_a_call_a_minute_at_most_and_everybody_s_comes(views: int, calls: int) -> None:
    known = {n: replace(steady(n), filter=ViewFilter()) for n in range(views)}
    made, last = 0, dict.fromkeys(known, 0)
    span = 5 * views * calls + 20
    for minute in range(1, span):
        view = in_turn(known.values(), later(minute))
        if view is not None:
            made += calls
            last[view] = minute
            at = later(minute)
            known[view] = replace(known[view], read_at=at, whole_at=at, swept_until=swept_until(at, calls))

    assert made <= span + calls
    assert min(last.values()) > span - max(5, views * calls) - calls - 1


def test_a_view_is_asked_for_what_changed_since_the_oldest_news() -> None:
    old, young = news(1), replace(news(2), facts=replace(news(2).facts, updated_at=later(1)))
    ((view, told),) = due(SOURCES[:1], reads(steady(70)), [young, old], later(3))

    assert (view, set(told)) == (70, {old, young})
    assert changed_since(steady(70), told) == later(-1)
    assert changed_since(steady(70), [young]) == later(0)


def test_all_of_a_view_is_read_that_never_was_or_shows_groups() -> None:
    told = [news(1)]
    assert changed_since(steady(70), []) is None
    assert changed_since(replace(steady(70), whole_at=NEVER), told) is None
    grouped = replace(steady(70).filter, grouped=True)
    assert changed_since(replace(steady(70), filter=grouped), told) is None
    assert due(SOURCES[:1], reads(steady(70, NEVER)), told, later(2)) == [(70, ())]


def test_parts_of_a_view_that_were_read_do_not_put_its_turn_off() -> None:
    assert in_turn([replace(steady(70), read_at=later(59))], later(60)) == 70
