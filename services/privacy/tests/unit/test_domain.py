"""Periods, states and plans keep the law and their order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.privacy.domain.deadlines import deadline
from services.privacy.domain.errors import RequestStateError
from services.privacy.domain.identity import commitment
from services.privacy.domain.plan import steps
from services.privacy.domain.states import State, moved


@pytest.mark.parametrize(
    ("received", "one", "three"),
    [
        (date(2027, 1, 31), date(2027, 3, 1), date(2027, 4, 30)),
        (date(2028, 2, 29), date(2028, 3, 29), date(2028, 5, 29)),
        (date(2027, 8, 31), date(2027, 9, 30), date(2027, 11, 30)),
        (date(2027, 3, 5), date(2027, 4, 5), date(2027, 6, 7)),
    ],
)
def test_periods_end_as_regulation_1182_71_counts(received: date, one: date, three: date) -> None:
    at = datetime(received.year, received.month, received.day, 15, tzinfo=UTC)

    assert deadline(at) - timedelta(days=1) == datetime(one.year, one.month, one.day, tzinfo=UTC)
    assert deadline(at, extended=True) - timedelta(days=1) == datetime(
        three.year, three.month, three.day, tzinfo=UTC
    )


def test_a_holiday_moves_the_end_to_the_next_working_day() -> None:
    at = datetime(2027, 3, 5, tzinfo=UTC)
    irish = frozenset({date(2027, 6, 7)})

    assert deadline(at, extended=True, holidays=irish) == datetime(2027, 6, 9, tzinfo=UTC)


def test_there_is_no_way_back_once_execution_began() -> None:
    assert moved(State.AWAITING_APPROVAL, State.CANCELLED) is State.CANCELLED
    for to in (State.CANCELLED, State.REFUSED, State.COMPLETED):
        with pytest.raises(RequestStateError):
            moved(State.EXECUTING, to)


def test_tickets_go_before_the_user_and_remote_systems_before_our_own() -> None:
    order = steps()

    assert (
        order.index("zendesk/tickets-permanent")
        < order.index("zendesk/user")
        < order.index("zendesk/user-permanent")
    )
    assert order.index("zendesk/user-permanent") < order.index("erase/auth") < order.index("verify/zendesk")
    assert order[-1] == "certificate"


def test_a_person_is_the_same_token_in_one_account_and_another_in_the_next() -> None:
    assert commitment(b"a", "email", " Cy@Example.com ") == commitment(b"a", "email", "cy@example.com")
    assert commitment(b"a", "email", "cy@example.com") != commitment(b"b", "email", "cy@example.com")
    assert commitment(b"a", "email", "7") != commitment(b"a", "zendesk_user_id", "7")
