"""ReplayDay: the account's own day under the same rules is the same day; under others it is another one."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.app import recorded_days
from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

Answers = list[messages.ReplayDayResponse]


@pytest.fixture
async def start(house: House, zendesk: LocalZendesk) -> datetime:
    """A day: two agents in Support, one in Billing who comes later; tickets over time; two are solved."""
    start = house.clock.now()
    await house.open(1, 2)
    await house.queue("all")
    await house.set_limits(1, inbox=3)
    await house.set_limits(2, inbox=3)
    for number in range(1, 5):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    zendesk.ticket(5, group_id=BILLING)
    zendesk.ticket(6, group_id=SUPPORT, priority="urgent")
    zendesk.change(1, status="solved")
    await house.minute()
    await house.set_status("online", 3)
    zendesk.ticket(7, group_id=SUPPORT)
    zendesk.ticket(8, group_id=SUPPORT)
    await house.minute()
    zendesk.change(3, status="solved")
    await house.minute()
    return start


async def replay(rpc: AssignmentServicer, start: datetime, minutes: int = 60, **values: Any) -> Answers:
    request = messages.ReplayDayRequest(parent=PARENT, **values)
    request.start_time.FromDatetime(start)
    request.end_time.FromDatetime(start + timedelta(minutes=minutes))
    return [answer async for answer in rpc.ReplayDay(request, None)]


def given(answers: Answers) -> dict[int, int]:
    return {a.decision.ticket_id: a.decision.agent_id for a in answers[:-1]}


async def test_the_same_rules_give_the_same_day(
    rpc: AssignmentServicer, house: House, start: datetime
) -> None:
    acts(9, "admin")
    answers = await replay(rpc, start)
    was = {d.ticket: d.agent_id for d in await house.decisions() if d.agent_id}

    assert given(answers) == was
    assert (answers[-1].difference_count, list(answers[-1].differences)) == (0, [])
    assert answers[-1].replayed.tickets == answers[-1].recorded.tickets == 8
    assert answers[-1].recorded.per_agent == answers[-1].replayed.per_agent
    assert answers[0].decision.mechanism == "replay"
    assert answers[0].decision.queue == f"{PARENT}/queues/all"


async def test_other_rules_give_another_day_and_nothing_is_kept(
    rpc: AssignmentServicer, house: House, start: datetime
) -> None:
    acts(9, "admin")
    before, pending = await house.decisions(), await house.pending()
    tight = (await replay(rpc, start, inbox_limit=1))[-1]
    queue = resources.Queue(
        name=f"{PARENT}/queues/all", model=resources.ROUTING_MODEL_LEAST_ACTIVE, agent_ids=[2, 3]
    )
    chosen = await replay(rpc, start, queues=[queue])
    none_a_day = (await replay(rpc, start, daily_limit=1))[-1]
    paced = await replay(rpc, start, rate_limit="1 in 10m")
    free = await replay(rpc, start, rate_limit="")
    with pytest.raises(InvalidRequestError, match="set `inbox_limit`"):
        await replay(rpc, start, rate_limit="10")

    assert tight.replayed.median_wait_seconds > tight.recorded.median_wait_seconds > 0
    assert tight.replayed.longest_wait_seconds > tight.recorded.longest_wait_seconds
    assert tight.difference_count == len(tight.differences) > 0
    assert tight.differences[0].recorded_agent_id
    assert {*given(chosen).values()} == {2, 3}
    assert chosen[0].decision.model == resources.ROUTING_MODEL_LEAST_ACTIVE
    assert max(none_a_day.replayed.per_agent.values()) == 1
    times: dict[int, list[datetime]] = {}
    for answer in paced[:-1]:
        times.setdefault(answer.decision.agent_id, []).append(answer.decision.as_of.ToDatetime(UTC))
    gaps = [b - a for found in times.values() for a, b in itertools.pairwise(found)]
    assert len(gaps) == len(paced) - 1 - len(times) > 0
    assert min(gaps) == timedelta(minutes=10)
    assert free[-1].difference_count == 0
    assert (await house.decisions(), await house.pending()) == (before, pending)


async def test_a_day_with_rate_limits_is_the_same_day_again(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    start = house.clock.now()
    await house.open(1, 2)
    await house.queues.change_settings(
        ACCOUNT,
        "",
        lambda row: replace(row, options=AccountOptions(rate_limit="2 in 5m")),
        validate_only=False,
    )
    await house.queue("all", options=QueueOptions(rate_limit="1 in 3m"))
    for number in range(1, 13):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.minute(minutes=1)
    for _ in range(20):
        await house.minute(minutes=1)
    acts(9, "admin")
    was = {d.ticket: (d.agent_id, d.as_of) for d in await house.decisions() if d.agent_id}

    answers = await replay(rpc, start)

    played = {
        a.decision.ticket_id: (a.decision.agent_id, a.decision.as_of.ToDatetime(UTC)) for a in answers[:-1]
    }
    assert len(was) == 12
    assert {t: agent for t, (agent, _) in played.items()} == {t: agent for t, (agent, _) in was.items()}
    # The service learns of a ticket up to two runs after it came.
    late = [(was[t][1] - at).total_seconds() for t, (_, at) in played.items()]
    assert all(0 <= seconds <= 120 for seconds in late)


async def test_a_part_of_the_time_is_played_alone(
    rpc: AssignmentServicer, house: House, start: datetime
) -> None:
    acts(9, "admin")
    late = (await house.decisions())[-1].as_of

    answers = await replay(rpc, late, 5)
    assert given(answers) == {
        d.ticket: d.agent_id for d in await house.decisions() if d.as_of == late and d.agent_id
    }


async def test_a_ticket_that_changes_while_it_waits_is_played_as_it_changed(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    acts(9, "admin")
    start = house.clock.now()
    await house.open(1)
    await house.queue("all")
    zendesk.ticket(5, group_id=BILLING)
    await house.minute()
    zendesk.change(5, group_id=SUPPORT)
    await house.minute()
    await house.minute()
    was = {d.ticket: d.agent_id for d in await house.decisions() if d.agent_id}

    answers = await replay(rpc, start)
    assert given(answers) == was == {5: 1}
    assert answers[-1].replayed.median_wait_seconds == answers[-1].recorded.median_wait_seconds > 0


async def test_bad_times_strangers_and_days_without_decisions_are_refused(
    rpc: AssignmentServicer, start: datetime
) -> None:
    acts(1, "agent")
    with pytest.raises(PermissionDeniedError):
        await replay(rpc, start)
    acts(None)
    with pytest.raises(
        InvalidRequestError, match="`end_time` must be after `start_time`, by at most 31 days"
    ):
        await replay(rpc, start, 0)
    with pytest.raises(InvalidRequestError, match="by at most 31 days"):
        await replay(rpc, start, 32 * 24 * 60)
    with pytest.raises(InvalidRequestError, match="`start_time` must be given"):
        _ = [a async for a in rpc.ReplayDay(messages.ReplayDayRequest(parent=PARENT), None)]
    with pytest.raises(NotFoundError, match="no decisions of these days"):
        await replay(rpc, start - timedelta(days=9))
    with pytest.raises(NotFoundError, match="no such queue"):
        await replay(rpc, start, queues=[resources.Queue(name=f"{PARENT}/queues/none")])


async def test_more_than_fits_is_refused(
    rpc: AssignmentServicer, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts(None)
    monkeypatch.setattr(recorded_days, "MOST_DECISIONS", 3)

    with pytest.raises(InvalidRequestError, match="more than 3 decisions: replay fewer days"):
        await replay(rpc, start)


async def test_days_whose_inputs_are_gone_say_so(
    rpc: AssignmentServicer, house: House, start: datetime
) -> None:
    acts(None)
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.decisions.forget_inputs(house.clock.now() + timedelta(days=1), 1000)

    with pytest.raises(NotFoundError, match="kept with their inputs"):
        await replay(rpc, start)
