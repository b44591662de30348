"""Overflow: groups that help, queues that take over, and circles that are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.app.options import QueueOptions
from services.assignment.domain.decide import decide
from services.assignment.domain.inputs import dump, load
from services.assignment.domain.model import Agent, Code, Queue, Snapshot, Ticket
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)


def given(
    overflow: set[int], groups: set[int], group: int | None = SUPPORT, chosen: set[int] | None = None
) -> Any:
    """Decide on one ticket and one agent; return the agent's code and the group he gets it in."""
    queue = Queue("q", agents=frozenset(chosen or ()))
    ticket = Ticket(1, T0, group, overflow=frozenset(overflow))
    snapshot = Snapshot([Agent(1, frozenset(groups))], [ticket], queue)
    assert load(dump(snapshot)) == snapshot
    (decision,) = decide(snapshot).decisions
    return decision.codes[1], decision.group


def test_who_helps_gets_the_ticket_in_the_group_that_helps() -> None:
    assert given(set(), {BILLING}) == (Code.NOT_IN_GROUP, None)
    assert given({BILLING}, {BILLING}) == (Code.CHOSEN, BILLING)
    assert given({BILLING}, {SUPPORT, BILLING}) == (Code.CHOSEN, SUPPORT)
    assert given({30, BILLING}, {BILLING, 30, 19}) == (Code.CHOSEN, BILLING)
    assert given({BILLING}, {BILLING}, chosen={9}) == (Code.CHOSEN, BILLING)
    assert given(set(), {SUPPORT}, chosen={9}) == (Code.NOT_IN_ROTATION, None)
    assert given({BILLING}, {30}) == (Code.NOT_IN_GROUP, None)
    assert given({BILLING}, {19, BILLING}, group=None) == (Code.CHOSEN, BILLING)


def test_inputs_from_before_overflow_decode_and_keep_their_text() -> None:
    text = dump(Snapshot([], [Ticket(1, T0, SUPPORT)], Queue("q"), as_of=T0))

    assert "overflow" not in text
    assert load(text).tickets[0].overflow == frozenset()


async def test_overflow_groups_help_from_the_very_second_on(house: House, zendesk: LocalZendesk) -> None:
    await house.open(3)
    options = QueueOptions(overflow_groups=(BILLING,), overflow_seconds=300)
    await house.queue("q", options=options)
    zendesk.ticket(1, group_id=SUPPORT)
    await house.webhook(1)
    at = house.clock.now()

    await house.minute(minutes=4)
    assert zendesk.writes == []
    why = await house.explain.why_waiting(ACCOUNT, 1)
    assert (
        f"from {at.replace(minute=at.minute + 5):%Y-%m-%d %H:%M:%S} UTC on the agents of group `21` help"
        in why.sentences
    )
    await house.minute(minutes=1)

    assert zendesk.writes == [(1, 3)]
    assert zendesk.tickets[1]["group_id"] == BILLING
    for decision in await house.decisions():
        assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes


async def test_an_overflow_queue_takes_over_with_its_own_agents_and_name(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await house.queue("night", agents=(2,), position=1)
    options = QueueOptions(overflow_queue="night", overflow_seconds=300)
    await house.queue("day", agents=(9,), options=options)
    zendesk.ticket(1, group_id=SUPPORT)
    await house.webhook(1)

    await house.minute(minutes=4)
    why = await house.explain.why_waiting(ACCOUNT, 1)
    assert why.queue == "day"
    assert any(s.endswith("UTC on it belongs to queue `night`") for s in why.sentences)
    await house.minute(minutes=1)

    assert zendesk.writes == [(1, 2)]
    assert [d.queue for d in await house.decisions(1)][-1] == "night"


@pytest.mark.parametrize(
    ("options", "field", "sentence"),
    [
        (
            QueueOptions(overflow_queue="a", overflow_seconds=5),
            "overflow_queue_id",
            "tickets would go `C` → `A` → `B` → `C` without end: take the overflow queue away from one of these",
        ),
        (
            QueueOptions(overflow_queue="c", overflow_seconds=5),
            "overflow_queue_id",
            "tickets would go `C` → `C` without end: take the overflow queue away from one of these",
        ),
        (
            QueueOptions(overflow_queue="x", overflow_seconds=5),
            "overflow_queue_id",
            "`x` is no queue of this account",
        ),
        (
            QueueOptions(overflow_groups=(7,)),
            "overflow_seconds",
            "say after how many seconds of waiting overflow begins",
        ),
        (
            QueueOptions(overflow_groups=(7,), overflow_queue="e", overflow_seconds=5),
            "overflow_queue_id",
            "give the queue overflow groups or an overflow queue, not both",
        ),
    ],
)
async def test_overflow_that_cannot_work_is_refused_and_says_what_to_change(
    house: House, options: QueueOptions, field: str, sentence: str
) -> None:
    await house.open()
    await house.queue("a", title="A", options=QueueOptions(overflow_queue="b", overflow_seconds=5))
    await house.queue("b", title="B", options=QueueOptions(overflow_queue="c", overflow_seconds=5))
    await house.queue("d", title="D", options=QueueOptions(overflow_queue="a", overflow_seconds=5))
    await house.queue("e")
    last = await house.queue("c", title="C")

    with pytest.raises(InvalidRequestError) as changed:
        await house.queues.change(
            ACCOUNT, "c", "", lambda q: replace(q, options=options), validate_only=False
        )
    await house.queues.delete(ACCOUNT, "c", "", validate_only=False)  # the others still name it
    with pytest.raises(InvalidRequestError) as made:
        await house.queues.create(ACCOUNT, replace(last, options=options), "", b"", validate_only=False)
    for refused in (changed.value, made.value):
        assert [(v.field, v.description) for v in refused.violations] == [(field, sentence)]
