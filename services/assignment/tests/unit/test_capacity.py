"""Capacity in units of work, and limits of open tickets per queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.domain.decide import decide
from services.assignment.domain.eligibility import caps
from services.assignment.domain.inputs import dump, load
from services.assignment.domain.model import Agent, Code, Queue, Snapshot, Ticket
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
BY_GROUP = frozenset({SUPPORT})


async def channels(house: House, units: int | None = 10) -> None:
    """Chat takes 5 units of 10, email 2; each has its view."""
    await house.open(1)
    even: Callable[[dict[str, int]], bool] = lambda t: t["id"] % 2 == 0  # noqa: E731 - a view
    house.zendesk.views |= {70: even, 71: lambda t: not even(t)}
    await house.queue("chat", source=70, options=QueueOptions(work_units=5))
    await house.queue("email", source=71, position=1, options=QueueOptions(work_units=2))
    options = AccountOptions(capacity_units=units)
    await house.queues.change_settings(
        ACCOUNT, "", lambda row: replace(row, options=options), validate_only=False
    )


def held(zendesk: LocalZendesk) -> list[int]:
    return sorted(n for n, t in zendesk.tickets.items() if t["assignee_id"] and t["status"] == "open")


@pytest.mark.parametrize(
    ("capacity", "taken", "work", "room"),
    [(10, 0, 5, 2), (10, 1, 5, 1), (10, 6, 5, 0), (10, 11, 5, -1), (3, 0, 1, 3)],
)
def test_whole_slots_of_capacity(capacity: int, taken: int, work: int, room: int) -> None:
    agent = Agent(1, BY_GROUP, capacity=capacity, load=taken)

    assert caps(agent, Queue("q", work=work)) == {Code.CAPACITY: room}


def test_inputs_from_before_capacity_keep_their_text_and_new_ones_come_back() -> None:
    old = Snapshot([Agent(1, BY_GROUP)], [], Queue("q"))
    new = Snapshot(
        [Agent(1, BY_GROUP, capacity=3, load=1, open_queue=1)], [], Queue("q", work=2, open_limit=4)
    )

    assert not any(word in dump(old) for word in ("capacity", "load", "work", "open_queue", "open_limit"))
    assert load(dump(new)) == new


async def test_one_ticket_takes_more_of_an_agent_than_another_over_all_queues(
    house: House, zendesk: LocalZendesk
) -> None:
    await channels(house)
    for number in (2, 1, 3, 5, 7):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()

    assert held(zendesk) == [1, 2, 3]  # 5 + 2 + 2 of 10 units
    why = await house.explain.why_waiting(ACCOUNT, 5)
    assert why.sentences[:2] == [
        "everybody who may take it is full",
        (
            "1 agent has too little capacity left for a ticket of this queue: free when open tickets are done, or "
            "with more capacity units"
        ),
    ]
    zendesk.change(2, status="solved")
    await house.minute()
    await house.minute()

    assert held(zendesk) == [1, 3, 5, 7]
    for decision in await house.decisions():
        assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes


async def test_what_came_by_hand_takes_one_unit(house: House, zendesk: LocalZendesk) -> None:
    await channels(house, units=5)
    zendesk.ticket(9, group_id=SUPPORT, status="open", assignee_id=1)
    zendesk.ticket(2, group_id=SUPPORT)
    await house.minute()

    assert held(zendesk) == [9]


async def test_an_agent_s_own_capacity_goes_before_the_account_s(house: House, zendesk: LocalZendesk) -> None:
    await channels(house, units=1)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.capacities.put_agent(1, 5)
    for number in (2, 4):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()

    assert held(zendesk) == [2]


async def test_a_queue_s_limit_of_open_tickets_leaves_room_for_other_queues(
    house: House, zendesk: LocalZendesk
) -> None:
    await channels(house, units=None)
    await house.queue("chat", source=70, options=QueueOptions(open_limit=1))
    for number in (1, 2, 3, 4):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    why = await house.explain.why_waiting(ACCOUNT, 4)

    assert held(zendesk) == [1, 2, 3]
    assert why.decision.codes[1] is Code.CHANNEL_LIMIT
    zendesk.change(2, status="pending")
    await house.minute()
    await house.minute()
    assert held(zendesk) == [1, 3, 4]


def test_two_who_have_room_for_one_each_serve_two() -> None:
    agents = [Agent(n, BY_GROUP, capacity=9, load=n) for n in (1, 2, 9)]
    tickets = [Ticket(n, T0, SUPPORT) for n in range(1, 5)]
    plan = decide(Snapshot(agents, tickets, Queue("q", work=5)))

    assert sorted(d.agent or 0 for d in plan.assigned) == [1, 2]


@pytest.mark.parametrize(
    ("interruptible", "of_which", "room"),
    [(False, 0, 1), (False, 4, 2), (False, 6, 3), (True, 0, 1), (True, 4, 1), (True, 6, 1)],
)
def test_work_that_may_be_interrupted_takes_room_from_such_work_alone(
    interruptible: bool, of_which: int, room: int
) -> None:
    """Ten units, six in hand, of which some may be interrupted; a ticket takes three."""
    agent = Agent(1, BY_GROUP, capacity=10, load=6, interruptible=of_which)

    assert caps(agent, Queue("q", work=3, interruptible=interruptible)) == {Code.CAPACITY: room}


async def test_a_chat_comes_in_though_email_fills_the_agent_and_no_email_beside_chats(
    house: House, zendesk: LocalZendesk
) -> None:
    await channels(house)
    await house.queue("email", source=71, position=1, options=QueueOptions(work_units=2, interruptible=True))
    for number in (1, 3, 5, 7, 9, 11):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    assert held(zendesk) == [1, 3, 5, 7, 9], "five times two units of ten"
    why = await house.explain.why_waiting(ACCOUNT, 11)
    assert why.sentences[1].startswith(
        "1 agent has too little capacity left for work that may be interrupted, beside"
    )

    for number in (2, 4, 6):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    assert held(zendesk) == [1, 2, 3, 4, 5, 7, 9], "two chats of five units, as if there were no email"
    why = await house.explain.why_waiting(ACCOUNT, 6)
    assert "without counting work that may be interrupted" in why.sentences[1]

    for number in (1, 3, 5, 7, 9):
        zendesk.change(number, status="solved")
    await house.minute()
    assert held(zendesk) == [2, 4], "chats take all the room that email needs"
    zendesk.change(2, status="solved")
    await house.minute()
    await house.minute()
    assert held(zendesk) == [4, 6]
    zendesk.change(6, status="solved")
    await house.minute()
    await house.minute()
    assert held(zendesk) == [4, 11]
    for decision in await house.decisions():
        assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes


def test_a_round_s_inputs_say_what_may_be_interrupted() -> None:
    new = Snapshot(
        [Agent(1, BY_GROUP, capacity=3, load=2, interruptible=1)], [], Queue("q", work=2, interruptible=True)
    )

    assert load(dump(new)) == new
    assert "interruptible" not in dump(Snapshot([Agent(1, BY_GROUP)], [], Queue("q")))
