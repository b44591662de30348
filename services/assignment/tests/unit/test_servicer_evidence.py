"""The RPCs: pages that lead through everything, and what is told of decisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from libs.kernel.errors import InvalidRequestError, NotFoundError
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, BILLING, HOOK, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, QUEUE, acts, call
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


async def test_pages_lead_through_everything_once(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    for number in range(1, 8):
        zendesk.ticket(number, group_id=BILLING if number % 2 else SUPPORT)
        await house.webhook(number)
    acts(9, "admin")
    for number in range(4):
        await call(
            rpc, "CreateQueue", parent=PARENT, queue=resources.Queue(**QUEUE | {"display_name": str(number)})
        )
    decision = (await house.decisions(2))[0]
    lists: list[tuple[str, str, int, dict[str, Any]]] = [
        ("ListAgents", "agents", 4, {"parent": PARENT}),
        ("ListTickets", "tickets", 7, {"parent": PARENT}),
        ("ListQueues", "queues", 5, {"parent": PARENT}),
        ("ListDecisions", "decisions", 7, {"parent": PARENT}),
        ("ExplainDecision", "candidates", 4, {"name": f"{PARENT}/decisions/{decision.id}"}),
    ]
    for method, field, count, values in lists:
        found: list[str] = []
        token, pages = "", 0
        while pages == 0 or token:
            page = await call(rpc, method, **values, page_size=2, page_token=token)
            found += [str(row) for row in getattr(page, field)]
            token, pages = page.next_page_token, pages + 1
        assert len(found) == len(set(found)) == count, method
        assert pages == (count + 1) // 2, method
    first = await call(rpc, "ListTickets", parent=PARENT, page_size=2)
    with pytest.raises(InvalidRequestError):
        await call(rpc, "ListAgents", parent=PARENT, page_size=2, page_token=first.next_page_token)


async def test_a_decision_is_explained_with_every_candidate(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    zendesk.ticket(5, group_id=SUPPORT)
    acts(None)
    taken = await house.webhook(5)
    acts(1, "agent")

    answer = await call(rpc, "ExplainDecision", name=f"{PARENT}/decisions/{taken[1]}")
    codes = {c.agent_id: c.code for c in answer.candidates}

    assert codes == {1: "CHOSEN", 2: "LOST_ROTATION", 3: "NOT_IN_GROUP", 9: "STATUS_NOT_ONLINE"}
    assert answer.sentences == [
        "the queue gives in turns",
        "agents `1` and `2` came out equal: the smaller number goes first",
    ]
    assert (answer.winner.agent_id, answer.runner_up.agent_id, answer.recomputes) == (1, 2, True)
    assert answer.winner.score == answer.runner_up.score == resources.Score(turns_owed=0.5)
    details = {c.agent_id: dict(c.detail) for c in answer.candidates}
    assert details == {1: {}, 2: {}, 3: {"group": str(SUPPORT)}, 9: {"status": "away"}}
    with pytest.raises(NotFoundError):
        await call(rpc, "GetDecision", name=f"{PARENT}/decisions/none")


async def test_the_account_is_synced_worked_and_summed_up_over_rpc(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    acts(None)
    done = await call(rpc, "SyncAccount", parent=PARENT, webhook_url=HOOK)
    await house.set_status("online", 1)
    zendesk.ticket(5, group_id=SUPPORT)
    zendesk.ticket(6, group_id=BILLING)
    await house.webhook(6)
    await house.webhook(5)
    ran = await call(rpc, "RunMinuteJob", parent=PARENT, wait_for_writes=True)
    summary = (await call(rpc, "GetSummary", parent=PARENT)).summary
    why = await call(rpc, "WhyWaiting", name=f"{PARENT}/tickets/6")
    chain = await call(rpc, "VerifyDecisionChain", parent=PARENT)

    assert (done.agents, done.webhook_created) == (4, True)
    assert (ran.assigned, ran.written, ran.waiting) == (0, 1, 1)
    assert (summary.tickets_in, summary.assigned, summary.waiting, summary.pending_writes) == (2, 1, 1, 0)
    assert not why.free_eligible_agent
    assert {g.code: list(g.agent_ids) for g in why.decision.rejected}["NOT_IN_GROUP"] == [1, 2]
    assert (chain.intact, chain.length) == (True, 2)


async def test_a_watcher_is_told_assignments_and_where_to_go_on(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    acts(1, "agent")
    watched = rpc.WatchAssignments(messages.WatchAssignmentsRequest(parent=PARENT), None)

    first = await anext(watched)
    await house.minute()
    second = await anext(watched)

    assert (first.HasField("decision"), first.sequence) == (False, 0)
    assert (second.decision.ticket_id, second.decision.agent_id, second.sequence) == (5, 1, 1)
    await watched.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_waiting_ticket_says_in_sentences_what_would_free_it(
    rpc: AssignmentServicer, house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.minute()
    acts(1, "agent")

    answer = await call(rpc, "WhyWaiting", name=f"{PARENT}/tickets/5")

    assert answer.sentences[0] == "nobody may take it now"
    assert "3 agents are not online: free when they set their status to online" in answer.sentences


async def test_a_decision_s_candidates_page_with_the_winner_on_each_page_until_the_inputs_are_forgotten(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open(1, 2)
    zendesk.ticket(5, group_id=SUPPORT)
    acts(None)
    taken = await house.webhook(5)
    acts(1, "agent")
    name = f"{PARENT}/decisions/{taken[1]}"

    first = await call(rpc, "ExplainDecision", name=name, page_size=3)
    second = await call(rpc, "ExplainDecision", name=name, page_size=3, page_token=first.next_page_token)
    assert [[c.agent_id for c in page.candidates] for page in (first, second)] == [[1, 2, 3], [9]]
    assert first.winner == second.winner == first.candidates[0]
    assert first.runner_up == second.runner_up == first.candidates[1]
    assert second.next_page_token == ""

    async with house.store.transaction(ACCOUNT) as tx:
        await tx.decisions.forget_inputs(house.clock.now() + timedelta(days=1), 10)
    forgotten = await call(rpc, "ExplainDecision", name=name)
    assert forgotten.sentences == ["its inputs are not kept any more: the codes alone are left"]
    assert [(c.agent_id, c.code, c.HasField("score")) for c in forgotten.candidates] == [(1, "CHOSEN", False)]
    assert not forgotten.HasField("recomputes")


async def test_a_decision_that_a_ticket_waits_says_why_it_did(
    house: House, rpc: AssignmentServicer, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    await house.set_limits(1, inbox=1)
    for number in (5, 6):
        zendesk.ticket(number, group_id=SUPPORT)
    await house.minute()
    await house.minute()
    (waits,) = [d.id for d in await house.decisions() if d.agent_id is None]
    acts(1, "agent")

    answer = await call(rpc, "ExplainDecision", name=f"{PARENT}/decisions/{waits}")

    assert answer.sentences[0] == "everybody who may take it is full"
    assert not answer.HasField("winner")
    assert not answer.HasField("runner_up")
    assert answer.recomputes
    mine = [(c.code, dict(c.detail)) for c in answer.candidates if c.agent_id == 1]
    assert mine == [("SLOT_TAKEN", {"count": "1", "tickets": "5"})]
