"""What every implementation of the port `Usage` promises, over memory and PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.domain.usage import AgentCount, UsageDay, UsageShare
from services.assignment.tests.store_conformance import T0, facts, later, round_, seed

DAY = T0.date()
START = T0.replace(hour=0)
END = START + timedelta(days=1)


class UsageConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_assignments_are_counted_by_mechanism_model_and_agent(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            assert await tx.usage.begin() is None
            await round_(tx, later(60))
            await tx.tickets.store([facts(4), facts(5)])
            await round_(tx, later(120), mechanism="pull")
            assert await tx.usage.begin() == later(60)

            found = await tx.usage.count(START, END, 0)

            assert sum(row.assigned for row in found.rows) == 5
            assert {(r.mechanism, r.model) for r in found.rows} == {
                ("queue", "round_robin"),
                ("pull", "round_robin"),
            }
            assert [r.agent for r in found.rows] == [1, 2, 1, 2]
            assert all(isinstance(row, AgentCount) for row in found.rows)
            assert (found.decisions, found.sequence) == (5, 5)
            assert found.waits == (60, 120)

    async def test_only_the_time_between_counts_and_each_decision_once(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await round_(tx, END)
            before = await tx.usage.count(START, END, 0)
            after = await tx.usage.count(END, END + timedelta(days=1), before.sequence)
            again = await tx.usage.count(END, END + timedelta(days=1), after.sequence)

        assert (before.rows, before.decisions, before.waits, before.sequence) == ((), 0, None, 0)
        assert (len(after.rows), after.decisions, after.sequence) == (1, 1, 1)
        assert (again.decisions, again.sequence) == (0, 1)

    async def test_what_zendesk_did_not_take_is_not_counted(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await round_(tx, later(60))
            (write,) = await tx.outbox.take(1, 60)
            await tx.outbox.finish(write, "conflict")
            found = await tx.usage.count(START, END, 0)

        assert (found.rows, found.decisions) == ((), 1)

    async def test_a_ticket_that_came_back_waited_since_then(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(1, status="pending", updated_at=later(10))])
            await tx.tickets.store([facts(1, status="open", updated_at=later(100))])
            await round_(tx, later(130))

            assert (await tx.usage.count(START, END, 0)).waits == (30, 30)

    async def test_days_are_kept_once_and_outlive_what_they_were_counted_from(
        self, store: Store, account: AccountId
    ) -> None:
        day = UsageDay(DAY, False, 12, 20, 5, (UsageShare("queue", "skills", 7),), 5, 30, 90)
        poor = UsageDay(DAY + timedelta(days=1), withheld=True)
        async with store.transaction(account) as tx:
            assert await tx.usage.last() is None
            await tx.usage.put(day, 7)
            await tx.usage.put(poor, 9)
            await tx.usage.put(UsageDay(DAY, assigned=1), 8)
        async with store.transaction(account) as tx:
            assert await tx.usage.last() == (poor.day, 9)
            assert await tx.usage.days(DAY, poor.day) == [day, poor]
            assert await tx.usage.days(poor.day, date.max) == [poor]
        async with store.transaction(AccountId(f"{account}-other")) as tx:
            assert await tx.usage.last() is None
            assert await tx.usage.days(date.min, date.max) == []
