"""Periods, states and plans keep the law and their order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.privacy.domain.backoff import MAXIMUM_ATTEMPTS, MAXIMUM_REFUSALS, wait_seconds
from services.privacy.domain.deadlines import deadline
from services.privacy.domain.errors import RequestStateError
from services.privacy.domain.identity import USER, Identity, commitment, fault, users
from services.privacy.domain.plan import CERTIFICATE, PLAN, phase, steps
from services.privacy.domain.purposes import Purpose, forbidden_once_erased
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
    assert commitment(b"a", USER, "007") == commitment(b"a", USER, "7")


@pytest.mark.parametrize(
    ("identity", "good"),
    [
        ((USER, "9223372036854775807"), True),
        ((USER, "٣"), False),
        ((USER, "00"), False),
        ((USER, "7\n8"), False),
        (("email", "cy@example.com"), True),
        (("email", "cy@example.com cy"), False),
        (("phone", "+4930123456"), True),
        (("phone", "+0930123456"), False),
        (("external_id", "crm-5"), True),
        (("external_id", "  "), False),
    ],
)
def test_an_identity_has_the_form_of_its_kind(identity: Identity, good: bool) -> None:
    assert (fault(identity) is None) is good


def test_user_ids_are_found_among_identities() -> None:
    assert users([("email", "9"), (USER, "10"), (USER, "09"), (USER, "9")]) == [9, 10]


def test_each_step_has_the_state_of_its_phase() -> None:
    assert phase(PLAN) is State.RECEIVED
    assert [phase(step) for step in ("zendesk/tickets", "erase/auth")] == [State.EXECUTING] * 2
    assert [phase(step) for step in ("verify/zendesk", CERTIFICATE)] == [State.VERIFYING] * 2


def test_an_erased_id_is_good_for_nothing_and_an_address_for_all_but_a_sync() -> None:
    assert forbidden_once_erased(USER) == set(Purpose)
    assert forbidden_once_erased("email") == {Purpose.SYNC_PROFILE}


def test_waits_begin_short_and_end_at_a_minute() -> None:
    waits = [wait_seconds(n) for n in range(1000)]

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.2, 60.0)
    assert 10 < sum(waits[: MAXIMUM_REFUSALS - 1]) < 30
    assert 20 * 60 < sum(waits[: MAXIMUM_ATTEMPTS - 1]) < 40 * 60
