"""The agent pulls one ticket: the best he may take, under the limits of push, once per request."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from libs.kernel.errors import ErrorKind, NotFoundError, RequestIdReusedError
from services.assignment.domain.errors import NoQueueForRuleError
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

REQUEST = "6f0a2f5e-6d0c-4c53-9a4c-5a1d6a3f2b10"


async def waiting(house: House, *tickets: int, agents: tuple[int, ...] = (1,)) -> None:
    """Let tickets wait in a queue that nobody pushes from."""
    await house.open()
    for number in tickets:
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
        house.clock.advance(timedelta(seconds=10))
    await house.set_status("online", *agents)


async def test_the_most_valuable_ticket_is_given(house: House, zendesk: LocalZendesk) -> None:
    await house.open()
    for number, priority in ((5, None), (6, "urgent"), (7, "high")):
        zendesk.ticket(number, group_id=SUPPORT, priority=priority)
        await house.webhook(number)
    await house.set_status("online", 1)

    given = [(await house.next(ACCOUNT, 1, ""))[0] for _ in range(4)]

    assert [t.facts.id if t else None for t in given] == [6, 7, 5, None]


async def test_a_pull_takes_one_ticket_and_says_why(house: House, zendesk: LocalZendesk) -> None:
    await waiting(house, 5, 6)

    ticket, decision = await house.next(ACCOUNT, 1, "")

    assert ticket is not None
    assert decision is not None
    assert (ticket.facts.id, ticket.facts.assignee_id, ticket.routing) == (5, 1, "assigned")
    assert (decision.mechanism, decision.write, decision.candidates) == ("pull", "confirmed", 1)
    assert zendesk.writes == [(5, 1)]
    assert (await house.explain.decision(ACCOUNT, decision.id)).recomputes is True


async def test_the_same_request_gives_the_same_ticket(house: House, zendesk: LocalZendesk) -> None:
    await waiting(house, 5, 6, 7, agents=(1, 2))

    answers = [await house.next(ACCOUNT, 1, REQUEST) for _ in range(3)]
    at_once = await asyncio.gather(*(house.next(ACCOUNT, 1, REQUEST) for _ in range(5)))

    assert {t.facts.id for t, _ in [*answers, *at_once] if t} == {5}
    assert zendesk.writes == [(5, 1)]
    with pytest.raises(RequestIdReusedError):
        await house.next(ACCOUNT, 2, REQUEST)
    other, _ = await house.next(ACCOUNT, 1, "")
    assert other is not None
    assert other.facts.id == 6


async def test_the_inbox_limit_binds_a_pull_too(house: House, zendesk: LocalZendesk) -> None:
    await waiting(house, 5, 6)
    await house.set_limits(1, inbox=1)

    first, _ = await house.next(ACCOUNT, 1, "")
    second, decision = await house.next(ACCOUNT, 1, "")

    assert first is not None
    assert (second, decision) == (None, None)
    assert zendesk.writes == [(5, 1)]


async def test_a_pull_does_not_count_for_the_daily_limit_but_is_bound_by_it(
    house: House, zendesk: LocalZendesk
) -> None:
    await waiting(house, 5, 6, 7)
    await house.queue("all")
    await house.set_limits(1, daily=1)

    assert (await house.next(ACCOUNT, 1, ""))[0] is not None
    await house.minute()
    assert len(zendesk.writes) == 2

    assert (await house.next(ACCOUNT, 1, ""))[0] is None


async def test_a_pull_skips_what_is_not_for_him_and_queues_that_rest(
    house: House, zendesk: LocalZendesk
) -> None:
    await waiting(house, 5)
    await house.queue("others", kind="trigger", source=SUPPORT, agents=(2,))
    zendesk.ticket(6, group_id=BILLING)
    await house.webhook(6)
    assert (await house.next(ACCOUNT, 1, ""))[0] is None

    await house.queue("others", kind="trigger", source=SUPPORT, agents=(2,), state="paused")
    ticket, _ = await house.next(ACCOUNT, 1, "")

    assert ticket is not None
    assert ticket.facts.id == 5


async def test_a_pull_costs_no_turn_of_the_rotation(house: House, zendesk: LocalZendesk) -> None:
    await waiting(house, 5, 6, agents=(1, 2))
    await house.next(ACCOUNT, 1, "")
    await house.next(ACCOUNT, 1, "")
    zendesk.ticket(7, group_id=SUPPORT)
    await house.webhook(7)

    (row,) = await house.decisions(7)
    assert (row.agent_id, await house.rejected(row, "LOST_ROTATION")) == (1, [2])


async def test_a_ticket_somebody_took_meanwhile_is_not_handed_out(
    house: House, zendesk: LocalZendesk
) -> None:
    await waiting(house, 5)
    zendesk.change(5, assignee_id=2, status="open")

    ticket, decision = await house.next(ACCOUNT, 1, "")

    assert ticket is None
    assert decision is not None
    assert decision.write == "conflict"
    assert zendesk.tickets[5]["assignee_id"] == 2


@pytest.mark.parametrize("status", ["away", "invisible"])
async def test_only_who_is_online_gets_one(house: House, status: str) -> None:
    await waiting(house, 5)
    await house.set_status(status, 1)

    assert await house.next(ACCOUNT, 1, "") == (None, None)


async def test_a_stranger_gets_nothing(house: House) -> None:
    await waiting(house, 5)

    with pytest.raises(NotFoundError):
        await house.next(ACCOUNT, 901, "")


async def test_agents_who_pull_at_once_never_get_the_same_ticket(house: House, zendesk: LocalZendesk) -> None:
    await waiting(house, *range(1, 11), agents=(1, 2, 9))

    answers = await asyncio.gather(*(house.next(ACCOUNT, n, "") for n in (1, 2, 9) * 4))

    given = [t.facts.id for t, _ in answers if t]
    assert sorted(given) == list(range(1, 11))
    assert sorted(ticket for ticket, _ in zendesk.writes) == list(range(1, 11))


async def views(house: House, *views: int) -> None:
    """Let odd tickets be in view 71 and even ones in 70; one queue for each view that is named, and no other."""
    house.zendesk.views = {70: lambda t: t["id"] % 2 == 0, 71: lambda t: t["id"] % 2 == 1}
    await house.open()
    async with house.store.transaction(ACCOUNT) as tx:
        for queue in await tx.directory.queues():
            await tx.directory.delete_queue(queue.id)
    for view in views:
        await house.queue(f"q{view}", source=view, position=view)
    for number in range(1, 7):
        house.zendesk.ticket(number, group_id=SUPPORT)
        house.clock.advance(timedelta(seconds=10))
    await house.minute()
    await house.set_status("online", 1, 2)


async def give_rule(house: House, agent: int, rule: int | None) -> None:
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.directory.put_settings(agent, rule, manager=False, autoplay=False)


async def test_an_agent_pulls_by_his_rule_and_who_has_none_from_every_queue(house: House) -> None:
    await views(house, 70, 71)
    await give_rule(house, 1, 71)

    his = [(await house.next(ACCOUNT, 1, ""))[0] for _ in range(2)]
    free = [(await house.next(ACCOUNT, 2, ""))[0] for _ in range(4)]
    last = [(await house.next(ACCOUNT, 1, ""))[0] for _ in range(2)]

    assert [t.facts.id for t in his if t] == [1, 3]
    assert [t.facts.id for t in free if t] == [2, 4, 6, 5]
    assert last == [None, None]


async def test_queues_that_read_the_same_view_are_pulled_from_in_their_order(house: House) -> None:
    await views(house, 70)
    await house.queue("chosen", source=70, position=1, agents=(2,))
    await give_rule(house, 1, 70)
    assert await house.next(ACCOUNT, 1, "") == (None, None)  # the first of them has them all, for others

    await house.queue("chosen", source=70, position=99, agents=(2,))

    _, decision = await house.next(ACCOUNT, 1, "")
    assert decision is not None
    assert decision.queue == "q70"


async def test_skips_lead_through_the_rule_s_queue_and_to_the_top(house: House) -> None:
    await views(house, 70, 71)
    await give_rule(house, 1, 71)
    for number in (1, 3, 5):
        await house.skip(ACCOUNT, number, 1, "")

    ticket, _ = await house.next(ACCOUNT, 1, "")

    assert ticket is not None
    assert ticket.facts.id == 1


async def test_a_rule_that_no_queue_reads_is_refused_with_what_to_change(house: House) -> None:
    await views(house, 70)
    await give_rule(house, 1, 71)

    with pytest.raises(NoQueueForRuleError) as none:
        await house.next(ACCOUNT, 1, REQUEST)
    await house.queue("q71", title="Odd", source=71, state="paused")
    with pytest.raises(NoQueueForRuleError) as paused:
        await house.next(ACCOUNT, 1, REQUEST)

    assert str(none.value) == (
        "no active queue reads view `71`, the agent's rule: make a queue for the view, or give the agent another rule or "
        "none"
    )
    assert str(paused.value) == (
        "no active queue reads view `71`, the agent's rule: resume queue `Odd`, or give the agent another rule or none"
    )
    assert (paused.value.kind, paused.value.metadata) == (ErrorKind.WRONG_STATE, {"rule": "71"})
    await give_rule(house, 1, None)
    assert (await house.next(ACCOUNT, 1, REQUEST))[0] is not None  # a refusal is no answer that is repeated


async def test_a_group_with_the_number_of_the_rule_is_no_view(house: House) -> None:
    await waiting(house, 5)
    await house.queue("group", kind="trigger", source=SUPPORT)
    await give_rule(house, 1, SUPPORT)

    with pytest.raises(NoQueueForRuleError):
        await house.next(ACCOUNT, 1, "")
