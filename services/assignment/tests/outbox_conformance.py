"""What every implementation of the port `Store` promises of writes to Zendesk."""

from __future__ import annotations

import asyncio

import pytest

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.domain.rotation import TURN
from services.assignment.tests.store_conformance import T0, Q, facts, later, round_, seed


class OutboxConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_writes_are_leased_fenced_and_finished_once(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await round_(tx)
        async with store.transaction(account) as tx:
            first = await tx.outbox.take(1, 60)
            rest = await tx.outbox.take(10, -1)
        async with store.transaction(account) as tx:
            again = await tx.outbox.take(10, 60)
            assert [w.ticket for w in (*first, *rest)] == [1, 2]
            assert [(w.id, w.fence, w.attempts) for w in again] == [(rest[0].id, 2, 2)]
            assert not await tx.outbox.finish(rest[0], "conflict")
            await tx.outbox.release(rest[0])
            assert await tx.outbox.take(10, 60) == []
            await tx.outbox.release(again[0])
            assert [w.fence for w in await tx.outbox.take(10, 60)] == [3]
            assert await tx.outbox.finish(first[0], "confirmed")
            assert not await tx.outbox.finish(first[0], "confirmed")
            assert await tx.outbox.pending() == 1
            row = await tx.decisions.one(first[0].id)
            assert row is not None
            assert row.write == "confirmed"

    @pytest.mark.parametrize("state", ["conflict", "failed"])
    async def test_a_write_that_became_no_work_gives_slot_and_turn_back(
        self, store: Store, account: AccountId, state: str
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await round_(tx)
            (write,) = await tx.outbox.take(10, 60)
            await tx.decisions.lock()
            assert await tx.outbox.finish(write, state)
            freed = await tx.tickets.one(1)
            assert freed is not None
            assert (freed.routing, freed.facts.assignee_id, freed.assigned_at) == ("not_routable", None, None)
            assert await tx.tickets.store([facts(1)]) == 1
            row = await tx.directory.account()
            assert row is not None
            snapshot = await tx.decisions.snapshot(row, Q, T0, None)
            assert [(a.credit, a.open_count, a.assigned_12h) for a in snapshot.agents] == [
                (TURN // 2, 0, 0)
            ] * 2
            summary = await tx.decisions.summary()
            assert (summary.conflicts, summary.pending, summary.assigned) == (1, 0, 0)
            assert await round_(tx, later(60)) == 1

    async def test_a_pull_that_became_no_work_gives_no_turn(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, agents=(1,))
        async with store.transaction(account) as tx:
            await round_(tx, mechanism="pull")
            (write,) = await tx.outbox.take(10, 60)
            assert await tx.outbox.finish(write, "conflict")
            await tx.tickets.store([facts(1)])
            row = await tx.directory.account()
            assert row is not None
            snapshot = await tx.decisions.snapshot(row, Q, T0, None)
            assert [a.credit for a in snapshot.agents] == [0]

    async def test_takers_at_once_get_different_writes(self, store: Store, account: AccountId) -> None:
        await seed(store, account, *range(1, 13))
        async with store.transaction(account) as tx:
            await round_(tx)

        async def take() -> list[int]:
            async with store.transaction(account) as tx:
                return [w.ticket for w in await tx.outbox.take(5, 60)]

        taken = [t for part in await asyncio.gather(*(take() for _ in range(4))) for t in part]
        assert sorted(taken) == list(range(1, 13))
