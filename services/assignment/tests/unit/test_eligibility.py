"""The checks have one order; the limits are those of the vendor's examples (facts: §2.2, §5.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import Kind, barred, kind_of, slots
from services.assignment.domain.inputs import load
from services.assignment.domain.model import Agent, Code, Need, Outcome, Queue, Restrictions, Snapshot, Ticket

Q = Queue("q", agents=frozenset({1}))
FREE = Agent(1, frozenset({7}), custom_role_id=3, skills=(("fr", 2),))
ASKED = Kind(7, (("fr", 2),), declined=(4,), dedicated=1)
ONLY = Restrictions(groups=frozenset({7}), roles=frozenset({3}))
# Each step breaks one more check; what is broken first in the order of the facts is the reason.
STEPS: list[tuple[Code, dict[str, Any]]] = [
    (Code.SKILL_LEVEL, {"skills": (("fr", 1),)}),
    (Code.MISSING_SKILL, {"skills": (("de", 5),)}),
    (Code.OFF_SHIFT, {"off_shift": True}),
    (Code.STATUS_NOT_ONLINE, {"status": "away"}),
    (Code.NOT_IN_ROTATION, {"id": 2}),
    (Code.APP_RESTRICTED, {"custom_role_id": None}),
    (Code.AGENT_SUSPENDED, {"suspended": True}),
    (Code.AGENT_LIGHT, {"light": True}),
    (Code.AGENT_INACTIVE, {"active": False}),
]


def test_the_earliest_check_that_fails_is_the_one_reason() -> None:
    agent = FREE
    assert barred(agent, ASKED, Q, ONLY) is None
    declined = replace(ASKED, declined=(1, 4), dedicated=4)
    assert barred(agent, replace(declined, declined=(4,)), Q, ONLY) is Code.NOT_DEDICATED
    assert barred(agent, declined, Q, ONLY) is Code.DECLINED

    for code, change in STEPS:
        agent = replace(agent, **change)
        assert barred(agent, declined, Q, ONLY) is code


@pytest.mark.parametrize(
    ("absence", "code"),
    [("", Code.STATUS_NOT_ONLINE), ("idle", Code.IDLE), ("out_of_office", Code.OUT_OF_OFFICE)],
)
def test_an_absence_that_we_know_more_of_has_its_own_reason(absence: str, code: Code) -> None:
    away = replace(FREE, status="away", absence=absence)

    assert barred(away, ASKED, Q, ONLY) is code
    assert barred(replace(away, status="online"), ASKED, Q, ONLY) is None


@pytest.mark.parametrize(("seconds", "asked"), [(3599, True), (3600, False), (3601, False)])
def test_an_optional_skill_is_gone_at_the_very_second(seconds: int, asked: bool) -> None:
    needs = (Need("de"), Need("fr", 2, drop_after_seconds=3600))
    created, entered = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC)
    ticket = Ticket(1, created, 7, entered_at=entered, needs=needs)

    kind = kind_of(ticket, entered + timedelta(seconds=seconds))

    assert kind.skills == ((("de", 1), ("fr", 2)) if asked else (("de", 1),))
    assert kind_of(replace(ticket, entered_at=None), entered).skills == (("de", 1),)
    assert kind_of(ticket).skills == (("de", 1), ("fr", 2))


def test_the_ticket_s_group_comes_after_the_rotation_and_before_the_status() -> None:
    outside = replace(FREE, groups=frozenset({8}))

    assert barred(outside, Kind(7), Q, Restrictions()) is Code.NOT_IN_GROUP
    assert barred(replace(outside, status="away"), Kind(7), Q, Restrictions()) is Code.NOT_IN_GROUP
    assert barred(replace(outside, id=2), Kind(7), Q, Restrictions()) is Code.NOT_IN_ROTATION
    assert barred(replace(FREE, groups=frozenset()), Kind(), Q, Restrictions()) is Code.NOT_IN_GROUP
    assert barred(outside, Kind(), Q, Restrictions()) is None


@pytest.mark.parametrize(
    ("agent", "queue", "expected"),
    [
        ({"inbox_limit": 10, "open_count": 9}, {"batch_size": 5}, (1, Code.INBOX_LIMIT)),
        ({"inbox_limit": 10, "open_count": 10}, {}, (0, Code.INBOX_LIMIT)),
        ({"inbox_limit": 10, "open_count": 14}, {}, (0, Code.INBOX_LIMIT)),
        ({"daily_limit": 5, "assigned_12h": 4}, {}, (1, Code.DAILY_LIMIT)),
        ({"daily_limit": 5, "assigned_12h": 5}, {"scheduled": False}, (None, Code.SLOT_TAKEN)),
        (
            {"daily_limit": 10, "assigned_12h": 6, "assigned_12h_queue": 2},
            {"daily_limit": 2},
            (0, Code.QUEUE_DAILY_LIMIT),
        ),
        ({"daily_limit": 10, "assigned_12h": 6}, {}, (4, Code.DAILY_LIMIT)),
        ({"rate_limit": 3, "assigned_rate": 1}, {"scheduled": False}, (2, Code.RATE_LIMIT)),
        ({"rate_limit": 3, "assigned_rate": 5}, {}, (0, Code.RATE_LIMIT)),
        ({"assigned_rate": 5, "assigned_rate_queue": 1}, {"rate_limit": 2}, (1, Code.RATE_LIMIT)),
        ({"rate_limit": 3, "assigned_rate_queue": 1}, {"rate_limit": 2}, (1, Code.RATE_LIMIT)),
        ({"rate_limit": 3, "assigned_rate": 3}, {"rate_limit": 2}, (0, Code.RATE_LIMIT)),
        ({"rate_limit": 3, "daily_limit": 3}, {}, (3, Code.DAILY_LIMIT)),
        ({"rate_limit": 3}, {"batch_size": 3}, (3, Code.RATE_LIMIT)),
        ({}, {"batch_size": 2}, (2, Code.BATCH_SIZE)),
        ({"assigned_run": 1}, {"batch_size": 2}, (1, Code.BATCH_SIZE)),
        ({"assigned_run": 3}, {"batch_size": 2}, (0, Code.BATCH_SIZE)),
        ({}, {"batch_size": 2, "model": "least_active"}, (None, Code.SLOT_TAKEN)),
        ({}, {"batch_size": 2, "scheduled": False}, (None, Code.SLOT_TAKEN)),
    ],
)
def test_the_least_limit_binds_and_is_named(
    agent: dict[str, Any], queue: dict[str, Any], expected: tuple[int | None, Code]
) -> None:
    assert slots(replace(FREE, **agent), replace(Q, **queue)) == expected


def test_every_rejected_candidate_is_named_with_his_reason() -> None:
    seven = frozenset({7})
    agents = [
        Agent(1, seven),
        Agent(2, seven),
        Agent(3, seven, inbox_limit=1, open_count=1),
        Agent(4, seven, status="away"),
        Agent(5, frozenset({8})),
        Agent(6, seven, light=True),
        Agent(7, seven, suspended=True),
        Agent(8, seven, active=False),
    ]
    at = datetime(2026, 1, 5, tzinfo=UTC)
    (first,) = decide(Snapshot(agents, [Ticket(1, at, 7)], Queue("q"))).decisions

    assert first.codes == {
        1: Code.CHOSEN,
        2: Code.LOST_ROTATION,
        3: Code.INBOX_LIMIT,
        4: Code.STATUS_NOT_ONLINE,
        5: Code.NOT_IN_GROUP,
        6: Code.AGENT_LIGHT,
        7: Code.AGENT_SUSPENDED,
        8: Code.AGENT_INACTIVE,
    }
    (alone,) = decide(Snapshot(agents[3:], [Ticket(1, at, 7)], Queue("q"))).decisions
    assert alone.outcome is Outcome.WAITING_NO_ELIGIBLE_AGENT


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"agents":[{"nobody":1}],"tickets":[],"queue":{"id":"q"}}', "x"]
)
def test_a_text_that_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        load(text)
