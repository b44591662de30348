"""The minute job: Playlist's own examples, queues side by side, two replicas, what Zendesk told nobody."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from services.assignment.app import route
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


def shares(zendesk: LocalZendesk) -> list[int]:
    """Return how many tickets each assignee holds, most first."""
    counts = Counter(t["assignee_id"] for t in zendesk.tickets.values() if t["assignee_id"])
    return sorted(counts.values(), reverse=True)


async def test_ten_tickets_are_shared_4_3_3(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2, 9)
    for number in range(1, 11):
        zendesk.ticket(number, group_id=SUPPORT)

    done = await house.minute()

    assert (done.considered, len(done.assignments), done.written, done.waiting) == (10, 10, 10, 0)
    assert shares(zendesk) == [4, 3, 3]


async def test_batch_size_is_per_agent_and_minute_over_all_queues_however_often_the_job_runs(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2, 9)
    zendesk.views[70] = lambda t: t["id"] <= 5
    await house.queue("view", source=70, batch_size=2)
    await house.queue("z-rest", batch_size=2)
    for number in range(1, 11):
        zendesk.ticket(number, group_id=SUPPORT)

    await house.minute()
    assert shares(zendesk) == [2, 2, 2]
    await house.job(ACCOUNT, catch_up=True, wait_for_writes=True)
    assert shares(zendesk) == [2, 2, 2]
    await house.minute(minutes=1)

    assert shares(zendesk) == [4, 3, 3]


async def test_the_inbox_limit_holds_over_rounds_and_solving_frees_it(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.set_limits(1, inbox=2)
    for number in (1, 2, 3):
        zendesk.ticket(number, group_id=SUPPORT)

    await house.minute()
    await house.minute()
    assert [t["assignee_id"] for t in zendesk.tickets.values()] == [1, 1, None]
    assert [d.outcome for d in await house.decisions(3)] == ["WAITING_ALL_FULL"]
    zendesk.change(1, status="pending")
    await house.minute()
    await house.minute()

    assert zendesk.tickets[3]["assignee_id"] == 1


async def test_the_daily_limit_looks_twelve_hours_back(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1)
    await house.queue("all")
    await house.set_limits(1, daily=2)
    for number in (1, 2, 3):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()

    await house.minute(minutes=12 * 60 - 1)
    assert zendesk.tickets[3]["assignee_id"] is None
    await house.minute(minutes=1)

    assert zendesk.tickets[3]["assignee_id"] == 1


async def test_a_view_feeds_only_its_queue_and_a_deleted_view_stops_nobody(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 3)
    zendesk.views[70] = lambda t: t["group_id"] == BILLING
    await house.queue("billing", source=70, agents=(3,))
    zendesk.ticket(1, group_id=BILLING)
    zendesk.ticket(2, group_id=SUPPORT)
    await house.minute()
    assert {d.ticket: (d.queue == "billing", d.agent_id) for d in await house.decisions()} == {
        1: (True, 3),
        2: (False, 1),
    }

    del zendesk.views[70]
    zendesk.ticket(3, group_id=BILLING)
    await house.minute()

    assert zendesk.tickets[3]["assignee_id"] == 3
    assert (await house.decisions(3))[0].queue != "billing"


async def test_a_paused_queue_assigns_nothing_and_leaves_its_tickets_to_the_next(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    await house.queue("paused", state="paused", agents=(2,))
    zendesk.ticket(1, group_id=SUPPORT)

    await house.minute()

    assert {d.queue for d in await house.decisions()} != {"paused"}
    assert zendesk.tickets[1]["assignee_id"] in (1, 2)


async def test_replicas_that_run_at_once_assign_and_write_each_ticket_once(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2, 9)
    for number in range(1, 21):
        zendesk.ticket(number, group_id=SUPPORT)

    runs = await asyncio.gather(*(house.minute(minutes=1) for _ in range(4)))

    assert sum(len(r.assignments) for r in runs) == 20
    assert sorted(ticket for ticket, _ in zendesk.writes) == list(range(1, 21))
    assert shares(zendesk) == [7, 7, 6]
    assert await house.explain.verify_chain(ACCOUNT) == (True, 20, 0)


async def test_the_cursor_moves_with_what_it_brought(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    zendesk.ticket(1, group_id=SUPPORT)
    await house.minute()
    zendesk.ticket(2, group_id=SUPPORT)
    done = await house.minute()
    assert done.waiting == 2

    zendesk.fault("GET incremental/.*", status=403)
    with pytest.raises(Exception, match="403"):
        await house.minute()
    zendesk.ticket(3, group_id=SUPPORT)

    assert (await house.minute()).waiting == 3


async def test_a_waiting_ticket_is_logged_when_its_outcome_changes_and_not_each_minute(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(1, group_id=SUPPORT)
    for _ in range(3):
        await house.minute()
    assert [d.outcome for d in await house.decisions(1)] == ["WAITING_NO_ELIGIBLE_AGENT"]

    await house.set_limits(1, inbox=1)
    zendesk.ticket(2, group_id=SUPPORT, assignee_id=1, status="open")
    await house.set_status("online", 1)
    for _ in range(3):
        await house.minute()

    assert [d.outcome for d in await house.decisions(1)] == ["WAITING_NO_ELIGIBLE_AGENT", "WAITING_ALL_FULL"]


async def test_nobody_is_asked_for_a_ticket_that_left_before_it_was_decided(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(1, group_id=SUPPORT)
    zendesk.ticket(2, group_id=SUPPORT, status="closed")
    zendesk.ticket(3, group_id=SUPPORT, status="pending")

    done = await house.minute()

    assert [ticket for ticket, _, _ in done.assignments] == [1]


async def test_longest_idle_goes_by_the_last_ticket_however_long_ago(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.queue("idle", model="longest_idle")
    zendesk.ticket(1, group_id=SUPPORT)
    await house.minute()
    await house.set_status("away", 1)
    await house.set_status("online", 2)
    zendesk.ticket(2, group_id=SUPPORT)
    await house.minute()

    await house.set_status("online", 1)
    zendesk.ticket(3, group_id=SUPPORT)
    await house.minute(minutes=20 * 60)

    assert zendesk.tickets[3]["assignee_id"] == 1


async def test_a_large_round_is_several_transactions_and_decides_as_one_would(
    house: House, zendesk: LocalZendesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "MOST", 4)
    await house.open(1, 2)
    await house.set_limits(1, inbox=6)
    await house.set_limits(2, inbox=5)
    for number in range(1, 15):
        zendesk.ticket(number, group_id=SUPPORT)

    done = await house.minute()

    assert [ticket for ticket, _, _ in done.assignments] == list(range(1, 12))
    rows = await house.decisions()
    given = [row for row in rows if row.agent_id]
    assert Counter(row.agent_id for row in given) == {1: 6, 2: 5}
    assert len({row.inputs for row in given}) == 3
    assert sorted(row.ticket for row in rows if not row.agent_id) == [12, 13, 14]
    assert all([(await house.explain.decision(ACCOUNT, row.id)).recomputes for row in rows])
