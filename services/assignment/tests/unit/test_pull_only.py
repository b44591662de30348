"""Queues that give to who asks alone: no round pushes, offers or passes on; only a pull gives (facts: §2.9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from libs.kernel.errors import InvalidRequestError, NotFoundError
from services.assignment.app.options import QueueOptions
from services.assignment.app.pulling import NEXT_WHEN_ASKED
from services.assignment.app.replay_days import Changed, ReplayDays
from services.assignment.app.route import COOL_DOWN
from services.assignment.app.rows import DedicatedRow
from services.assignment.domain.model import Code
from services.assignment.domain.sentences import about_agent
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, QUEUE, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

PULL = QueueOptions(pull_only=True)
SAID = "the queue `asked` gives its tickets to agents who ask for the next one"
KINDS: list[dict[str, Any]] = [{"kind": "scheduled", "source": 0}, {"kind": "trigger", "source": SUPPORT}]


async def asked(house: House, *tickets: int, options: QueueOptions = PULL, **values: Any) -> None:
    """Let tickets come to a queue that gives to who asks alone, with agents 1 and 2 online and free."""
    await house.open(1, 2)
    await house.queue("asked", options=options, **values)
    for number in tickets:
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
        house.clock.advance(timedelta(seconds=10))


async def change(house: House, options: QueueOptions) -> None:
    """Give the queue other options."""
    await house.queues.change(
        ACCOUNT, "asked", "", lambda row: replace(row, options=options), validate_only=False
    )


@pytest.mark.parametrize("values", KINDS, ids=["scheduled", "trigger"])
async def test_neither_a_webhook_nor_the_minute_job_nor_a_drain_gives_its_tickets(
    house: House, zendesk: LocalZendesk, values: dict[str, Any]
) -> None:
    await asked(house, 5, 6, **values)

    done = await house.minute()
    assert (await house.drain(ACCOUNT, "drain")) == {}  # what they wait for was told once
    await house.set_limits(1, inbox=50)
    await house.minute()

    assert (done.assignments, done.waiting, zendesk.writes) == ([], 2, [])
    outcomes = [(d.ticket, d.outcome, d.queue, d.candidates) for d in await house.decisions()]
    assert outcomes == [(5, "QUEUE_PULL_ONLY", "asked", 0), (6, "QUEUE_PULL_ONLY", "asked", 0)]
    explained = await house.explain.decision(ACCOUNT, (await house.decisions(5))[0].id)
    assert explained.recomputes is True
    assert explained.sentences[0] == "the queue gives its tickets to agents who ask for the next one"


@pytest.mark.parametrize("values", KINDS, ids=["scheduled", "trigger"])
async def test_who_asks_gets_the_most_valuable_and_pushing_begins_as_soon_as_the_rule_ends(
    house: House, zendesk: LocalZendesk, values: dict[str, Any]
) -> None:
    await asked(house, 5, 6, 7, **values)

    ticket, decision = await house.next(ACCOUNT, 2, "")

    assert ticket is not None
    assert decision is not None
    assert (ticket.facts.id, decision.mechanism, decision.queue) == (5, "pull", "asked")
    assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes is True
    assert zendesk.writes == [(5, 2)]
    await change(house, QueueOptions())
    assert (await house.drain(ACCOUNT, "drain")).keys() == {6, 7}


async def test_other_queues_push_beside_it(house: House, zendesk: LocalZendesk) -> None:
    await asked(house, 5, kind="trigger", source=SUPPORT)
    await house.set_status("online", 3)
    zendesk.ticket(6, group_id=BILLING)

    await house.webhook(6)

    assert [(d.ticket, d.agent_id) for d in await house.decisions() if d.agent_id] == [(6, 3)]


async def test_a_dedicated_agent_comes_before_the_queue(house: House) -> None:
    await asked(house)
    rule = DedicatedRow("requester", "900", (2,))
    await house.queues.replace_dedicated_rules(ACCOUNT, [rule], validate_only=False)
    house.zendesk.ticket(5, group_id=SUPPORT, requester_id=900)

    await house.webhook(5)

    (row,) = await house.decisions(5)
    assert (row.agent_id, row.mechanism) == (2, "dedicated")


@pytest.mark.parametrize("accepts", [True, False])
async def test_an_offer_from_before_ends_as_it_would_and_is_passed_on_to_nobody(
    house: House, accepts: bool
) -> None:
    await asked(house, 5, options=QueueOptions(offer_seconds=60), kind="trigger")
    async with house.store.transaction(ACCOUNT) as tx:
        offer = await tx.offers.live(5)
    assert offer is not None
    await change(house, PULL)

    row = await house.answer(ACCOUNT, offer.id, offer.agent_id, accept=accepts)

    assert row.routing == ("assigned" if accepts else "waiting")
    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.offers.live(5) is None


async def test_an_offer_from_before_that_expires_is_passed_on_to_nobody(house: House) -> None:
    await asked(house, 5, options=QueueOptions(offer_seconds=60), kind="trigger")
    await change(house, PULL)

    house.clock.advance(timedelta(seconds=61))
    assert await house.expire(ACCOUNT) == 1

    async with house.store.transaction(ACCOUNT) as tx:
        assert await tx.offers.live(5) is None
    assert (await house.ticket(5)).routing == "waiting"


async def test_what_everybody_declined_can_be_asked_for_again_after_a_while(house: House) -> None:
    await asked(house, 5)
    async with house.store.transaction(ACCOUNT) as tx:
        for agent in (1, 2, 9):
            await tx.offers.decline(5, agent, "decline", house.clock.now())
    assert await house.next(ACCOUNT, 1, "") == (None, None)
    why = (await house.explain.why_waiting(ACCOUNT, 5)).sentences
    again = f"everybody is asked again from {house.clock.now() + COOL_DOWN:%Y-%m-%d %H:%M:%S} UTC on"
    assert (why[0], again in why) == (SAID, True)

    house.clock.advance(COOL_DOWN)
    await house.minute(minutes=0)

    ticket, _ = await house.next(ACCOUNT, 1, "")
    assert ticket is not None


async def test_why_a_ticket_waits_is_that_nobody_asked_or_that_nobody_could(house: House) -> None:
    await asked(house, 5)

    could = await house.explain.why_waiting(ACCOUNT, 5)
    await house.set_status("away", 1, 2)
    nobody = await house.explain.why_waiting(ACCOUNT, 5)

    order = "it is number 1 of its queue, which goes by priority, then by age"
    assert (could.sentences, could.free_eligible_agent) == ([SAID, order], True)
    assert (could.decision.outcome.value, could.decision.agent) == ("QUEUE_PULL_ONLY", None)
    assert nobody.sentences[:2] == [SAID, "nobody may take it now"]
    assert nobody.sentences[2].startswith("3 agents are not online")
    assert nobody.free_eligible_agent is False


async def test_overflow_is_told_though_somebody_could_have_the_ticket_by_asking(house: House) -> None:
    await asked(house, 5, options=replace(PULL, overflow_queue="later", overflow_seconds=600))
    await house.queue("later", position=9)
    since = (await house.ticket(5)).facts.created_at

    why = (await house.explain.why_waiting(ACCOUNT, 5)).sentences
    house.clock.advance(timedelta(minutes=10))
    await house.drain(ACCOUNT, "drain")

    assert f"from {since + timedelta(minutes=10):%Y-%m-%d %H:%M:%S} UTC on it belongs to queue `later`" in why
    assert (await house.decisions(5))[-1].queue == "later"
    assert (await house.ticket(5)).routing == "assigned"


async def test_an_agent_is_told_to_ask_and_what_bars_him_then(house: House) -> None:
    await asked(house, 5)
    await house.set_limits(2, inbox=1)
    house.zendesk.ticket(6, group_id=SUPPORT, assignee_id=2, status="open")
    await house.webhook(6)

    free, full = [(await house.why_idle(ACCOUNT, agent, 0, 50)).standings[0] for agent in (1, 2)]

    assert (free.code, free.waiting, free.sentences) == ("CHOSEN", 1, [SAID, NEXT_WHEN_ASKED])
    assert (full.code, full.sentences) == ("INBOX_LIMIT", [SAID, about_agent(Code.INBOX_LIMIT)])
    assert (await house.next(ACCOUNT, 2, "")) == (None, None)
    assert (await house.next(ACCOUNT, 1, ""))[0] is not None


@pytest.mark.parametrize(
    ("source", "advice"),
    [(0, "give him no rule"), (70, "make view `70` his rule, or give him no rule")],
)
async def test_an_agent_whose_rule_leads_elsewhere_is_told_so(house: House, source: int, advice: str) -> None:
    await asked(house, kind="scheduled", source=source)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.directory.put_settings(1, 71, manager=False, autoplay=False)

    one = (await house.why_idle(ACCOUNT, 1, 0, 50)).standings[0]

    assert one.sentences[1] == (
        f"the agent's rule is view `71`, so he gets no ticket here when he asks: {advice}"
    )


async def test_a_simulation_tells_what_waits_to_be_asked_for(house: House, rpc: AssignmentServicer) -> None:
    await asked(house, 5)
    acts(9, "admin")
    queue = resources.Queue(name=f"{PARENT}/queues/asked", pull_only=False)
    request = messages.UpdateQueueRequest(queue=queue, update_mask=FieldMask(paths=["pull_only"]))

    found = await call(
        rpc,
        "SimulateChange",
        parent=PARENT,
        changes=[messages.ProposedChange(update_queue=request)],
    )

    assert dict(found.before.waiting_by_outcome) == {"QUEUE_PULL_ONLY": 1}
    assert found.examples == ["ticket `5`: QUEUE_PULL_ONLY now, ASSIGNED to agent `1` then"]
    assert found.differences[0].outcome_before == resources.Decision.OUTCOME_QUEUE_PULL_ONLY


async def test_a_replay_leaves_out_what_was_asked_for_and_says_so(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    start = house.clock.now()
    await asked(house, 5, 6, kind="trigger", source=SUPPORT)
    await house.next(ACCOUNT, 1, "")
    await house.set_status("online", 3)
    zendesk.ticket(7, group_id=BILLING)
    await house.webhook(7)
    end = house.clock.now() + timedelta(minutes=1)

    found = await ReplayDays(house.store)(ACCOUNT, start, end, Changed())

    assert {step.ticket: step.given.agent for step in found.steps} == {7: 3}
    assert (len(found.recorded.waits), found.differences) == (1, [])
    assert found.left_out == [
        "2 tickets that waited until an agent asked for the next one: nobody asks in a replay"
    ]
    acts(9, "admin")
    request = messages.ReplayDayRequest(parent=PARENT)
    request.start_time.FromDatetime(start)
    request.end_time.FromDatetime(end)
    answers = [answer async for answer in rpc.ReplayDay(request, None)]
    assert list(answers[-1].left_out) == found.left_out
    request.queues.add(name=f"{PARENT}/queues/asked", pull_only=True)
    with pytest.raises(InvalidRequestError) as refused:
        [answer async for answer in rpc.ReplayDay(request, None)]
    assert [v.field for v in refused.value.violations] == ["queues[0].pull_only"]


async def test_days_on_which_everything_was_asked_for_have_no_replay(house: House) -> None:
    start = house.clock.now()
    await asked(house, 5, kind="trigger")

    with pytest.raises(NotFoundError, match="for agents to ask for"):
        await ReplayDays(house.store)(ACCOUNT, start, house.clock.now() + timedelta(minutes=1), Changed())


async def test_it_is_a_rule_of_its_queue_and_cannot_be_together_with_offers(
    house: House, rpc: AssignmentServicer
) -> None:
    await house.open()
    acts(9, "admin")
    made = (
        await call(rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(pull_only=True, **QUEUE))
    ).queue
    offers = resources.Queue(name=made.name, offer_seconds=60)

    with pytest.raises(InvalidRequestError) as refused:
        await call(rpc, "UpdateQueue", queue=offers, update_mask={"paths": ["offer_seconds"]})
    queue = resources.Queue(pull_only=True, offer_seconds=60, **QUEUE)
    with pytest.raises(InvalidRequestError):
        await call(rpc, "CreateQueue", parent=PARENT, queue=queue)
    both = await call(rpc, "UpdateQueue", queue=offers, update_mask={"paths": ["offer_seconds", "pull_only"]})

    assert made.pull_only is True
    assert [v.field for v in refused.value.violations] == ["queue.pull_only"]
    assert (both.queue.pull_only, both.queue.offer_seconds) == (False, 60)
