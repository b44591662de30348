"""What every implementation of the port `Store` promises of statuses that ended, and of idle rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.status_history import IdleRule, StatusRecord
from services.assignment.tests.store_conformance import T0, agent, later, seed


class StatusesConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_a_status_that_ends_is_kept_with_who_gave_it(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, agents=(1, 2, 3))
        async with store.transaction(account) as tx:
            changes = {3: "online", 2: "lunch", 1: "away", 99: "away"}
            assert await tx.directory.set_statuses(changes, later(10), updater=9) == 2
        async with store.transaction(account) as tx:
            assert await tx.directory.set_statuses({1: "online"}, later(75)) == 1
            one, two, three = await tx.directory.agents()
            assert await tx.statuses.page(0, 10) == [
                StatusRecord(1, 1, "online", None, T0, later(10)),
                StatusRecord(2, 2, "online", None, T0, later(10)),
                StatusRecord(3, 1, "away", 9, later(10), later(75)),
            ]
            assert await tx.statuses.page(1, 1) == [StatusRecord(2, 2, "online", None, T0, later(10))]
        assert [row.status_updater_id for row in (one, two, three)] == [None, 9, None]
        assert [row.status_at for row in (one, two, three)] == [later(75), later(10), T0]

    async def test_another_reason_for_the_same_status_ends_nothing(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            assert await tx.directory.set_statuses({1: "away"}, later(1), {1: "idle"}) == 1
            assert await tx.directory.set_statuses({1: "away"}, later(2), updater=1) == 1
            assert await tx.directory.set_statuses({1: "away"}, later(3), updater=9) == 0
            assert len(await tx.statuses.page(0, 10)) == 1
            row = await tx.directory.agent(1)
        assert row is not None
        assert (row.absence, row.status_at, row.status_updater_id) == ("", later(1), None)

    async def test_what_is_rolled_back_was_no_change_and_takes_no_id(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)

        async def fail() -> None:
            async with store.transaction(account) as tx:
                await tx.directory.set_statuses({1: "away"}, later(1))
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with store.transaction(account) as tx:
            assert await tx.statuses.page(0, 10) == []
            await tx.directory.set_statuses({2: "away"}, later(2))
            assert [r.id for r in await tx.statuses.page(0, 10)] == [1]

    async def test_a_clock_that_steps_back_makes_no_time_negative(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            await tx.directory.set_statuses({1: "away"}, later(60))
            await tx.directory.set_statuses({1: "online"}, later(30))
            (_, record) = await tx.statuses.page(0, 10)
        assert (record.seconds, record.started_at, record.ended_at) == (0, later(60), later(60))

    async def test_a_start_leads_to_every_record_that_ends_then_or_later(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            assert await tx.statuses.behind(T0) == await tx.statuses.head() == 0
            # Another replica's clock is behind: its change comes later and ends earlier.
            for at, status in ((10, "away"), (30, "online"), (20, "away"), (40, "online")):
                await tx.directory.set_statuses({1 if status == "away" else 2: status}, later(at))
                await tx.directory.set_statuses({1: "online", 2: "away"}, later(at))
            ends = [(r.id, r.ended_at) for r in await tx.statuses.page(0, 100)]
            for start in (*(later(n) for n in (0, 10, 11, 20, 25, 30, 31, 40)), T0):
                behind = await tx.statuses.behind(start)
                assert not [i for i, end in ends if end >= start and i <= behind]
                assert behind == 0 or ends[behind][1] >= start
            assert await tx.statuses.behind(later(41)) == len(ends)

    async def test_old_records_are_forgotten_in_steps_and_their_ids_never_come_again(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            for n, status in enumerate(("away", "online", "away", "online"), 1):
                await tx.directory.set_statuses({1: status}, later(n))
            assert await tx.statuses.forget(later(3), 1) == 1
            assert [r.id for r in await tx.statuses.page(0, 10)] == [2, 3, 4]
            assert await tx.statuses.forget(later(3), 10) == 1
            assert await tx.statuses.forget(later(9), 10) == 2
            assert await tx.statuses.behind(T0) == await tx.statuses.head() == 4
            await tx.directory.set_statuses({1: "away"}, later(9))
            assert [r.id for r in await tx.statuses.page(4, 10)] == [5]

    async def test_no_account_sees_another_s_history_or_rules(self, store: Store, account: AccountId) -> None:
        other = AccountId(f"{account}-other")
        for one in (account, other):
            await seed(store, one)
        async with store.transaction(account) as tx:
            await tx.directory.set_statuses({1: "away"}, later(1))
            await tx.statuses.put_idle_rule(1, IdleRule(True, 45))
        async with store.transaction(other) as tx:
            assert await tx.statuses.page(0, 10) == []
            assert await tx.statuses.behind(T0) == 0
            assert await tx.statuses.forget(later(100), 10) == 0
            assert await tx.statuses.idle_rules() == {}
            await tx.directory.set_statuses({1: "away"}, later(2))
            assert [r.id for r in await tx.statuses.page(0, 10)] == [1]
        async with store.transaction(account) as tx:
            assert [r.ended_at for r in await tx.statuses.page(0, 10)] == [later(1)]

    async def test_idle_rules_come_and_go(self, store: Store, account: AccountId) -> None:
        async with store.transaction(account) as tx:
            await tx.statuses.put_idle_rule(1, IdleRule(True, 45))
            await tx.statuses.put_idle_rule(1, IdleRule(False))
            await tx.statuses.put_idle_rule(2, IdleRule(None, 45))
            await tx.statuses.put_idle_rule(3, IdleRule(True))
            await tx.statuses.put_idle_rule(3, IdleRule())
        async with store.transaction(account) as tx:
            assert await tx.statuses.idle_rules() == {1: IdleRule(False), 2: IdleRule(None, 45)}

    async def test_some_agents_can_be_read_alone(self, store: Store, account: AccountId) -> None:
        await seed(store, account, agents=(1, 2, 3))
        async with store.transaction(account) as tx:
            await tx.directory.sync_agents([agent(1), agent(3)], [])
            assert [a.user_id for a in await tx.directory.agents(only=[3, 2, 99])] == [3]
            assert [a.user_id for a in await tx.directory.agents(only=[3, 2], inactive=True)] == [2, 3]
            assert [a.user_id for a in await tx.directory.agents(only=[1, 3], after=1)] == [3]
            assert await tx.directory.agents(only=[]) == []
            assert replace(agent(1), open_count=0) == (await tx.directory.agents(only=[1]))[0]
