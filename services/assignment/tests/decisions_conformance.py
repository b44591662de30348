"""What every implementation of the port `Store` promises of snapshots and rounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.kernel.ids import AccountId
from services.assignment.app.options import QueueOptions
from services.assignment.app.ports import Store
from services.assignment.app.rows import Account, Round
from services.assignment.domain.decide import decide
from services.assignment.domain.model import Snapshot
from services.assignment.domain.rotation import TURN
from services.assignment.tests.store_conformance import T0, Q, facts, kept_ticket, later, round_, seed


class DecisionsConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_a_snapshot_holds_everything_that_counts(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, agents=(1, 2))
        noon = later(3 * 3600)
        batch = replace(Q, id="batch", position=1)
        async with store.transaction(account) as tx:
            await tx.directory.put_account(Account(account, T0, inbox_limit=8, daily_limit=6))
            await tx.directory.put_limits(1, 3, None)
            await round_(tx, noon - timedelta(hours=12))
            await tx.tickets.store([facts(2)])
            await round_(tx, noon - timedelta(hours=12) + timedelta(seconds=1))
            await tx.directory.put_queue(batch)
            await tx.tickets.store([facts(3)])
            await round_(tx, noon, batch)
            await tx.directory.put_queue(replace(batch, state="paused"))
            await tx.tickets.store([facts(4)])
            await round_(tx, noon, mechanism="pull")
            await tx.tickets.store([facts(5, priority="high"), facts(6, created_at=later(-1))])
            row = await tx.directory.account()
            assert row is not None
            snapshot = await tx.decisions.snapshot(row, Q, noon, None)
            idle = await tx.decisions.snapshot(row, replace(Q, model="longest_idle"), noon, 2)
            scanned = await tx.decisions.snapshot(row, replace(Q, scan_limit=1), noon, None)
        one, two = snapshot.agents
        assert [t.id for t in snapshot.tickets] == [6, 5]
        assert [t.id for t in scanned.tickets] == [6]
        assert (one.inbox_limit, one.daily_limit, two.inbox_limit) == (3, 6, 8)
        assert one.open_count + two.open_count == 4
        # Exactly 12 hours old is out; pulls never count; a run is counted over all its queues.
        assert (one.assigned_12h, two.assigned_12h) == (1, 1)
        assert (one.assigned_12h_queue, two.assigned_12h_queue) == (0, 1)
        assert (one.assigned_run, two.assigned_run) == (1, 0)
        assert (one.credit, two.credit) == (-TURN // 2, TURN // 2)
        assert [a.id for a in idle.agents] == [2]
        assert idle.agents[0].last_assigned_at == noon - timedelta(hours=12) + timedelta(seconds=1)

    async def test_only_tickets_that_still_wait_can_be_claimed(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(2, updated_at=later(1), assignee_id=4, status="open")])
            await tx.tickets.store([facts(3, updated_at=later(1), group_id=None)])
            assert await tx.decisions.claim([1, 2, 3, 4]) == {1: 7, 3: None}

    async def test_a_round_is_kept_whole_and_waiting_only_when_it_is_news(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3, agents=(1,))
        async with store.transaction(account) as tx:
            await tx.directory.put_limits(1, 2, None)
            assert await round_(tx) == 3
            assert await round_(tx, later(60)) == 0
            rows = await tx.decisions.page(0, 10, None)
            assert [(r.sequence, r.ticket, r.outcome, r.agent_id, r.write) for r in rows] == [
                (1, 1, "ASSIGNED", 1, "pending"),
                (2, 2, "ASSIGNED", 1, "pending"),
                (3, 3, "WAITING_ALL_FULL", None, "none"),
            ]
            assert await tx.decisions.one(rows[0].id) == rows[0]
            assert await tx.decisions.page(1, 1, None) == [rows[1]]
            assert await tx.decisions.page(0, 10, 3) == [rows[2]]
            assert rows[2].rejected == {"SLOT_TAKEN": 1}
            snapshot = await tx.decisions.inputs(rows[0].inputs)
            assert snapshot is not None
            assert [d.agent for d in decide(snapshot).decisions] == [1, 1, None]
            assert await tx.decisions.inputs("nothing") is None
            summary = await tx.decisions.summary()
            assert (summary.tickets_in, summary.waiting, summary.decisions, summary.pending) == (3, 1, 3, 2)
            assert (await tx.tickets.page(0, 10, "assigned"))[0].assigned_at == T0

    async def test_the_decision_that_a_ticket_is_on_its_way_by_is_found(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        offering = replace(Q, options=QueueOptions(offer_seconds=60))
        async with store.transaction(account) as tx:
            assert await tx.decisions.live(1) == ""
            await round_(tx)
            given = {row.ticket: row.id for row in await tx.decisions.page(0, 9, None)}
            assert [await tx.decisions.live(n) for n in (1, 2, 3)] == [given[1], given[2], ""]
            for write in await tx.outbox.take(9, 60):
                await tx.outbox.finish(write, "confirmed")
            assert await tx.decisions.live(1) == ""
            await tx.tickets.store([facts(3)])
            await round_(tx, later(1), offering)
            assert await tx.decisions.live(3) == (await tx.decisions.page(0, 9, 3))[0].id

    async def test_what_each_of_many_rounds_looked_at_is_kept_as_it_was(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, *range(1, 9), agents=tuple(range(1, 41)))
        seen: list[tuple[str, Snapshot]] = []
        for n in range(8):
            async with store.transaction(account) as tx:
                await tx.decisions.lock()
                row = await tx.directory.account()
                assert row is not None
                snapshot = await tx.decisions.snapshot(row, Q, later(n), None, ticket=n + 1)
                plan, round_of = decide(snapshot), Round(Q, "queue", f"round-{n}", later(n))
                assert await tx.decisions.keep(row, round_of, snapshot, plan, [f"dec-{n}"])
                if n == 3:
                    await tx.directory.put_limits(7, 9, None)
                kept = await tx.decisions.one(f"dec-{n}")
                assert kept is not None
                seen.append((kept.inputs, snapshot))
        async with store.transaction(account) as tx:
            for digest, snapshot in seen:
                assert await tx.decisions.inputs(digest) == snapshot
            await tx.decisions.forget_inputs(later(7), 100)
            assert await tx.decisions.inputs(seen[7][0]) == seen[7][1]
            assert await tx.decisions.inputs(seen[5][0]) is None
            while await tx.decisions.forget_inputs(later(8), 2):
                pass
            assert [await tx.decisions.inputs(digest) for digest, _ in seen] == [None] * 8

    async def test_a_ticket_cannot_have_two_live_assignments(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)

        async def twice() -> None:
            async with store.transaction(account) as tx:
                row = await tx.directory.account()
                assert row is not None
                snapshot = await tx.decisions.snapshot(row, Q, T0, None)
                for command in ("one", "two"):
                    round_of = Round(Q, "queue", command, T0)
                    await tx.decisions.keep(row, round_of, snapshot, decide(snapshot), [f"dec-{command}"])

        with pytest.raises(Exception, match=r"assignments_live|at most one live"):
            await twice()
        assert (await kept_ticket(store, account, 1)).routing == "waiting"
