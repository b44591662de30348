"""What the simulator breaks, the client survives: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from libs.zendesk.budget import Budget
from libs.zendesk.client import ZendeskClient
from libs.zendesk.errors import JobFailedError, ZendeskUnavailableError
from libs.zendesk.exports import Checkpoint
from libs.zendesk.tests.simulated import AGENT, REQUESTER, SUPPORT, Renewing, Zendesk, listening, simulated
from libs.zendesk.tokens import SharedToken, StaticToken
from libs.zendesk.transport import Patience
from libs.zendesk.windows import MemoryWindows


@pytest_asyncio.fixture
async def zendesk() -> AsyncIterator[Zendesk]:
    async with listening() as one:
        yield one


@pytest.mark.parametrize("retry_after", [0, 3, None])
async def test_a_storm_of_429(zendesk: Zendesk, retry_after: int | None) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({})
    await zendesk.fault("rate_limit", times=4, retry_after=retry_after)
    before = zendesk.clock.now()

    changed = await admin.tickets.update(ticket, {"assignee_id": AGENT, "group_id": SUPPORT})

    assert changed.assignee_id == AGENT
    waited = (zendesk.clock.now() - before).total_seconds()
    assert waited == pytest.approx({0: 0, 3: 12, None: 30}[retry_after], abs=0.5)
    assert len(await admin.tickets.audits(ticket).all()) == 2


async def test_errors_before_anything_was_done_and_after(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    for status in (500, 502, 503):
        await zendesk.fault("error", status=status, when="before", times=1)
    made = await admin.tickets.create(
        {"comment": {"body": "x"}, "requester_id": REQUESTER}, idempotency_key="k"
    )
    await zendesk.fault("error", status=500, when="after", times=1, method="POST", path="tickets")
    values = {"comment": {"body": "y"}, "requester_id": REQUESTER}
    lost = await admin.tickets.create(values, idempotency_key="k-2")

    assert [t.id for t in await admin.tickets.requested(REQUESTER)] == [made.id, lost.id]


@pytest.mark.parametrize("share", [0, 0.5])
async def test_a_connection_that_is_cut_within_the_body(zendesk: Zendesk, share: float) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({})
    await zendesk.fault("cut", share=share, times=2, method="GET")

    assert (await admin.tickets.show(ticket)).id == ticket


async def test_a_write_whose_answer_was_cut_is_left_to_its_caller(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({})
    await zendesk.fault("cut", times=1, method="PUT")

    with pytest.raises(ZendeskUnavailableError) as caught:
        await admin.tickets.update(ticket, {"assignee_id": AGENT, "group_id": SUPPORT})

    assert caught.value.done is None
    assert (await admin.tickets.show(ticket)).assignee_id == AGENT
    assert await zendesk.asked("PUT tickets/{id:int}") == 1


async def test_a_deletion_whose_answer_was_cut_is_done(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({})
    await zendesk.fault("error", status=502, when="after", times=1, method="DELETE")

    await admin.ticket_deletion.trash(ticket)

    assert await zendesk.asked("DELETE tickets/{id:int}") == 2


async def test_a_body_that_drips_in(zendesk: Zendesk) -> None:
    (ticket,) = await zendesk.tickets({})
    await zendesk.fault("slow_body", seconds=0.3, pieces=3, times=1)
    patience = Patience(attempt_seconds=0.1)
    tokens = StaticToken(await zendesk.token())
    hasty = ZendeskClient(
        zendesk.base, tokens, zendesk.http, zendesk.clock, patience=patience, sleep=zendesk.time.sleep
    )

    assert (await hasty.tickets.show(ticket)).id == ticket
    assert await zendesk.asked("GET tickets/{id:int}") == 2


async def test_revoked_tokens_are_replaced_once_for_all(zendesk: Zendesk) -> None:
    supply = Renewing(zendesk)
    admin = await zendesk.client(tokens=SharedToken(supply))
    tickets = await zendesk.tickets(*[{}] * 30)
    await admin.tickets.show(tickets[0])
    await zendesk.fault("revoke_tokens")

    shown = await asyncio.gather(*(admin.tickets.show(ticket) for ticket in tickets))

    assert [t.id for t in shown] == tickets
    assert supply.asked == [None, 1]


async def test_a_job_that_fails_half_way(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    tickets = await zendesk.tickets({}, {}, {})
    await zendesk.fault("half_done_job", rows=1, times=1)
    job = await admin.tickets.update_many(
        [{"id": i, "assignee_id": AGENT, "group_id": SUPPORT} for i in tickets]
    )

    with pytest.raises(JobFailedError) as caught:
        await admin.jobs.wait(job)

    assert (caught.value.error, caught.value.done, caught.value.job.id) == ("failed", None, job.id)
    now = await admin.tickets.show_many(tickets)
    assert [t.assignee_id for t in now].count(AGENT) == 1  # the caller reads what was done


async def test_a_job_that_never_ends(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    tickets = await zendesk.tickets({}, {})
    await zendesk.fault("endless_job", times=1)
    before = zendesk.clock.now()
    job = await admin.tickets.update_many([{"id": i, "priority": "low"} for i in tickets])

    with pytest.raises(JobFailedError) as caught:
        await admin.jobs.wait(job, seconds=30)

    assert (caught.value.error, caught.value.job.status) == ("NotEnded", "working")
    assert timedelta(seconds=29) < zendesk.clock.now() - before < timedelta(seconds=40)
    assert await zendesk.asked("GET job_statuses/{id}") < 20  # slower and slower


async def test_a_job_is_waited_for_through_errors(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    (ticket,) = await zendesk.tickets({})
    job = await admin.tickets.update_many([{"id": ticket, "priority": "low"}])
    await zendesk.fault("error", status=503, method="GET", path="job_statuses", times=7)

    done = await admin.jobs.wait(job)

    assert [r.success for r in done.results] == [True]


async def test_an_export_through_storms_gives_every_ticket_once(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    tickets = await zendesk.tickets(*[{}] * 20)
    zendesk.clock.advance(timedelta(minutes=2))
    await zendesk.fault("rate_limit", every=2, times=6, retry_after=1)
    await zendesk.fault("cut", every=2, times=4, method="GET")
    seen: list[int] = []
    checkpoint = Checkpoint(time=1)
    for _ in range(4):
        page = await admin.tickets.changed(checkpoint)
        seen += [t.id for t in page.rows]
        checkpoint = page.checkpoint

    assert seen == tickets


async def test_replicas_share_an_accounts_limits_and_are_refused_nothing() -> None:
    async with simulated(plan="professional") as zendesk:
        windows = MemoryWindows(zendesk.clock)
        budgets = [Budget("acme", windows, zendesk.clock) for _ in range(3)]
        replicas = [await zendesk.client(budget=budget) for budget in budgets]
        tickets = await zendesk.tickets(*[{}] * 10)
        for replica in [*replicas, *replicas]:
            await replica.tickets.show(tickets[0])  # from the first answers the limits are known
        zendesk.clock.advance(timedelta(seconds=120 - zendesk.clock.now().timestamp() % 60))
        before = zendesk.clock.now()
        for number in range(250):
            ticket = tickets[number % len(tickets)]
            await replicas[number % 3].tickets.update(ticket, {"priority": ("low", "high")[number % 2]})

        # 250 changes at 100 a minute reach into the third minute; each was sent once.
        assert timedelta(minutes=2) <= zendesk.clock.now() - before < timedelta(minutes=4)
        assert await zendesk.asked("PUT tickets/{id:int}") == 250
