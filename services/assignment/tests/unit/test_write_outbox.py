"""An assignment is written exactly once, whatever Zendesk answers, and by hand wins."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from libs.kernel.errors import DependencyUnavailableError
from services.assignment.app.write_outbox import LEASE_SECONDS, SINGLE
from services.assignment.domain.rotation import TURN
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

PUT = r"PUT tickets/\d+"


async def decided(house: House, *tickets: int, agents: tuple[int, ...] = (1,)) -> None:
    """Decide tickets and write nothing yet."""
    await house.open(*agents)
    for ticket in tickets:
        house.zendesk.ticket(ticket, group_id=SUPPORT)
        await house.webhook(ticket)
    assert await house.pending() == len(tickets)
    house.clock.advance(timedelta(seconds=10))


def touched(house: House) -> None:
    """Let somebody change the ticket, some seconds later."""
    house.clock.advance(timedelta(seconds=5))
    house.zendesk.change(5)


async def credit(house: House, agent: int) -> int:
    """Return the turns owed to an agent, as the next decision sees them."""
    house.zendesk.ticket(999, group_id=SUPPORT)
    await house.webhook(999)
    (row,) = await house.decisions(999)
    async with house.store.transaction(ACCOUNT) as tx:
        snapshot = await tx.decisions.inputs(row.inputs)
    assert snapshot is not None
    return next(a.credit for a in snapshot.agents if a.id == agent)


async def test_a_stamp_that_is_old_by_now_is_read_again_at_once(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5)
    zendesk.fault(PUT, first=lambda: touched(house))

    written = await house.write(ACCOUNT)

    assert (written.confirmed, written.postponed) == (1, 0)
    assert zendesk.writes == [(5, 1)]


async def test_a_ticket_that_never_stands_still_waits_for_the_next_drain(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5)
    zendesk.fault(PUT, times=3, first=lambda: touched(house))

    assert (await house.write(ACCOUNT)).postponed == 1
    assert (await house.write(ACCOUNT)).confirmed == 1
    assert zendesk.writes == [(5, 1)]


async def test_manual_assignment_before_the_write_wins(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5)
    zendesk.change(5, assignee_id=2, status="open")

    written = await house.write(ACCOUNT)

    assert (written.confirmed, written.conflicts) == (0, 1)
    assert zendesk.writes == []
    row = await house.ticket(5)
    assert (row.facts.assignee_id, row.routing) == (2, "not_routable")
    assert [d.write for d in await house.decisions(5)] == ["conflict"]


async def test_manual_assignment_between_our_reading_and_our_write_wins(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5)

    def by_hand() -> None:
        house.clock.advance(timedelta(seconds=5))
        zendesk.change(5, assignee_id=2, status="open")

    zendesk.fault(PUT, first=by_hand)

    assert (await house.write(ACCOUNT)).conflicts == 1
    assert zendesk.tickets[5]["assignee_id"] == 2


async def test_manual_assignment_during_a_job_of_many_wins(house: House, zendesk: LocalZendesk) -> None:
    numbers = tuple(range(1, SINGLE + 3))
    await decided(house, *numbers)

    def by_hand() -> None:
        house.clock.advance(timedelta(seconds=5))
        zendesk.change(3, assignee_id=2, status="open")

    zendesk.fault("PUT tickets/update_many", first=by_hand)

    written = await house.write(ACCOUNT)

    assert (written.confirmed, written.conflicts) == (len(numbers) - 1, 1)
    assert zendesk.tickets[3]["assignee_id"] == 2
    assert (3, 1) not in zendesk.writes


async def test_a_conflict_gives_slot_and_turn_back(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5, agents=(1, 2))
    (row,) = await house.decisions(5)
    assert row.agent_id == 1
    zendesk.change(5, assignee_id=3, status="open")
    await house.write(ACCOUNT)

    assert await credit(house, 1) == TURN // 2
    assert (await house.decisions(999))[0].agent_id == 1


async def test_a_ticket_deleted_meanwhile_is_given_up(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5)
    del zendesk.tickets[5]

    assert (await house.write(ACCOUNT)).conflicts == 1
    row = await house.ticket(5)
    assert (row.facts.status, row.facts.assignee_id, row.routing) == ("deleted", None, "not_routable")
    async with house.store.transaction(ACCOUNT) as tx:
        assert [r.facts.id for r in await tx.tickets.page(0, 10, None)] == [5]


async def test_a_ticket_deleted_between_reading_and_writing_is_given_up(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5)
    zendesk.fault(PUT, first=lambda: zendesk.tickets.pop(5))

    assert (await house.write(ACCOUNT)).conflicts == 1
    assert (await house.ticket(5)).facts.status == "deleted"


async def test_an_agent_who_left_the_group_is_learnt_from_the_refusal(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5, agents=(1, 2))
    zendesk.memberships -= {(1, SUPPORT)}

    assert (await house.write(ACCOUNT)).failed == 1
    done = await house.minute()

    assert [(ticket, agent) for ticket, agent, _ in done.assignments] == [(5, 2)]
    assert zendesk.writes == [(5, 2)]
    assert [d.write for d in await house.decisions(5)] == ["failed", "confirmed"]
    assert await house.rejected((await house.decisions(5))[1], "NOT_IN_GROUP") == [1, 3]


@pytest.mark.parametrize("gone", [True, False])
async def test_an_agent_who_is_gone_or_suspended_gets_nothing_more(
    house: House, zendesk: LocalZendesk, *, gone: bool
) -> None:
    await decided(house, 5)
    if gone:
        del zendesk.users[1]
    else:
        zendesk.users[1]["suspended"] = True

    assert (await house.write(ACCOUNT)).failed == 1
    await house.minute()

    assert (await house.ticket(5)).routing == "waiting"
    assert (await house.decisions(5))[-1].outcome == "WAITING_NO_ELIGIBLE_AGENT"


async def test_many_refusals_for_one_agent_hold_up_no_ticket(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5, 6, 7)
    await house.set_status("online", 2)
    zendesk.users[1]["suspended"] = True

    assert (await house.write(ACCOUNT)).failed == 3
    await house.minute()

    assert sorted(zendesk.writes) == [(5, 2), (6, 2), (7, 2)]


async def test_a_ticket_that_zendesk_refuses_for_itself_waits_until_somebody_changes_it(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5)
    zendesk.tickets[5]["locked"] = True

    assert (await house.write(ACCOUNT)).failed == 1
    await house.minute()
    await house.minute()
    assert len(await house.decisions(5)) == 1

    zendesk.change(5, locked=False)
    await house.minute()
    assert zendesk.tickets[5]["assignee_id"] == 1


async def test_a_ticket_closed_under_our_hands_is_a_conflict_and_no_fault_of_the_agent(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5)
    zendesk.fault(PUT, first=lambda: zendesk.tickets[5].update(status="closed"))

    assert (await house.write(ACCOUNT)).conflicts == 1
    assert (await house.ticket(5)).routing == "not_routable"


@pytest.mark.parametrize("many", [False, True])
async def test_a_lost_answer_is_reconciled_and_nothing_is_sent_twice(
    house: House, zendesk: LocalZendesk, *, many: bool
) -> None:
    numbers = tuple(range(1, SINGLE + 3 if many else 3))
    await decided(house, *numbers)
    zendesk.fault("PUT tickets/.*", times=1 if many else 2, lost=True)

    assert (await house.write(ACCOUNT)).postponed == len(numbers)
    house.clock.advance(timedelta(seconds=5))
    assert (await house.write(ACCOUNT)).confirmed == len(numbers)

    assert sorted(ticket for ticket, _ in zendesk.writes) == list(numbers)


async def test_a_replica_that_died_after_zendesk_s_write_is_reconciled_when_its_lease_ends(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await decided(house, 5)

    class KilledError(BaseException):
        """kill -9: nothing of ours runs any more."""

    def kill() -> None:
        raise KilledError

    finish = house.write._finish
    house.write._finish = lambda *_: kill()  # type: ignore[method-assign,assignment]  # the process ends here
    with pytest.raises(KilledError):
        await house.write(ACCOUNT)
    house.write._finish = finish  # type: ignore[method-assign]  # the next replica
    assert zendesk.writes == [(5, 1)]

    assert (await house.write(ACCOUNT)).confirmed == 0
    lease_seconds[0] += LEASE_SECONDS + 1
    assert (await house.write(ACCOUNT)).confirmed == 1

    assert zendesk.writes == [(5, 1)]
    assert await house.pending() == 0


async def test_a_write_that_landed_counts_although_the_ticket_was_taken_on_by_hand_since(
    house: House, zendesk: LocalZendesk
) -> None:
    await decided(house, 5, 6)
    zendesk.fault(PUT, times=2, lost=True)
    await house.write(ACCOUNT)
    house.clock.advance(timedelta(seconds=5))
    zendesk.change(5, assignee_id=2)
    zendesk.change(6, assignee_id=None)

    written = await house.write(ACCOUNT)

    assert (written.confirmed, written.conflicts) == (2, 0)
    assert [(await house.ticket(n)).routing for n in (5, 6)] == ["not_routable", "waiting"]
    assert len(zendesk.writes) == 2


async def test_a_paused_replica_that_comes_back_changes_nothing(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await decided(house, 5)
    async with house.store.transaction(ACCOUNT) as tx:
        (stale,) = await tx.outbox.take(10, LEASE_SECONDS)
    lease_seconds[0] += LEASE_SECONDS + 1
    assert (await house.write(ACCOUNT)).confirmed == 1

    async with house.store.transaction(ACCOUNT) as tx:
        assert not await tx.outbox.finish(stale, "conflict")
        await tx.outbox.release(stale)

    assert [d.write for d in await house.decisions(5)] == ["confirmed"]


async def test_writes_wait_as_long_as_zendesk_is_out_of_reach(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5)
    zendesk.down = True
    for _ in range(20):
        assert (await house.write(ACCOUNT)).postponed == 1
    zendesk.down = False

    assert (await house.write(ACCOUNT)).confirmed == 1


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_an_answer_that_says_nothing_about_the_ticket_postpones(
    house: House, zendesk: LocalZendesk, status: int
) -> None:
    await decided(house, 5)
    zendesk.fault(PUT, status=status, times=2)

    written = await house.write(ACCOUNT)
    while written.postponed:
        written = await house.write(ACCOUNT)

    assert written.confirmed == 1
    assert zendesk.writes == [(5, 1)]


async def test_a_rate_limit_is_waited_out(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, 5)
    zendesk.fault(PUT, status=429, headers={"retry-after": "1"})

    assert (await house.write(ACCOUNT)).confirmed == 1
    assert [c for c in zendesk.calls if c == "PUT tickets/5"] == ["PUT tickets/5"] * 2


async def test_writers_side_by_side_send_each_write_once(house: House, zendesk: LocalZendesk) -> None:
    await decided(house, *range(1, 31), agents=(1, 2))

    done = await asyncio.gather(*(house.write(ACCOUNT) for _ in range(5)))

    assert sum(w.confirmed for w in done) == 30
    assert sorted(ticket for ticket, _ in zendesk.writes) == list(range(1, 31))


async def test_a_store_that_fails_in_the_middle_is_told_and_loses_nothing(
    house: House, zendesk: LocalZendesk, lease_seconds: list[float]
) -> None:
    await decided(house, 5, 6)
    transaction, calls = house.store.transaction, iter(range(100))

    def failing(account: object) -> object:
        if next(calls) == 1:
            raise DependencyUnavailableError("the database does not answer")
        return transaction(account)  # type: ignore[arg-type]  # the account passed through

    house.store.transaction = failing  # type: ignore[method-assign,assignment]  # a database that went away once
    with pytest.raises(DependencyUnavailableError):
        await house.write(ACCOUNT)
    lease_seconds[0] += LEASE_SECONDS + 1

    await house.write(ACCOUNT)
    assert sorted(zendesk.writes) == [(5, 1), (6, 1)]
    assert await house.pending() == 0


async def test_a_write_for_which_there_is_no_token_is_free_for_the_next_drain(
    house: House, zendesk: LocalZendesk
) -> None:
    def no_grant() -> None:
        raise DependencyUnavailableError("auth holds no working grant")

    await decided(house, 5)
    zendesk.fault(PUT, first=no_grant)

    with pytest.raises(DependencyUnavailableError):
        await house.write(ACCOUNT)
    assert (await house.write(ACCOUNT)).confirmed == 1
    assert zendesk.writes == [(5, 1)]


async def test_a_job_for_which_there_is_no_token_frees_every_write(
    house: House, zendesk: LocalZendesk
) -> None:
    def no_grant() -> None:
        raise DependencyUnavailableError("auth holds no working grant")

    tickets = range(1, SINGLE + 3)
    await decided(house, *tickets)
    zendesk.fault(r"PUT tickets/update_many", first=no_grant)

    with pytest.raises(DependencyUnavailableError):
        await house.write(ACCOUNT)
    assert (await house.write(ACCOUNT)).confirmed == len(tickets)
