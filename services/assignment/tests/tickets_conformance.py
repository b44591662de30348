"""What every implementation of the port `Store` promises of tickets' facts, webhooks' invocations and views."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.rows import PREFERRING, Returned
from services.assignment.tests.store_conformance import T0, Q, facts, kept_ticket, later, round_, seed

MOMENT = timedelta(microseconds=1)


class TicketsConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    @pytest.mark.parametrize(
        ("change", "stored", "routing"),
        [
            ({"updated_at": later(1)}, 1, "waiting"),
            ({"updated_at": later(-1), "status": "solved"}, 0, "waiting"),
            ({"status": "solved"}, 1, "not_routable"),
            ({"updated_at": later(1), "assignee_id": 4}, 1, "not_routable"),
            ({"updated_at": later(1), "status": "open"}, 1, "waiting"),
            ({"updated_at": later(1), "status": "hold"}, 1, "not_routable"),
            ({"updated_at": later(1), "status": "deleted"}, 1, "not_routable"),
        ],
    )
    async def test_facts_count_when_they_are_not_older(
        self, store: Store, account: AccountId, change: dict[str, Any], stored: int, routing: str
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            assert await tx.tickets.store([facts(1, **change)]) == stored
            assert await tx.tickets.waiting() == (routing == "waiting")
        assert (await kept_ticket(store, account, 1)).routing == routing

    async def test_while_our_change_is_on_its_way_the_assignee_is_ours_to_say(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await round_(tx)
            await tx.tickets.store(
                [facts(1, updated_at=later(5), assignee_id=4, status="open", priority="high")]
            )
        row = await kept_ticket(store, account, 1)
        assert (row.facts.assignee_id, row.routing, row.facts.priority) == (1, "assigned", "high")

    @pytest.mark.parametrize("kind", ["assign", "release"])
    async def test_what_was_said_while_our_change_was_on_its_way_is_news_once_it_ended(
        self, store: Store, account: AccountId, kind: str
    ) -> None:
        await seed(store, account, 1, agents=(1,))
        taken_away = facts(1, updated_at=later(5), status="pending")
        async with store.transaction(account) as tx:
            await round_(tx)
            if kind == "release":
                for write in await tx.outbox.take(10, 60):
                    assert await tx.outbox.finish(write, "confirmed")
                await tx.tickets.store([facts(1, updated_at=later(1), status="open", assignee_id=1)])
                await tx.outbox.release_tickets(1, ["rel-1"], later(2))
            await tx.tickets.store([taken_away])
            (write,) = await tx.outbox.take(10, 60)
            await tx.decisions.lock()
            assert await tx.outbox.finish(write, "confirmed" if kind == "assign" else "conflict")
            await tx.tickets.store([taken_away])
        row = await kept_ticket(store, account, 1)
        assert (row.facts.assignee_id, row.routing, row.facts.updated_at) == (None, "not_routable", later(5))

    async def test_an_assignment_ends_when_the_ticket_is_nobody_s_or_somebody_else_s(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await round_(tx)
            for write in await tx.outbox.take(10, 60):
                assert await tx.outbox.finish(write, "confirmed")
            held = {t: (await tx.tickets.one(t)) for t in (1, 2)}
            for row in held.values():
                assert row is not None
                same = replace(row.facts, updated_at=later(1), status="open")
                assert await tx.tickets.store([same]) == 1
            await tx.tickets.store([facts(1, updated_at=later(1), status="open")])
            assert await tx.tickets.waiting() == 0  # the same second: what was true before our change
            await tx.tickets.store([facts(1, updated_at=later(2), status="open")])
            await tx.tickets.store([facts(2, updated_at=later(2), status="open", assignee_id=5)])
            assert await tx.tickets.waiting() == 1
            assert await round_(tx, later(3)) == 1
            assert (await tx.decisions.summary()).assigned == 2

    async def test_a_parked_ticket_waits_again_with_newer_facts_only(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await tx.tickets.park(1)
            assert await tx.tickets.store([facts(1)]) == 0
            assert await tx.tickets.waiting() == 0
            assert await tx.tickets.store([facts(1, updated_at=later(1))]) == 1
            assert await tx.tickets.waiting() == 1
            assert await tx.tickets.store([facts(1, updated_at=later(1), priority="low")]) == 1

    async def test_invocations_are_taken_once_and_forgotten_by_age(
        self, store: Store, account: AccountId
    ) -> None:
        async with store.transaction(account) as tx:
            assert await tx.tickets.take_invocation("one", T0)
            assert await tx.tickets.take_invocation("two", later(60))
            assert not await tx.tickets.take_invocation("one", later(1))
            assert await tx.tickets.forget_invocations(later(60)) == 1
            assert await tx.tickets.take_invocation("one", T0)
            assert not await tx.tickets.take_invocation("two", T0)

    async def test_an_invocation_is_taken_by_one_of_many_at_once(
        self, store: Store, account: AccountId
    ) -> None:
        async def take() -> bool:
            async with store.transaction(account) as tx:
                return await tx.tickets.take_invocation("one", T0)

        assert sorted(await asyncio.gather(*(take() for _ in range(6)))) == [False] * 5 + [True]

    async def test_a_ticket_is_held_by_the_first_active_queue_that_has_it(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        view = replace(Q, id="view", source=70, position=1)
        group = replace(Q, id="group", kind="trigger", source=7, position=2)
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(view)
            await tx.directory.put_queue(group)
            await tx.directory.put_view_tickets(70, [1, 99])
            await tx.tickets.store([facts(3, group_id=None, updated_at=later(1))])
            holders = [await tx.tickets.holder(t, T0) for t in (1, 2, 3, 99)]
            assert [h.id if h else None for h in holders] == ["view", "group", "q", None]
            account_row = await tx.directory.account()
            assert account_row is not None
            for queue, held in ((view, [1]), (group, [2]), (Q, [3])):
                snapshot = await tx.decisions.snapshot(account_row, queue, T0, None)
                assert [t.id for t in snapshot.tickets] == held
            await tx.directory.put_view_tickets(70, [])
            await tx.directory.put_queue(replace(group, state="paused"))
            holders = [await tx.tickets.holder(t, T0) for t in (1, 2, 3)]
            assert [h.id if h else None for h in holders] == ["q", "q", "q"]
            await tx.directory.put_queue(replace(Q, state="paused"))
            assert await tx.tickets.holder(1, T0) is None

    async def test_no_queue_holds_a_new_ticket_until_its_preference_is_found_or_time_is_over(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        over = T0 + PREFERRING
        async with store.transaction(account) as tx:
            assert await tx.tickets.unknown([1, 2, 3]) == {3}
            await tx.preferences.begin([1], T0, 0)
            await tx.preferences.begin([1, 2], later(1), 60)  # a mark that is there stays as it is
            assert [await tx.preferences.since(t) for t in (1, 2, 3)] == [T0, later(1), None]
            account_row = await tx.directory.account()
            assert account_row is not None
            for at, held in ((T0, []), (over - MOMENT, []), (over, [1]), (later(1) + PREFERRING, [1, 2])):
                snapshot = await tx.decisions.snapshot(account_row, Q, at, None)
                assert [t.id for t in snapshot.tickets] == held
            assert await tx.tickets.holder(1, over - MOMENT) is None
            assert await tx.tickets.holder(1, over) is not None

            assert await tx.preferences.end(1)
            assert not await tx.preferences.end(1)
            snapshot = await tx.decisions.snapshot(account_row, Q, T0, None)
            assert [t.id for t in snapshot.tickets] == [1]

    async def test_a_preference_is_in_one_hand_at_a_time_the_oldest_first(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            await tx.preferences.begin([3], T0, 0)
            await tx.preferences.begin([1], later(1), 0)
            await tx.preferences.begin([2], later(2), 60)

        async def take(ticket: int | None = None) -> int | None:
            async with store.transaction(account) as tx:
                return await tx.preferences.take(60, ticket)

        assert await take(2) is None
        assert [await take(), await take(), await take()] == [3, 1, None]
        async with store.transaction(AccountId(f"{account}-other")) as tx:
            assert await tx.preferences.take(60) is None
            assert not await tx.preferences.end(3)

    async def test_who_had_a_ticket_is_known_while_it_waits_and_until_he_gives_it_back(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            assert await tx.returns.last_agents(T0) == {}  # nobody ever had them
            await tx.tickets.store([facts(1, updated_at=later(1), assignee_id=4, status="open")])
            assert await tx.returns.last_agents(T0) == {}  # it does not wait
            await tx.tickets.store([facts(1, updated_at=later(5), status="open")])
            await tx.tickets.store([facts(1, updated_at=later(9), status="open", priority="high")])
            assert await tx.returns.last_agents(later(4)) == {1: (4, later(5))}
            assert await tx.returns.last_agents(later(5)) == {}
            await tx.returns.forget_last(1)
            assert await tx.returns.last_agents(T0) == {}

    async def test_an_assignment_that_zendesk_never_saw_makes_nobody_the_last_agent(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await round_(tx)
            (write,) = await tx.outbox.take(10, 60)
            assert await tx.outbox.finish(write, "conflict")
            await tx.tickets.store([facts(1, updated_at=later(5))])
            assert await tx.tickets.waiting() == 1
            assert await tx.returns.last_agents(T0) == {}

    @pytest.mark.parametrize(
        ("then", "open_again"),
        [
            ({"status": "open", "assignee_id": 4}, True),
            ({"status": "open", "assignee_id": 5}, False),  # somebody saw to it
            ({"status": "open"}, False),
            ({"status": "solved", "assignee_id": 4}, False),
        ],
    )
    async def test_a_ticket_is_open_again_with_the_agent_whom_it_had(
        self, store: Store, account: AccountId, then: dict[str, Any], open_again: bool
    ) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(1, updated_at=later(1), status="open", assignee_id=4)])
            await tx.tickets.store([facts(1, updated_at=later(2), status="solved", assignee_id=4)])
            assert await tx.returns.open_again() == []
            await tx.tickets.store([facts(1, updated_at=later(3), **then)])
            expected = [Returned(1, 4, 7)] if open_again else []
            assert await tx.returns.open_again() == expected
            await tx.tickets.store([facts(1, updated_at=later(4), **then, priority="low")])
            assert await tx.returns.open_again() == expected
            await tx.returns.settle([1])
            assert await tx.returns.open_again() == []
            await tx.tickets.store([facts(1, updated_at=later(5), **then, priority="high")])
            assert await tx.returns.open_again() == []  # it was looked at

    async def test_closed_is_final_whatever_comes_out_of_order(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            assert await tx.tickets.store([facts(1, status="closed", updated_at=later(5))]) == 1
            for at in (
                later(5),
                later(6),
            ):  # the webhook of its creation, say, in the same second or with a wrong one
                assert await tx.tickets.store([facts(1, updated_at=at)]) == 0
            assert await tx.tickets.waiting() == 0
            assert await tx.tickets.store([facts(1, status="closed", updated_at=later(7))]) == 1
            assert await tx.tickets.store([facts(1, status="deleted", updated_at=later(8))]) == 1
