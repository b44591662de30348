"""What every implementation of the port `Store` promises of SLA times, schedules and overflow."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from libs.kernel.ids import AccountId
from services.assignment.app.options import QueueOptions
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rows import QueueRow, Work
from services.assignment.domain.hours import Schedule
from services.assignment.domain.limits import Limit
from services.assignment.domain.model import Snapshot
from services.assignment.domain.shifts import Kind, ShiftException
from services.assignment.tests.store_conformance import T0, Q, facts, later, round_, seed

BY_SLA = replace(Q, use_sla=True)


async def seen(store: Store, account: AccountId, at: int = 0, queue: QueueRow = BY_SLA) -> Snapshot:
    """Return what a round of a queue looks at."""
    async with store.transaction(account) as tx:
        known = await tx.directory.account()
        assert known is not None
        return await tx.decisions.snapshot(known, queue, later(at), None)


class RulesConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_a_queue_that_gives_to_who_asks_alone_is_another_one_for_who_asks(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, agents=(1, 2))
        queue = replace(Q, options=QueueOptions(pull_only=True))
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(queue)
            await round_(tx, queue=queue, at=later(5))
        async with store.transaction(account) as tx:
            decisions = await tx.decisions.page(0, 10, None)
            known, kept = await tx.directory.account(), await tx.directory.queue(queue.id)
            assert known is not None
            assert kept == queue
            asked = await tx.decisions.snapshot(known, kept, later(6), 1)
        assert [(d.ticket, d.outcome, d.agent_id) for d in decisions] == [
            (1, "QUEUE_PULL_ONLY", None),
            (2, "QUEUE_PULL_ONLY", None),
        ]
        assert (await seen(store, account, 6, kept)).queue.pull_only is True
        assert (asked.queue.pull_only, [a.id for a in asked.agents], len(asked.tickets)) == (False, [1], 2)

    async def test_sla_times_are_read_until_they_settle_and_again_after_a_change(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(BY_SLA)
            await tx.tickets.store([facts(3, status="solved", updated_at=later(1))])
            assert await tx.tickets.unread_slas(BY_SLA, 10, T0) == [1, 2]
            assert await tx.tickets.unread_slas(BY_SLA, 1, T0) == [1]
            await tx.tickets.put_slas({1: later(900), 2: None, 77: later(5)}, later(59))
            assert await tx.tickets.unread_slas(BY_SLA, 10, T0) == [
                1,
                2,
            ]  # it may change by the last change yet
            await tx.tickets.put_slas({1: later(600)}, later(60))
            assert await tx.tickets.unread_slas(BY_SLA, 10, T0) == [2]
            await tx.tickets.put_slas({2: None}, later(61))
            assert await tx.tickets.unread_slas(BY_SLA, 10, T0) == []
            await tx.tickets.store([facts(1, priority="high", updated_at=later(70))])
            assert await tx.tickets.unread_slas(BY_SLA, 10, T0) == [1]
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

    async def test_exceptions_are_replaced_by_agent_found_by_time_and_forgotten_once_over(
        self, store: Store, account: AccountId
    ) -> None:
        def of(agent: int, start: int, end: int, kind: Kind = Kind.LEAVE) -> ShiftException:
            return ShiftException(agent, later(start), later(end), kind)

        early, long, extra, other = of(1, 0, 60), of(1, 0, 600), of(1, 30, 60, Kind.OVERTIME), of(2, 90, 120)
        gone = of(2, 5, 6)
        async with store.transaction(account) as tx:
            assert await tx.schedules.exceptions() == []
            await tx.schedules.put_exceptions(2, [gone])
            await tx.schedules.put_exceptions(2, [other])
            await tx.schedules.put_exceptions(1, [extra, long, early, early])
            await tx.schedules.put_exceptions(3, [])
        async with store.transaction(account) as tx:
            assert await tx.schedules.exceptions() == [early, long, extra, other]
            assert await tx.schedules.exceptions(agents=[2, 3]) == [other]
            assert await tx.schedules.exceptions(after=later(60)) == [long, other]
            assert await tx.schedules.exceptions(after=later(59), until=later(29)) == [early, long]
            assert await tx.schedules.exceptions(after=later(59), until=later(30), agents=[1]) == [
                early,
                long,
                extra,
            ]
            assert await tx.schedules.forget_exceptions(later(60), 10) == 0
            assert await tx.schedules.forget_exceptions(later(61), 1) == 1
            assert await tx.schedules.forget_exceptions(later(61), 10) == 1
            assert await tx.schedules.exceptions() == [long, other]

    async def test_what_waited_too_long_belongs_to_the_overflow_queue_and_so_on_along_the_chain(
        self, store: Store, account: AccountId
    ) -> None:
        def queue(
            name: str, position: int, target: str = "", seconds: int | None = None, **values: Any
        ) -> QueueRow:
            options = QueueOptions(overflow_queue=target, overflow_seconds=seconds)
            return replace(Q, id=name, position=position, options=options, **values)

        first, second = queue("first", 1, "second", 60), queue("second", 2, "third", 120)
        third = queue("third", 3, "gone", 5)
        rows = [first, second, third]
        await seed(store, account, 1)

        async def holders(*seconds: int) -> list[str]:
            found = []
            async with store.transaction(account) as tx:
                for at in seconds:
                    row = await tx.tickets.holder(1, later(at))
                    looked = [q.id for q in rows if (await self.looked(tx, q, at)) == [1]]
                    assert looked == [row.id if row else ""]
                    found.append(row.id if row else "")
            return found

        async with store.transaction(account) as tx:
            await tx.directory.delete_queue("q")
            for row in rows:
                await tx.directory.put_queue(row)
        assert await holders(0, 59, 60, 119, 120, 9999) == [
            "first", "first", "second", "second", "third", "third",
        ]  # fmt: skip
        rows = [first, second, replace(third, state="paused")]
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(rows[2])
        assert await holders(59, 60, 9999) == ["first", "second", "second"]
        rows = [first, replace(second, state="paused"), third]
        async with store.transaction(account) as tx:
            for row in rows:
                await tx.directory.put_queue(row)
        async with store.transaction(account) as tx:
            held = await tx.tickets.holder(1, later(9999))
        assert held is not None
        assert held.id == "first"

    async def looked(self, tx: Transaction, queue: QueueRow, at: int) -> list[int]:
        """Return the tickets that a round of a queue looks at."""
        known = await tx.directory.account()
        assert known is not None
        return [t.id for t in (await tx.decisions.snapshot(known, queue, later(at), None)).tickets]

    async def test_options_of_overflow_and_schedules_come_back(
        self, store: Store, account: AccountId
    ) -> None:
        options = QueueOptions(schedule=71, overflow_groups=(7, 8), overflow_queue="q", overflow_seconds=5)
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(replace(Q, options=options))
        async with store.transaction(account) as tx:
            assert [q.options for q in await tx.directory.queues()] == [options]

    @pytest.mark.parametrize("state", ["confirmed", "conflict"])
    async def test_a_parked_ticket_hears_the_news_of_the_second_once_its_tag_is_written(
        self, store: Store, account: AccountId, state: str
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(1, group_id=None)])
            await tx.directory.take_group_turn(2)
            await tx.tickets.park(1)
            await tx.outbox.send_to_group(1, 2, "grp-1", T0, ("playlist_group_2",))
            await tx.tickets.store([facts(1, group_id=None)])
        async with store.transaction(account) as tx:
            known = await tx.tickets.one(1)
            assert known is not None
            assert known.routing == "not_routable"
            (write,) = await tx.outbox.take(10, 60)
            assert (write.kind, write.group_id, write.tags) == ("group", 2, ("playlist_group_2",))
            assert await tx.outbox.finish(write, state)
            await tx.tickets.store([facts(1, group_id=8)])
        async with store.transaction(account) as tx:
            known = await tx.tickets.one(1)
            assert known is not None
            assert (known.routing, known.facts.group_id) == ("waiting", 8)
            assert (await tx.directory.group_turns()).get(2, 0) == (1 if state == "confirmed" else 0)

    async def test_work_in_hand_counts_by_the_queue_that_gave_it(
        self, store: Store, account: AccountId
    ) -> None:
        heavy = replace(Q, options=QueueOptions(work_units=5))
        offering = replace(Q, id="other", options=QueueOptions(work_units=3, offer_seconds=60))
        await seed(store, account, 1, agents=(1,))
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(heavy)
            assert await tx.capacities.work("q") == {}
            await round_(tx, queue=heavy)
            await tx.tickets.store(
                [facts(2, assignee_id=1, status="open"), facts(3, assignee_id=1, status="pending")]
            )
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(offering)
            await tx.tickets.store([facts(4)])
            await round_(tx, queue=offering, at=later(5))
        async with store.transaction(account) as tx:
            assert await tx.capacities.work("q") == {1: Work(5 + 1 + 3, 1)}
            assert await tx.capacities.work("other") == {1: Work(9, 1)}
            await tx.directory.put_queue(replace(heavy, options=replace(heavy.options, interruptible=True)))
            assert await tx.capacities.work("q") == {1: Work(5 + 1 + 3, 1, 5)}
            await tx.directory.put_queue(
                replace(offering, options=replace(offering.options, interruptible=True))
            )
            assert await tx.capacities.work("q") == {1: Work(5 + 1 + 3, 1, 5 + 3)}
            await tx.directory.delete_queue("q")
            assert await tx.capacities.work("q") == {1: Work(1 + 1 + 3, 1, 3)}

    async def test_own_rate_limits_come_and_go(self, store: Store, account: AccountId) -> None:
        async with store.transaction(account) as tx:
            await tx.rate_limits.put_agent(1, Limit(5))
            await tx.rate_limits.put_agent(1, Limit(3, 30))
            await tx.rate_limits.put_agent(2, Limit(5))
            await tx.rate_limits.put_agent(3, Limit(5))
            await tx.rate_limits.put_agent(3, None)
        async with store.transaction(account) as tx:
            assert await tx.rate_limits.of_agents() == {1: Limit(3, 30), 2: Limit(5)}

    async def test_what_queues_gave_lately_counts_by_each_agent_s_window_and_by_the_queue_s(
        self, store: Store, account: AccountId
    ) -> None:
        offering = replace(Q, id="other", options=QueueOptions(offer_seconds=9999))

        async def given(seconds: int, default: int, of_queue: int) -> dict[int, tuple[int, int]]:
            longest = max(default, of_queue, 10)
            async with store.transaction(account) as tx:
                return await tx.rate_limits.given(
                    "q", later(seconds), default=default, of_queue=of_queue, longest=longest
                )

        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await round_(tx)  # one for each
            await tx.rate_limits.put_agent(2, Limit(9, 10))
        assert await given(599, 5, 20) == {1: (0, 1), 2: (1, 1)}
        assert await given(600, 20, 0) == {1: (1, 0), 2: (0, 0)}
        assert await given(1199, 20, 20) == {1: (1, 1), 2: (0, 1)}
        assert await given(1200, 20, 20) == {}
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(3), facts(4)])
            await round_(tx, at=later(60), mechanism="pull")
            await tx.directory.put_queue(offering)
            await tx.tickets.store([facts(5), facts(6)])
            await round_(tx, at=later(120), queue=offering)
            (write, _) = (await tx.outbox.take(10, -1))[:2]
            await tx.outbox.finish(write, "conflict")
        # One of the first two came to nothing; pulls do not count; what somebody thinks about does, however long.
        late = await given(599, 20, 20)
        assert sorted(late.values()) == [(1, 0), (2, 1)]
        assert sorted((await given(99_999, 20, 20)).values()) == [(1, 0), (1, 0)]
        async with store.transaction(account) as tx:
            await tx.rate_limits.put_agent(1, Limit(9))  # of open tickets: nothing has a time
        assert (await given(599, 20, 20))[1][0] == 0

    async def test_own_capacities_come_and_go(self, store: Store, account: AccountId) -> None:
        async with store.transaction(account) as tx:
            await tx.capacities.put_agent(1, 5)
            await tx.capacities.put_agent(1, 7)
            await tx.capacities.put_agent(2, 5)
            await tx.capacities.put_agent(2, None)
        async with store.transaction(account) as tx:
            assert await tx.capacities.of_agents() == {1: 7}
