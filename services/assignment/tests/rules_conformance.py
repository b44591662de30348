"""What every implementation of the port `Store` promises of SLA times and schedules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.rows import QueueRow
from services.assignment.domain.hours import Schedule
from services.assignment.domain.model import Snapshot
from services.assignment.tests.store_conformance import Q, facts, later, round_, seed

BY_SLA = replace(Q, use_sla=True)


async def seen(store: Store, account: AccountId, at: int = 0, queue: QueueRow = BY_SLA) -> Snapshot:
    """Return what a round of a queue looks at."""
    async with store.transaction(account) as tx:
        known = await tx.directory.account()
        assert known is not None
        return await tx.decisions.snapshot(known, queue, later(at), None)


class RulesConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_sla_times_are_read_until_they_settle_and_again_after_a_change(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(BY_SLA)
            await tx.tickets.store([facts(3, status="solved", updated_at=later(1))])
            assert await tx.tickets.unread_slas(BY_SLA, 10) == [1, 2]
            assert await tx.tickets.unread_slas(BY_SLA, 1) == [1]
            await tx.tickets.put_slas({1: later(900), 2: None, 77: later(5)}, later(59))
            assert await tx.tickets.unread_slas(BY_SLA, 10) == [1, 2]  # it may change by the last change yet
            await tx.tickets.put_slas({1: later(600)}, later(60))
            assert await tx.tickets.unread_slas(BY_SLA, 10) == [2]
            await tx.tickets.put_slas({2: None}, later(61))
            assert await tx.tickets.unread_slas(BY_SLA, 10) == []
            await tx.tickets.store([facts(1, priority="high", updated_at=later(70))])
            assert await tx.tickets.unread_slas(BY_SLA, 10) == [1]
        assert {t.id: t.next_breach_at for t in (await seen(store, account)).tickets} == {
            1: later(600),
            2: None,
        }
        assert all(t.next_breach_at is None for t in (await seen(store, account, queue=Q)).tickets)

    async def test_a_scan_limit_takes_the_next_breaches(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            await tx.tickets.put_slas({2: later(900), 3: later(600), 1: None}, later(60))
        found = await seen(store, account, queue=replace(BY_SLA, scan_limit=2))

        assert [t.id for t in found.tickets] == [3, 2]

    async def test_sla_times_go_with_the_wait(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await tx.tickets.put_slas({1: later(900)}, later(60))
            await round_(tx)
            await tx.tickets.put_slas({}, later(90))
            await tx.tickets.store([facts(1, updated_at=later(100), assignee_id=5)])
            await tx.tickets.store([facts(1, updated_at=later(200))])
        await seed(store, account, 3)
        found = await seen(store, account)

        assert all(t.next_breach_at is None for t in found.tickets)

    async def test_schedules_are_replaced_and_who_goes_by_which_stays(
        self, store: Store, account: AccountId
    ) -> None:
        days = ((date(2026, 12, 25), date(2026, 12, 26)),)
        first, second = Schedule(71, "Rome", ((540, 1020), (1980, 2460)), days), Schedule(72, "")
        async with store.transaction(account) as tx:
            assert (await tx.schedules.all(), await tx.schedules.of_agents()) == ({}, {})
            await tx.schedules.replace([first, second])
            await tx.schedules.put_agent(1, 71)
            await tx.schedules.put_agent(2, 71)
            await tx.schedules.put_agent(2, 72)
            await tx.schedules.put_agent(3, None)
        async with store.transaction(account) as tx:
            assert await tx.schedules.all() == {71: first, 72: second}
            await tx.schedules.replace([second])
            await tx.schedules.put_agent(1, None)
        async with store.transaction(account) as tx:
            assert await tx.schedules.all() == {72: second}
            assert await tx.schedules.of_agents() == {2: 72}
