"""A decision can be decided again from what was kept with it, and the log cannot be changed unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.errors import NotFoundError
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.app.rows import DecisionRow
from services.assignment.domain.errors import QueueNotActiveError
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


async def played(house: House, zendesk: LocalZendesk) -> list[DecisionRow]:
    """Play some minutes, with limits, an absence, a conflict and tickets that nobody may take."""
    await house.open(1, 2, 3)
    await house.set_limits(1, inbox=2)
    for number in range(1, 9):
        zendesk.ticket(number, group_id=(SUPPORT, SUPPORT, BILLING, None)[number % 4])
    await house.minute()
    await house.set_status("away", 2, 3)
    for number in range(9, 13):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
    zendesk.change(12, assignee_id=9)
    await house.minute()
    rows = await house.decisions()
    assert {"ASSIGNED", "WAITING_ALL_FULL"} <= {r.outcome for r in rows}
    return rows


async def test_every_decision_recomputes_to_itself(house: House, zendesk: LocalZendesk) -> None:
    rows = await played(house, zendesk)
    # Whatever changes afterwards is not among its inputs.
    await house.set_status("invisible", 1, 2, 3)
    zendesk.memberships.clear()
    await house.sync(ACCOUNT, "")

    for row in rows:
        explained = await house.explain.decision(ACCOUNT, row.id)
        assert explained.recomputes is True
        assert explained.codes.keys() == {1, 2, 3, 9}
        assert (explained.codes.get(row.agent_id or 0) == "CHOSEN") is (row.agent_id is not None)


def tampered(house: House, row: DecisionRow) -> None:
    """Change a row behind the service's back."""
    assert isinstance(house.store, MemoryStore)
    house.store._tables[ACCOUNT].decisions[row.id] = row


async def test_a_changed_answer_does_not_recompute_and_breaks_the_chain(
    house: House, zendesk: LocalZendesk
) -> None:
    rows = await played(house, zendesk)
    assert await house.explain.verify_chain(ACCOUNT) == (True, len(rows), 0)
    victim = next(r for r in rows if r.agent_id == 1)

    tampered(house, replace(victim, agent_id=2))

    assert (await house.explain.decision(ACCOUNT, victim.id)).recomputes is False
    assert await house.explain.verify_chain(ACCOUNT) == (False, victim.sequence, victim.sequence)


async def test_changed_inputs_are_found_by_the_chain(house: House, zendesk: LocalZendesk) -> None:
    rows = await played(house, zendesk)
    other = next(r for r in rows if r.inputs != rows[0].inputs)

    tampered(house, replace(rows[0], inputs=other.inputs))

    assert (await house.explain.verify_chain(ACCOUNT))[0] is False


async def test_a_decision_left_out_is_found(house: House, zendesk: LocalZendesk) -> None:
    rows = await played(house, zendesk)
    assert isinstance(house.store, MemoryStore)
    del house.store._tables[ACCOUNT].decisions[rows[2].id]

    assert await house.explain.verify_chain(ACCOUNT) == (False, 3, rows[3].sequence)


async def test_how_a_write_ended_is_no_part_of_the_chain(house: House, zendesk: LocalZendesk) -> None:
    rows = await played(house, zendesk)

    assert {r.write for r in rows} >= {"confirmed", "none"}
    assert (await house.explain.verify_chain(ACCOUNT))[0] is True


async def test_a_decision_from_before_inputs_were_kept_still_explains(
    house: House, zendesk: LocalZendesk
) -> None:
    rows = await played(house, zendesk)
    known = (await house.explain.decision(ACCOUNT, rows[0].id)).codes
    named = {c: [a for a, one in sorted(known.items()) if one == c] for c in rows[0].rejected}
    tampered(house, replace(rows[0], inputs="", named=named))

    found = await house.explain.decision(ACCOUNT, rows[0].id)

    assert (found.recomputes, found.codes) == (None, known)
    assert found.codes.keys() == {1, 2, 3, 9}


async def test_a_decision_whose_inputs_are_forgotten_still_counts_its_reasons(
    house: House, zendesk: LocalZendesk
) -> None:
    rows = await played(house, zendesk)
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.decisions.forget_inputs(house.clock.now() + timedelta(days=1), 1000)

    found = await house.explain.decision(ACCOUNT, rows[0].id)

    assert (found.recomputes, list(found.codes)) == (None, [rows[0].agent_id])
    assert sum(found.row.rejected.values()) == 3
    with pytest.raises(NotFoundError):
        await house.explain.decision(ACCOUNT, "dec-none")


async def test_why_a_ticket_waits_is_told_as_of_now_and_nothing_is_kept(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    before = await house.decisions()

    why = await house.explain.why_waiting(ACCOUNT, 5)
    assert (why.free_eligible_agent, why.decision.codes[1].value) == (False, "STATUS_NOT_ONLINE")
    assert why.decision.codes[3].value == "NOT_IN_GROUP"
    await house.set_status("online", 1)
    assert (await house.explain.why_waiting(ACCOUNT, 5)).free_eligible_agent

    assert await house.decisions() == before
    assert await house.pending() == 0


async def test_what_does_not_wait_or_rests_in_a_paused_queue_is_said(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open()
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    async with house.store.transaction(ACCOUNT) as tx:
        (queue,) = await tx.directory.queues()
    await house.queues.change(
        ACCOUNT, queue.id, "", lambda q: replace(q, state="paused"), validate_only=False
    )

    with pytest.raises(QueueNotActiveError):
        await house.explain.why_waiting(ACCOUNT, 5)
    with pytest.raises(NotFoundError):
        await house.explain.why_waiting(ACCOUNT, 6)
