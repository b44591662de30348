"""What a view's conditions say about a ticket: certainly not, or perhaps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assignment.domain.view_filter import STATUSES, ViewFilter
from services.assignment.domain.webhook import TicketFacts

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)


def condition(field: str, operator: str, value: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def facts(status: str = "new", group: int | None = 20, assignee: int | None = None) -> TicketFacts:
    return TicketFacts(1, status, T0, T0, group, assignee)


UNSOLVED = condition("status", "less_than", "solved")


@pytest.mark.parametrize(
    ("every", "some", "may"),
    [
        ([UNSOLVED], [], True),
        ([condition("status", "is", "pending")], [], False),
        ([condition("status", "is_not", "NEW")], [], False),
        ([condition("status", "greater_than", "new")], [], False),
        ([UNSOLVED, condition("group_id", "is", "20")], [], True),
        ([UNSOLVED, condition("group_id", "is", 21)], [], False),
        ([UNSOLVED, condition("group_id", "is_not", "20")], [], False),
        ([UNSOLVED, condition("group_id", "is", "")], [], False),
        ([UNSOLVED, condition("group_id", "is", "current_groups")], [], True),
        ([condition("assignee_id", "is", "")], [], True),
        ([condition("assignee_id", "is_not", "")], [], False),
        ([condition("assignee_id", "is", "5")], [], False),
        ([condition("assignee_id", "is_not", "5")], [], True),
        ([UNSOLVED, condition("current_tags", "includes", "vip")], [], True),
        ([UNSOLVED], [condition("group_id", "is", "21"), condition("group_id", "is", "22")], False),
        ([UNSOLVED], [condition("group_id", "is", "21"), condition("group_id", "is", "20")], True),
        ([UNSOLVED], [condition("group_id", "is", "21"), condition("priority", "is", "high")], True),
        ([condition("status", "is", "someday")], [], True),
        ([], [], True),
    ],
)
def test_a_waiting_ticket_may_be_in_a_view_unless_a_known_fact_says_no(
    every: list[dict[str, Any]], some: list[dict[str, Any]], may: bool
) -> None:
    assert ViewFilter.of({"all": every, "any": some}).may_hold(facts()) is may


@pytest.mark.parametrize(
    ("one", "moves"),
    [
        (UNSOLVED, False),
        (condition("current_tags", "includes", "vip"), False),
        (condition("custom_fields_12", "is", "x"), False),
        (condition("NEW", "greater_than", "4"), True),
        (condition("updated_at", "less_than", "2"), True),
        (condition("due_at", "is", "1"), True),
        (condition("custom_fields_12", "is_within_previous_n_days", "3"), True),
        (condition("assignee_id", "is", "current_user"), True),
        (condition("group_id", "is", "current_groups"), True),
        (condition("a field of tomorrow", "is", "1"), True),
    ],
)
def test_what_time_or_the_reader_decides_moves_by_itself(one: dict[str, Any], moves: bool) -> None:
    assert ViewFilter.of({"all": [UNSOLVED, one], "any": []}).moves is moves
    assert ViewFilter.of({"all": [UNSOLVED], "any": [one]}).moves is moves


def test_nothing_is_known_of_a_view_without_conditions() -> None:
    assert ViewFilter.of({}) == ViewFilter()
    assert ViewFilter().moves


def test_no_text_and_no_person_is_kept() -> None:
    filter_ = ViewFilter.of(
        {
            "all": [
                condition("subject_includes_word", "includes", "Smith"),
                condition("requester_id", "is", "900123456789"),
                condition("assignee_id", "is", "471198765432"),
            ],
            "any": [condition("current_tags", "includes", "smith")],
        }
    )

    kept = repr(filter_.plain())
    assert not any(word in kept.lower() for word in ("smith", "900123456789", "471198765432"))
    assert ViewFilter.typed(filter_.plain()) == filter_


def test_the_digest_tells_when_a_condition_changes_that_is_not_kept() -> None:
    one, other = (
        ViewFilter.of({"all": [UNSOLVED, condition("current_tags", "includes", tag)]}) for tag in "ab"
    )
    assert (one.all, one.moves) == (other.all, other.moves)
    assert one.digest != other.digest


CONDITIONS = st.one_of(
    st.builds(
        condition,
        st.just("status"),
        st.sampled_from(["is", "is_not", "less_than", "greater_than"]),
        st.sampled_from(STATUSES),
    ),
    st.builds(
        condition, st.just("group_id"), st.sampled_from(["is", "is_not"]), st.sampled_from(["", "20", "21"])
    ),
    st.builds(
        condition, st.just("assignee_id"), st.sampled_from(["is", "is_not"]), st.sampled_from(["", "5", "6"])
    ),
    st.builds(condition, st.just("priority"), st.just("is"), st.sampled_from(["low", "high"])),
)


def zendesk_holds(one: dict[str, Any], row: dict[str, Any]) -> bool:
    """Decide a condition as Zendesk does, with every field known."""
    mine, asked = row[one["field"]], one["value"]
    if one["field"] == "status":
        left, right = STATUSES.index(mine), STATUSES.index(asked)
        return {
            "is": left == right,
            "is_not": left != right,
            "less_than": left < right,
            "greater_than": left > right,
        }[one["operator"]]
    same = ("" if mine is None else str(mine)) == asked
    return same if one["operator"] == "is" else not same


@given(
    st.lists(CONDITIONS, max_size=3),
    st.lists(CONDITIONS, max_size=3),
    st.sampled_from(STATUSES),
    st.sampled_from([None, 20, 21]),
    st.sampled_from([None, 5, 6]),
    st.sampled_from(["low", "high"]),
)
def test_what_zendesk_holds_is_never_ruled_out(
    every: list[dict[str, Any]],
    some: list[dict[str, Any]],
    status: str,
    group: int | None,
    assignee: int | None,
    priority: str,
) -> None:
    row = {"status": status, "group_id": group, "assignee_id": assignee, "priority": priority}
    held = all(zendesk_holds(c, row) for c in every) and (
        not some or any(zendesk_holds(c, row) for c in some)
    )

    may = ViewFilter.of({"all": every, "any": some}).may_hold(facts(status, group, assignee))

    assert may or not held
