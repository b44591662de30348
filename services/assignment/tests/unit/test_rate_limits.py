"""Rate limits in rounds: whose counts, what counts, and how they are set over the API (facts: §4.1, §5.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError
from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.domain.limits import Limit
from services.assignment.domain.model import Code
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources


async def paced(
    house: House, account: str = "", queue: str = "", own: Limit | None = None, **values: Any
) -> None:
    """Let agent 1 be online, with these limits and one queue for everything."""
    await house.open(1)
    await house.queues.change_settings(
        ACCOUNT,
        "",
        lambda row: replace(row, options=AccountOptions(rate_limit=account, **values)),
        validate_only=False,
    )
    await house.queue("q", options=QueueOptions(rate_limit=queue))
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.rate_limits.put_agent(1, own)


async def come(house: House, *tickets: int) -> None:
    for number in tickets:
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)


def held(zendesk: LocalZendesk) -> list[int]:
    return [n for n, ticket in sorted(zendesk.tickets.items()) if ticket["assignee_id"] == 1]


async def code(house: House, ticket: int) -> str:
    last = (await house.decisions(ticket))[-1]
    found = await house.explain.decision(ACCOUNT, last.id)
    assert found.recomputes
    return found.codes[1]


async def test_no_more_than_the_rate_and_at_the_very_minute_the_next(
    house: House, zendesk: LocalZendesk
) -> None:
    await paced(house, "2 in 30m")
    await come(house, 1, 2, 3)

    await house.minute(minutes=1)
    assert held(zendesk) == [1, 2]
    assert await code(house, 3) == Code.SLOT_TAKEN
    for ticket in (1, 2):  # what is done counts as well: it is the pace
        zendesk.change(ticket, status="solved")
        await house.webhook(ticket)
    await house.minute(minutes=29)
    assert held(zendesk) == [1, 2]
    why = await house.explain.why_waiting(ACCOUNT, 3)
    assert why.decision.codes[1] is Code.RATE_LIMIT
    frees = house.clock.now() + timedelta(minutes=1)
    assert any("rate limit" in s and f"{frees:%Y-%m-%d %H:%M:%S} UTC" in s for s in why.sentences)
    await house.minute(minutes=1)

    assert held(zendesk) == [1, 2, 3]


@pytest.mark.parametrize(
    ("account", "own", "given"),
    [
        ("1 in 1h", None, 1),
        ("1 in 1h", Limit(3, 30), 3),
        ("3 in 1h", Limit(1, 30), 1),
        ("1 in 1h", Limit(3), 3),  # his own is of another kind, and replaces it all the same
        ("2", None, 2),
        ("1", Limit(3, 30), 3),
        ("", Limit(2), 2),
        ("", None, 4),
    ],
)
async def test_an_agent_s_own_limit_replaces_the_account_s(
    house: House, zendesk: LocalZendesk, account: str, own: Limit | None, given: int
) -> None:
    await paced(house, account, own=own)
    await come(house, 1, 2, 3, 4)

    await house.minute(minutes=1)

    assert len(held(zendesk)) == given


async def test_open_tickets_are_limited_by_the_lower_of_the_two(house: House, zendesk: LocalZendesk) -> None:
    await paced(house, "3")
    await house.set_limits(1, inbox=2)
    await come(house, 1, 2, 3)
    await house.minute(minutes=1)
    assert held(zendesk) == [1, 2]
    await house.set_limits(1, inbox=9)
    await come(house, 4)

    await house.minute(minutes=1)

    assert held(zendesk) == [1, 2, 3]
    assert (await house.explain.why_waiting(ACCOUNT, 4)).decision.codes[1] is Code.INBOX_LIMIT


async def test_a_queue_s_rate_counts_its_own_tickets_beside_the_agent_s(
    house: House, zendesk: LocalZendesk
) -> None:
    await paced(house, "3 in 1h", "1 in 30m")
    await house.queue("billing", kind="trigger", source=SUPPORT)
    await come(house, 1)  # billing's
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.directory.delete_queue("billing")
    await come(house, 2, 3, 4)

    await house.minute(minutes=1)
    assert held(zendesk) == [1, 2]
    await house.minute(minutes=30)
    assert held(zendesk) == [1, 2, 3]
    await house.minute(minutes=30)

    assert held(zendesk) == [1, 2, 3, 4]  # by now the first of three is an hour old


async def test_what_he_thinks_about_counts_and_what_came_to_nothing_does_not(
    house: House, zendesk: LocalZendesk
) -> None:
    await paced(house, "1 in 30m")
    await house.queue("q", options=QueueOptions(offer_seconds=3600))
    await come(house, 1, 2)
    await house.minute(minutes=1)
    (offered,) = [d for t in (1, 2) for d in await house.decisions(t) if d.outcome == "OFFERED"]
    await house.minute(minutes=40)
    assert len([d for t in (1, 2) for d in await house.decisions(t) if d.outcome == "OFFERED"]) == 1

    await house.answer(ACCOUNT, offered.id, 1, accept=False)
    await house.minute(minutes=1)

    assert len([d for t in (1, 2) for d in await house.decisions(t) if d.outcome == "OFFERED"]) == 2


async def test_a_pull_is_held_by_the_rate_and_by_hand_nobody_is(house: House, zendesk: LocalZendesk) -> None:
    await paced(house, "1 in 30m")
    zendesk.ticket(9, group_id=SUPPORT, assignee_id=1, status="open")
    await house.webhook(9)
    await come(house, 1, 2)

    await house.minute(minutes=1)

    assert held(zendesk) == [1, 9]
    assert await house.next(ACCOUNT, 1, "") == (None, None)


async def test_limits_are_set_over_the_api_as_they_are_written(house: House, rpc: AssignmentServicer) -> None:
    await house.open(1)
    await house.queue("q")
    acts(9, "admin")
    name = f"{PARENT}/agents/1"

    settings = await call(
        rpc, "UpdateAccountSettings", parent=PARENT, settings=resources.AccountSettings(rate_limit="3 in 60m")
    )
    queue = await call(
        rpc, "UpdateQueue", queue=resources.Queue(name=f"{PARENT}/queues/q", rate_limit="5  in 2.5H")
    )
    mine = await call(rpc, "UpdateAgentLimits", name=name, rate_limit=" 10 ")
    kept = await call(rpc, "UpdateAgentLimits", name=name, inbox_limit=3)
    seen = await call(rpc, "GetAgent", name=name)
    none = await call(rpc, "UpdateAgentLimits", name=name, rate_limit="")

    assert (settings.settings.rate_limit, queue.queue.rate_limit) == ("3 in 1h", "5 in 2.5h")
    assert [a.agent.rate_limit for a in (mine, kept, seen, none)] == ["10", "10", "10", ""]


@pytest.mark.parametrize(
    ("method", "values", "field"),
    [
        (
            "UpdateAccountSettings",
            {"parent": PARENT, "settings": resources.AccountSettings(rate_limit="3 in 30")},
            "settings.rate_limit",
        ),
        ("UpdateAgentLimits", {"name": f"{PARENT}/agents/1", "rate_limit": "0"}, "rate_limit"),
        (
            "UpdateQueue",
            {"queue": resources.Queue(name=f"{PARENT}/queues/q", rate_limit="10")},
            "queue.rate_limit",
        ),
    ],
)
async def test_a_limit_that_nobody_can_want_is_refused_where_it_stands(
    house: House, rpc: AssignmentServicer, method: str, values: dict[str, Any], field: str
) -> None:
    await house.open(1)
    await house.queue("q")
    acts(9, "admin")

    with pytest.raises(InvalidRequestError) as refused:
        await call(rpc, method, **values)

    assert [v.field for v in refused.value.violations] == [field]
    assert refused.value.violations[0].description in refused.value.message


async def test_a_dedicated_agent_gets_his_tickets_whatever_the_pace(
    house: House, zendesk: LocalZendesk
) -> None:
    await paced(house, "1 in 1h", same_agent_hours=72)
    await come(house, 1, 2)
    await house.minute(minutes=1)
    house.clock.advance(timedelta(minutes=1))
    zendesk.ticket(3, group_id=SUPPORT, requester_id=901)  # whose first ticket he has
    await house.webhook(3)
    await house.write(ACCOUNT)

    assert held(zendesk) == [1, 3]
