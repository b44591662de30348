"""The RPCs: who may call what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from libs.kernel.errors import NotFoundError, PermissionDeniedError
from services.assignment.app.options import QueueOptions
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, QUEUE, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

ADMINS: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    ("CreateQueue", lambda: {"parent": PARENT, "queue": resources.Queue(**QUEUE)}),
    ("UpdateQueue", lambda: {"queue": resources.Queue(name=f"{PARENT}/queues/q")}),
    ("DeleteQueue", lambda: {"name": f"{PARENT}/queues/q"}),
    ("PauseQueue", lambda: {"name": f"{PARENT}/queues/q"}),
    ("ResumeQueue", lambda: {"name": f"{PARENT}/queues/q"}),
    ("ResetRotation", lambda: {"name": f"{PARENT}/queues/q"}),
    ("UpdateAccountSettings", lambda: {"parent": PARENT}),
    ("SimulateChange", lambda: {"parent": PARENT}),
    ("WhyIdle", lambda: {"name": f"{PARENT}/agents/2"}),
    ("UpdateAgentLimits", lambda: {"name": f"{PARENT}/agents/1"}),
    (
        "SetStatuses",
        lambda: {"parent": PARENT, "statuses": [messages.AgentStatus(user_id=2, status="away")]},
    ),
]
STAFF: list[tuple[str, dict[str, Any]]] = [
    ("ListAgents", {"parent": PARENT}),
    ("GetAgent", {"name": f"{PARENT}/agents/1"}),
    ("ListTickets", {"parent": PARENT}),
    ("ListQueues", {"parent": PARENT}),
    ("GetQueue", {"name": f"{PARENT}/queues/q"}),
    ("GetAccountSettings", {"parent": PARENT}),
    ("ListDecisions", {"parent": PARENT}),
    ("GetDecision", {"name": f"{PARENT}/decisions/d"}),
    ("ExplainDecision", {"name": f"{PARENT}/decisions/d"}),
    ("WhyWaiting", {"name": f"{PARENT}/tickets/5"}),
    ("WhyIdle", {"name": f"{PARENT}/agents/1"}),
    ("SimulateChange", {"parent": PARENT}),
    ("GetSummary", {"parent": PARENT}),
    ("VerifyDecisionChain", {"parent": PARENT}),
    ("AssignNext", {"parent": PARENT}),
]


@pytest.mark.parametrize(("method", "values"), ADMINS)
async def test_an_agent_changes_no_rules_and_nobody_else_s_status(
    house: House, rpc: AssignmentServicer, method: str, values: Callable[[], dict[str, Any]]
) -> None:
    await house.open(1, 2)
    acts(1, "agent")

    with pytest.raises(PermissionDeniedError):
        await call(rpc, method, **values())


@pytest.mark.parametrize(("method", "values"), STAFF)
async def test_an_end_user_sees_nothing_and_cannot_tell_what_exists(
    house: House, rpc: AssignmentServicer, method: str, values: dict[str, Any]
) -> None:
    await house.open(1)
    acts(901, "end_user")

    with pytest.raises(PermissionDeniedError):
        await call(rpc, method, **values)


async def test_an_agent_sets_his_own_status_and_an_admin_everybody_s(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(1, "agent")
    mine = await call(
        rpc, "SetStatuses", parent=PARENT, statuses=[messages.AgentStatus(user_id=1, status="online")]
    )
    acts(9, "admin")
    all_of = [messages.AgentStatus(user_id=n, status="online") for n in (1, 2, 3)]

    assert mine.changed == 1
    assert (await call(rpc, "SetStatuses", parent=PARENT, statuses=all_of)).changed == 2


async def test_offers_skips_and_releases_are_the_agent_s_own_or_an_admin_s(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.queue("q", options=QueueOptions(offer_seconds=60))
    for number in (5, 6):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    offer, other = (f"{PARENT}/offers/{d.id}" for d in await house.decisions())

    acts(2, "agent")
    for method, values in (
        ("AnswerOffer", {"name": offer, "accept": True}),
        ("AnswerOffer", {"name": f"{PARENT}/offers/unknown"}),
        ("ReleaseAgentTickets", {"name": f"{PARENT}/agents/1"}),
    ):
        with pytest.raises(PermissionDeniedError):
            await call(rpc, method, **values)
    acts(1, "agent")
    taken = (await call(rpc, "AnswerOffer", name=offer, accept=True)).ticket
    assert (taken.routing, taken.assignee_id) == (resources.Ticket.ROUTING_ASSIGNED, 1)
    await house.write(ACCOUNT)
    assert (await call(rpc, "ReleaseAgentTickets", name=f"{PARENT}/agents/1")).released == 1
    acts(9, "admin")
    assert (
        await call(rpc, "ReleaseAgentTickets", name=f"{PARENT}/agents/1", validate_only=True)
    ).released == 1
    acts(None)
    assert (await call(rpc, "AnswerOffer", name=other)).ticket.routing == resources.Ticket.ROUTING_WAITING
    with pytest.raises(NotFoundError):
        await call(rpc, "AnswerOffer", name=f"{PARENT}/offers/unknown")
    with pytest.raises(PermissionDeniedError):
        await call(rpc, "SkipTicket", name=f"{PARENT}/tickets/6")
