"""What comes back to a queue goes first to who had it, if he may and can (facts: §4.1, §4.4 asks 2 and 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.assignment.app.options import QueueOptions
from services.assignment.domain.decide import decide
from services.assignment.domain.model import Agent, Code, Model, Queue, Snapshot, Ticket
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.worlds import T0
from services.assignment.tests.zendesk import LocalZendesk

STICKY = QueueOptions(sticky_seconds=3600)


@pytest.mark.parametrize("model", Model)
def test_the_preferred_agent_comes_before_turn_load_and_idleness(model: Model) -> None:
    agents = [
        Agent(1, frozenset({7})),
        Agent(2, frozenset({7}), open_count=9, credit=-(10**9), last_assigned_at=T0),
    ]
    plan = decide(Snapshot(agents, [Ticket(1, T0, 7, preferred=2)], Queue("q", model), as_of=T0))

    assert plan.decisions[0].codes == {1: Code.LOST_QUALITY, 2: Code.CHOSEN}


def test_nobody_waits_for_the_preferred_agent_and_no_more_valuable_ticket_makes_way() -> None:
    """Agent 1 has one slot and ticket 1, the older, nobody else: ticket 2, which he had, goes to agent 2."""
    agents = [Agent(1, frozenset({7, 8}), inbox_limit=1), Agent(2, frozenset({7}))]
    tickets = [Ticket(1, T0, 8), Ticket(2, T0 + timedelta(seconds=1), 7, preferred=1)]
    plan = decide(Snapshot(agents, tickets, Queue("q"), as_of=T0))

    assert [(d.ticket, d.agent) for d in plan.decisions] == [(1, 1), (2, 2)]
    assert plan.decisions[1].codes[1] is Code.SLOT_TAKEN


async def returned(house: House, zendesk: LocalZendesk, seconds: int = 60) -> None:
    """Let ticket 5, which agent 2 had, be nobody's since so many seconds; the others' loads speak against him."""
    for ticket in (5, 6, 7, 8):
        zendesk.ticket(ticket, group_id=SUPPORT, assignee_id=2, status="open")
        await house.webhook(ticket)
    house.clock.advance(timedelta(seconds=60))
    zendesk.change(5, assignee_id=None)
    house.clock.advance(timedelta(seconds=seconds))
    async with house.store.transaction(ACCOUNT) as tx:  # no round yet
        row = await tx.tickets.one(5)
        assert row is not None
        at = house.clock.now() - timedelta(seconds=seconds)
        await tx.tickets.store([replace(row.facts, assignee_id=None, updated_at=at)])


async def test_it_goes_back_and_says_why(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2, 9)
    await house.queue("sticky", model="least_active", options=STICKY)
    await returned(house, zendesk)

    await house.minute(minutes=0)

    (decision,) = await house.decisions(5)
    assert (decision.mechanism, decision.queue, decision.agent_id) == ("queue", "sticky", 2)
    assert await house.rejected(decision, "LOST_QUALITY") == [1, 9]
    assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes is True


@pytest.mark.parametrize("kept_from_it", ["window", "no option", "away", "full", "skipped", "gone"])
async def test_else_the_queue_decides_as_ever(house: House, zendesk: LocalZendesk, kept_from_it: str) -> None:
    await house.open(1, 2)
    plain = kept_from_it == "no option"
    await house.queue("sticky", model="least_active", options=QueueOptions() if plain else STICKY)
    await returned(house, zendesk, 3600 if kept_from_it == "window" else 3599)
    if kept_from_it == "away":
        await house.set_status("away", 2)
    if kept_from_it == "full":
        await house.set_limits(2, inbox=3)
    if kept_from_it == "skipped":
        await house.skip(ACCOUNT, 5, 2, "")
    if kept_from_it == "gone":
        zendesk.users[2]["active"] = False
        await house.sync(ACCOUNT, "")

    await house.minute(minutes=0)

    assert (await house.decisions(5))[-1].agent_id == 1


async def test_to_the_second_the_window_still_counts(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    await house.queue("sticky", model="least_active", options=STICKY)
    await returned(house, zendesk, 3599)

    await house.minute(minutes=0)

    assert (await house.decisions(5))[-1].agent_id == 2


async def test_who_gives_a_ticket_back_is_not_preferred(house: House, zendesk: LocalZendesk) -> None:
    await house.open(2)
    zendesk.ticket(5, group_id=SUPPORT, assignee_id=2, status="open")
    await house.webhook(5)
    house.clock.advance(timedelta(seconds=60))

    assert await house.release(ACCOUNT, 2, validate_only=False) == 1
    await house.write(ACCOUNT)

    assert (await house.ticket(5)).routing == "waiting"
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.returns.last_agents(house.clock.now() - timedelta(hours=1)) == {}


async def test_a_waiting_ticket_says_whom_it_prefers_and_until_when(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    await house.queue("sticky", options=STICKY)
    await returned(house, zendesk)

    found = (await house.explain.why_waiting(ACCOUNT, 5)).sentences

    assert "agent `2` had it last and comes first until 2026-01-05 10:01:00 UTC" in found
