"""A rotation over minutes: it knows when its members changed, and an admin begins it anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from libs.kernel.errors import NotFoundError
from services.assignment.app.options import QueueOptions
from services.assignment.domain.rotation import CHANGED
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call
from services.assignment.tests.unit.test_replay_days import given, replay
from services.assignment.tests.zendesk import LocalZendesk

QUEUE = f"{PARENT}/queues/w"


async def stretch(house: House) -> str:
    async with house.store.transaction(ACCOUNT) as tx:
        return await tx.rotations.stretch("w")


async def minutes(house: House, zendesk: LocalZendesk, first: int, number: int) -> list[int | None]:
    """Let tickets come, one a minute; return who got them."""
    for ticket in range(first, first + number):
        zendesk.ticket(ticket, group_id=SUPPORT)
        house.clock.advance(timedelta(minutes=1))
        await house.minute()
    decisions = {d.ticket: d.agent_id for d in await house.decisions()}
    return [decisions[ticket] for ticket in range(first, first + number)]


@pytest.fixture
async def weighted(house: House) -> House:
    await house.open(1, 2)
    await house.queue("w", model="weighted", options=QueueOptions(weights=((1, 3), (2, 1))))
    return house


async def test_a_stretch_goes_on_over_minutes_until_somebody_leaves(
    weighted: House, zendesk: LocalZendesk
) -> None:
    assert await minutes(weighted, zendesk, 1, 3) == [1, 1, 2]
    start = await stretch(weighted)
    assert start not in ("", CHANGED)

    await weighted.set_status("away", 2)
    assert await minutes(weighted, zendesk, 4, 1) == [1], "alone he pays what he gets"
    await weighted.set_status("online", 2)
    assert await minutes(weighted, zendesk, 5, 2) == [1, 1], (
        "one that was his, and the first of the next four"
    )
    assert await stretch(weighted) == start

    await weighted.queues.change(
        ACCOUNT,
        "w",
        "",
        lambda q: replace(q, options=QueueOptions(weights=((1, 1), (2, 5)))),
        validate_only=False,
    )
    await minutes(weighted, zendesk, 7, 2)
    assert await stretch(weighted) == CHANGED
    for row in await weighted.decisions():
        assert (await weighted.explain.decision(ACCOUNT, row.id)).recomputes is True


async def test_an_admin_begins_a_rotation_anew(
    weighted: House, zendesk: LocalZendesk, rpc: AssignmentServicer
) -> None:
    await minutes(weighted, zendesk, 1, 2)
    before = await stretch(weighted)
    acts(9, "admin")

    assert (await call(rpc, "ResetRotation", name=QUEUE, validate_only=True)).agents == 2
    assert await stretch(weighted) == before
    assert (await call(rpc, "ResetRotation", name=QUEUE)).agents == 2
    assert await stretch(weighted) == ""
    assert (await call(rpc, "ResetRotation", name=QUEUE)).agents == 0
    assert await minutes(weighted, zendesk, 3, 4) == [1, 1, 2, 1], "from the beginning"
    with pytest.raises(NotFoundError):
        await call(rpc, "ResetRotation", name=f"{PARENT}/queues/unknown")


async def test_credits_of_another_model_begin_no_exact_share(weighted: House, zendesk: LocalZendesk) -> None:
    await minutes(weighted, zendesk, 1, 1)
    for model in ("round_robin", "weighted"):
        await weighted.queues.change(ACCOUNT, "w", "", partial(replace, model=model), validate_only=False)
        assert await stretch(weighted) == ""
    await minutes(weighted, zendesk, 2, 1)

    assert await stretch(weighted) == CHANGED


async def test_a_deleted_queue_leaves_no_turns_behind(weighted: House, zendesk: LocalZendesk) -> None:
    await minutes(weighted, zendesk, 1, 1)
    await weighted.queues.delete(ACCOUNT, "w", "", validate_only=False)

    async with weighted.store.transaction(ACCOUNT) as tx:
        assert await tx.rotations.reset("w") == 0


async def test_a_replay_goes_on_where_the_rotation_stood(
    weighted: House, zendesk: LocalZendesk, rpc: AssignmentServicer
) -> None:
    """The days begin in the middle of a stretch."""
    await minutes(weighted, zendesk, 1, 2)
    weighted.clock.advance(timedelta(minutes=1))
    start = weighted.clock.now()
    await minutes(weighted, zendesk, 3, 7)
    was = {d.ticket: d.agent_id for d in await weighted.decisions() if d.as_of >= start}
    acts(9, "admin")

    answers = await replay(rpc, start)

    assert given(answers) == was
    assert len(was) == 7
