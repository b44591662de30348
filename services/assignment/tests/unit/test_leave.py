"""Leave and overtime: they override the week, in rounds, pulls and sentences, and are forgotten (facts: §5.8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from services.assignment.app.run_minute_job import EXCEPTIONS_KEPT
from services.assignment.domain.model import Code
from services.assignment.domain.shifts import Kind, ShiftException
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources

ROME = 71
LEAVE, OVERTIME = resources.ShiftException.KIND_LEAVE, resources.ShiftException.KIND_OVERTIME


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def exceptions(house: House, agent: int, *spans: tuple[Kind, str, str]) -> None:
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.schedules.put_exceptions(
            agent, [ShiftException(agent, at(start), at(end), kind) for kind, start, end in spans]
        )


async def ready(house: House, now: str, *spans: tuple[Kind, str, str], scheduled: bool) -> None:
    """Let agent 1 be online, with a schedule of 9 to 17 in Rome or without one, and exceptions; then ticket 1 comes."""
    house.zendesk.schedule(ROME, "Rome", *((day * 1440 + 540, day * 1440 + 1020) for day in range(7)))
    house.clock.advance(at(now) - house.clock.now())
    await house.open(1)
    if scheduled:
        async with house.store.transaction(ACCOUNT) as tx:
            await tx.schedules.put_agent(1, ROME)
    await exceptions(house, 1, *spans)
    house.zendesk.ticket(1, group_id=SUPPORT)
    await house.webhook(1)


@pytest.mark.parametrize("scheduled", [False, True])
async def test_leave_keeps_tickets_away_and_says_until_when(
    house: House, zendesk: LocalZendesk, scheduled: bool
) -> None:
    leave = (Kind.LEAVE, "2026-07-06T08:00", "2026-07-07T10:00")
    await ready(house, "2026-07-06T08:00", leave, scheduled=scheduled)

    await house.minute(minutes=1)
    why = await house.explain.why_waiting(ACCOUNT, 1)
    assert await house.next(ACCOUNT, 1, "") == (None, None)
    assert zendesk.writes == []
    last = (await house.decisions(1))[-1]
    assert (await house.explain.decision(ACCOUNT, last.id)).codes[1] == Code.OFF_SHIFT
    assert "1 agent is off shift or on leave: free when their shift begins" in why.sentences
    assert "the first of those on leave is back on shift at 2026-07-07 10:00 UTC" in why.sentences
    house.clock.advance(at("2026-07-07T10:00") - house.clock.now())
    await house.minute(minutes=0)

    assert zendesk.writes == [(1, 1)]
    for decision in await house.decisions():
        assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes


async def test_leave_that_ends_at_night_is_followed_by_the_next_shift(house: House) -> None:
    leave = (Kind.LEAVE, "2026-07-06T08:00", "2026-07-07T22:00")
    await ready(house, "2026-07-06T08:00", leave, scheduled=True)
    await house.minute()

    why = await house.explain.why_waiting(ACCOUNT, 1)

    assert "the first of those on leave is back on shift at 2026-07-08 07:00 UTC" in why.sentences


async def test_overtime_opens_a_shift_outside_the_schedule(house: House, zendesk: LocalZendesk) -> None:
    extra = (Kind.OVERTIME, "2026-07-06T20:00", "2026-07-06T21:00")
    await ready(house, "2026-07-06T19:00", extra, scheduled=True)

    await house.minute(minutes=1)
    why = await house.explain.why_waiting(ACCOUNT, 1)
    assert zendesk.writes == []
    assert "the next shift begins at 2026-07-06 20:00 UTC" in why.sentences
    house.clock.advance(at("2026-07-06T20:00") - house.clock.now())
    await house.minute(minutes=0)
    assert zendesk.writes == [(1, 1)]
    zendesk.ticket(2, group_id=SUPPORT)
    house.clock.advance(at("2026-07-06T21:00") - house.clock.now())
    await house.webhook(2)
    await house.minute(minutes=0)

    assert zendesk.writes == [(1, 1)]


async def test_the_first_of_those_on_leave_and_the_next_shift_of_the_others_are_named(house: House) -> None:
    await ready(house, "2026-07-06T18:00", scheduled=True)
    await house.set_status("online", 2, 9)
    await exceptions(house, 2, (Kind.LEAVE, "2026-07-06T00:00", "2026-07-10T12:00"))
    await exceptions(house, 9, (Kind.LEAVE, "2026-07-06T00:00", "2026-07-09T12:00"))
    await house.minute()

    why = await house.explain.why_waiting(ACCOUNT, 1)

    assert "3 agents are off shift or on leave: free when their shift begins" in why.sentences
    assert [s for s in why.sentences if " at 2026-" in s] == [
        "the next shift begins at 2026-07-07 07:00 UTC",
        "the first of those on leave is back on shift at 2026-07-09 12:00 UTC",
    ]


async def test_what_is_long_over_is_forgotten_by_the_minute_job(house: House) -> None:
    leave = (Kind.LEAVE, "2026-07-01T00:00", "2026-07-06T09:00")
    extra = (Kind.OVERTIME, "2026-07-01T00:00", "2026-07-06T09:01")
    await ready(house, "2026-07-06T08:00", leave, extra, scheduled=False)
    house.clock.advance(at("2026-07-06T09:00") + EXCEPTIONS_KEPT - house.clock.now())

    async def left() -> int:
        async with house.store.transaction(ACCOUNT) as tx:
            return len(await tx.schedules.exceptions())

    await house.minute(minutes=0)
    assert await left() == 2  # at the very instant it is not over for longer yet
    await house.minute(minutes=1)
    assert await left() == 1


# over the API


def message(kind: Any, start: str, end: str) -> resources.ShiftException:
    made = resources.ShiftException(kind=kind)
    made.start_time.FromDatetime(at(start))
    made.end_time.FromDatetime(at(end))
    return made


def replacing(rpc: AssignmentServicer, agent: int, *given: resources.ShiftException, **values: Any) -> Any:
    return call(rpc, "ReplaceShiftExceptions", name=f"{PARENT}/agents/{agent}", exceptions=given, **values)


def listing(rpc: AssignmentServicer, agent: object, **values: Any) -> Any:
    return call(rpc, "ListShiftExceptions", parent=f"{PARENT}/agents/{agent}", **values)


JULY = message(LEAVE, "2026-07-06T00:00", "2026-07-20T00:00")
LATE = message(OVERTIME, "2026-07-04T17:00", "2026-07-04T19:00")


async def test_admins_replace_and_list_and_see_everybody_s(house: House, rpc: AssignmentServicer) -> None:
    await house.open(1)
    acts(9, "admin")

    checked = await replacing(rpc, 1, JULY, LATE, validate_only=True)
    assert (await listing(rpc, 1)).exceptions == []
    kept = await replacing(rpc, 1, JULY, LATE, LATE)
    await replacing(rpc, 2, JULY)
    first = await listing(rpc, "-", page_size=2)
    second = await listing(rpc, "-", page_size=2, page_token=first.next_page_token)

    assert [(e.agent_id, e.kind) for e in first.exceptions] == [(1, OVERTIME), (1, LEAVE)]
    assert [(e.agent_id, e.kind) for e in second.exceptions] == [(2, LEAVE)]
    assert not second.next_page_token
    assert list(kept.exceptions) == list(checked.exceptions) == list(first.exceptions)
    assert kept.exceptions[1].end_time == JULY.end_time
    await replacing(rpc, 1)
    assert [e.agent_id for e in (await listing(rpc, "-")).exceptions] == [2]


async def test_a_delegated_administrator_may_and_an_agent_sees_his_own_alone(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open(1)
    house.zendesk.users[2]["user_fields"]["playlist_manager"] = True
    await house.open(1, 2)
    acts(2, "agent")
    await replacing(rpc, 1, JULY)
    assert len((await listing(rpc, 1)).exceptions) == 1
    with pytest.raises(PermissionDeniedError):
        await listing(rpc, "-")
    acts(1, "agent")

    assert len((await listing(rpc, 1)).exceptions) == 1
    refused: list[Callable[[], Any]] = [
        lambda: listing(rpc, 3),
        lambda: listing(rpc, 404),
        lambda: listing(rpc, "-"),
        lambda: replacing(rpc, 1),
        lambda: replacing(rpc, 3, JULY),
    ]
    for one in refused:
        with pytest.raises(PermissionDeniedError):
            await one()


async def test_what_nobody_can_go_by_and_unknown_agents_are_refused(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open(1)
    acts(9, "admin")
    backwards = message(LEAVE, "2026-07-20T00:00", "2026-07-06T00:00")

    with pytest.raises(InvalidRequestError) as refused:
        await replacing(rpc, 1, JULY, backwards)
    assert [v.field for v in refused.value.violations] == ["exceptions[1]"]
    with pytest.raises(NotFoundError):
        await replacing(rpc, 404, JULY)
    with pytest.raises(NotFoundError):
        await listing(rpc, 404)
    assert (await listing(rpc, "-")).exceptions == []
    assert timedelta(days=30) == EXCEPTIONS_KEPT  # as the contract says
