"""The checks have one order; the limits are those of the vendor's examples (facts: §2.2, §5.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import barred, slots
from services.assignment.domain.inputs import load
from services.assignment.domain.model import Agent, Code, Outcome, Queue, Restrictions, Snapshot, Ticket

Q = Queue("q", agents=frozenset({1}))
FREE = Agent(1, frozenset({7}), custom_role_id=3)
ONLY = Restrictions(groups=frozenset({7}), roles=frozenset({3}))
# Each step breaks one more check; what is broken first in the order of the facts is the reason.
STEPS: list[tuple[Code, dict[str, Any]]] = [
    (Code.STATUS_NOT_ONLINE, {"status": "away"}),
    (Code.NOT_IN_ROTATION, {"id": 2}),
    (Code.APP_RESTRICTED, {"custom_role_id": None}),
    (Code.AGENT_SUSPENDED, {"suspended": True}),
    (Code.AGENT_LIGHT, {"light": True}),
    (Code.AGENT_INACTIVE, {"active": False}),
]


def test_the_earliest_check_that_fails_is_the_one_reason() -> None:
    agent = FREE
    assert barred(agent, 7, Q, ONLY) is None

    for code, change in STEPS:
        agent = replace(agent, **change)
        assert barred(agent, 7, Q, ONLY) is code


def test_the_ticket_s_group_comes_after_the_rotation_and_before_the_status() -> None:
    outside = replace(FREE, groups=frozenset({8}))

    assert barred(outside, 7, Q, Restrictions()) is Code.NOT_IN_GROUP
    assert barred(replace(outside, status="away"), 7, Q, Restrictions()) is Code.NOT_IN_GROUP
    assert barred(replace(outside, id=2), 7, Q, Restrictions()) is Code.NOT_IN_ROTATION
    assert barred(replace(FREE, groups=frozenset()), None, Q, Restrictions()) is Code.NOT_IN_GROUP
    assert barred(outside, None, Q, Restrictions()) is None


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
