"""A helpdesk at work, and every command that can be run dry; for tests over both stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message

from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

URGENT = 70
"""The view of the queue that offers."""
REQUEST = "0f0e0d0c-0b0a-4908-8706-050403020100"
QUEUE_REQUEST = "1f0e0d0c-0b0a-4908-8706-050403020100"
LATER = timedelta(minutes=31)
"""After so long offers have expired and agents who did nothing are idle."""
NEVER_KEPT = ("name", "hash", "sequence", "command_id", "write", "etag")


async def open_helpdesk(house: House) -> None:
    """Agents 1 and 2 in Support, 3 in Billing and 9 in both work; tickets wait, are offered and are assigned."""
    zendesk = house.zendesk
    for agent, groups in ((1, [SUPPORT]), (2, [SUPPORT]), (3, [BILLING])):
        zendesk.agent(agent, *groups)
    zendesk.agent(9, SUPPORT, BILLING, role="admin")
    zendesk.views[URGENT] = lambda ticket: ticket["priority"] == "urgent" and ticket["assignee_id"] is None
    zendesk.skill(3, "de", kind="agent")
    await house.open(1, 2, 3)
    options = AccountOptions(skills=True, ooo_statuses=("vacation",), ooo_release=True, idle_minutes=30)
    await house.queues.change_settings(
        ACCOUNT, "", lambda known: replace(known, options=options), validate_only=False
    )
    await house.sync(ACCOUNT, "")
    await house.queue("asked", source=URGENT, options=QueueOptions(offer_seconds=600))
    await house.queue("skilled", kind="trigger", source=BILLING, model="skills")
    for agent in (1, 2, 3):
        await house.set_limits(agent, inbox=2 if agent < 3 else 1)
    for number in range(1, 14):
        group = BILLING if number > 9 else SUPPORT
        zendesk.ticket(number, group_id=group, priority="urgent" if number < 4 else None)
        if number > 9:
            zendesk.skill(number, "fr" if number == 11 else "de")
    await house.minute()
    # From here on there is room again, that no round has seen.
    for agent in (1, 3):
        await house.set_limits(agent, inbox=4)
    await house.set_status("online", 9)
    house.wake.clear()


Values = dict[str, Any]
Step = tuple[str, Callable[[House], Awaitable[tuple[int | None, Values]]]]
"""A method, and how to call it on a house as it is: as whom, with what."""


def fixed(user: int | None, **values: Any) -> Callable[[House], Awaitable[tuple[int | None, Values]]]:
    """Return the same call whatever the house is like."""

    async def on(_: House) -> tuple[int | None, Values]:
        return user, values

    return on


def answer(*, accept: bool) -> Callable[[House], Awaitable[tuple[int | None, Values]]]:
    """Return an answer to whatever offer is live, by the agent who has it; of an unknown one where none is."""

    async def on(house: House) -> tuple[int | None, Values]:
        for ticket in range(1, 4):
            async with house.store.transaction(ACCOUNT) as tx:
                offer = await tx.offers.live(ticket)
            if offer is not None:
                return offer.agent_id, {"name": f"{PARENT}/offers/{offer.id}", "accept": accept}
        return 1, {"name": f"{PARENT}/offers/none", "accept": accept}

    return on


async def _one_of_his_own(house: House) -> tuple[int | None, Values]:
    """Skip a ticket that the agent has."""
    async with house.store.transaction(ACCOUNT) as tx:
        mine = [
            row.facts.id for row in await tx.tickets.page(0, 100, "assigned") if row.facts.assignee_id == 2
        ]
    return 2, {"name": f"{PARENT}/tickets/{(mine or [4])[0]}", "reason": "not mine"}


def _agent(number: int) -> str:
    return f"{PARENT}/agents/{number}"


def _statuses(**statuses: str) -> list[messages.AgentStatus]:
    return [messages.AgentStatus(user_id=int(agent[1:]), status=status) for agent, status in statuses.items()]


def _leave(start: datetime, hours: int) -> resources.ShiftException:
    one = resources.ShiftException(kind=resources.ShiftException.KIND_LEAVE)
    one.start_time.FromDatetime(start)
    one.end_time.FromDatetime(start + timedelta(hours=hours))
    return one


COMMANDS: dict[str, Step] = {
    "run": ("RunMinuteJob", fixed(None, parent=PARENT)),
    "pull": ("AssignNext", fixed(9, parent=PARENT)),
    "pull of who is full": ("AssignNext", fixed(2, parent=PARENT)),
    "pull with a request id": ("AssignNext", fixed(3, parent=PARENT, request_id=REQUEST)),
    "accept": ("AnswerOffer", answer(accept=True)),
    "decline": ("AnswerOffer", answer(accept=False)),
    "skip what waits": ("SkipTicket", fixed(2, name=f"{PARENT}/tickets/9", reason="later")),
    "skip his own": ("SkipTicket", _one_of_his_own),
    "go on vacation": ("SetStatuses", fixed(9, parent=PARENT, statuses=_statuses(a2="vacation"))),
    "come back": (
        "SetStatuses",
        fixed(9, parent=PARENT, statuses=_statuses(a1="online", a2="online", a9="online")),
    ),
    "more room": ("UpdateAgentLimits", fixed(9, name=_agent(2), inbox_limit=4)),
    "more room for many": (
        "BatchUpdateAgentLimits",
        fixed(
            9,
            parent=PARENT,
            requests=[messages.UpdateAgentLimitsRequest(name=_agent(n), inbox_limit=5) for n in (1, 2)],
        ),
    ),
    "optional skill": (
        "UpdateSkill",
        fixed(9, skill=resources.Skill(name=f"{PARENT}/skills/fr", drop_after_seconds=60)),
    ),
    "better skill": (
        "UpdateAgentSkills",
        fixed(9, name=_agent(3), skills=[resources.AgentSkill(skill_id="de", level=3)]),
    ),
    "release": ("ReleaseAgentTickets", fixed(9, name=_agent(1))),
    "pause": ("PauseQueue", fixed(9, name=f"{PARENT}/queues/asked")),
    "resume": ("ResumeQueue", fixed(9, name=f"{PARENT}/queues/asked")),
    "make a queue": (
        "CreateQueue",
        fixed(
            9,
            parent=PARENT,
            queue=resources.Queue(display_name="New", kind=resources.Queue.KIND_TRIGGER, source_id=SUPPORT),
            request_id=QUEUE_REQUEST,
        ),
    ),
    "change a queue": (
        "UpdateQueue",
        fixed(9, queue=resources.Queue(name=f"{PARENT}/queues/asked", daily_limit=1)),
    ),
    "delete a queue": ("DeleteQueue", fixed(9, name=f"{PARENT}/queues/skilled")),
    "change the account": (
        "UpdateAccountSettings",
        fixed(9, parent=PARENT, settings=resources.AccountSettings(inbox_limit=3)),
    ),
    "give a rule": (
        "UpdateAgentSettings",
        fixed(9, name=_agent(1), settings=resources.AgentSettings(rule_id=URGENT, manager=True)),
    ),
    "give leave": (
        "ReplaceShiftExceptions",
        fixed(9, name=_agent(1), exceptions=[_leave(datetime(2026, 1, 5, tzinfo=UTC), 48)]),
    ),
    "begin turns anew": ("ResetRotation", fixed(9, name=f"{PARENT}/queues/asked")),
    "dedicate": (
        "ReplaceDedicatedRules",
        fixed(9, parent=PARENT, rules=[resources.DedicatedRule(tag="vip", agent_ids=[1])]),
    ),
}


async def carry_out(rpc: AssignmentServicer, house: House, command: str, *, dry: bool) -> object:
    """Call a command; return what is comparable of its answer, or of its refusal."""
    method, on = COMMANDS[command]
    user, values = await on(house)
    acts(user, None if user is None else "admin" if user == 9 else "agent")
    try:
        answer = await call(rpc, method, **values, validate_only=dry)
    except Exception as error:
        return type(error).__name__, str(error)
    return comparable(answer, dry=dry)


def comparable(answer: Message, *, dry: bool) -> object:
    """Return of an answer what a dry run and the command itself must agree on."""
    if isinstance(answer, messages.RunMinuteJobResponse):
        given = [(one.ticket_id, one.agent_id) for one in answer.assignments]
        assert not dry or all(one.decision == "" for one in answer.assignments)
        # A run leaves out what it cannot give, a plan tells of everything that waits.
        return answer.assigned, answer.waiting, given
    if isinstance(answer, messages.AnswerOfferResponse | messages.SkipTicketResponse):
        assert dry or not answer.decisions
        answer.ClearField("decisions")
    if isinstance(answer, messages.SetStatusesResponse):
        answer.ClearField("writes")
    if isinstance(answer, messages.AssignNextResponse):
        answer.ticket.ClearField("status")  # what is new, Zendesk opens when it is assigned
        for field in NEVER_KEPT:
            if field in answer.decision.DESCRIPTOR.fields_by_name:
                answer.decision.ClearField(field)  # type: ignore[arg-type]  # names of its own fields
    if isinstance(answer, messages.CreateQueueResponse):
        return answer.queue.display_name, answer.queue.etag
    return str(answer)
