"""What a dry transaction promises: it sees what it does, and nobody else ever does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store, Transaction
from services.assignment.tests.store_conformance import T0, Q, facts, round_, seed


async def do_everything(tx: Transaction, account: AccountId) -> None:
    """Touch what a command may touch."""
    await round_(tx)
    await tx.directory.put_queue(replace(Q, id="other"))
    await tx.directory.set_statuses({2: "away"}, T0)
    await tx.directory.put_limits(2, 5, 6)
    await tx.tickets.store([facts(9)])
    await tx.tickets.take_invocation("one", T0)
    await tx.offers.decline(1, 2, "skip", T0)
    await tx.requests.remember(account, "r", "M", b"body", b"answer")
    kept = await tx.directory.account()
    assert kept is not None
    await tx.directory.put_account(replace(kept, inbox_limit=3))


async def seen(tx: Transaction, account: AccountId) -> list[object]:
    """Return what of that can be seen."""
    kept = await tx.directory.account()
    return [
        [d.ticket for d in await tx.decisions.page(0, 10, None)],
        [q.id for q in await tx.directory.queues()],
        await tx.directory.agents(),
        [t.facts.id for t in await tx.tickets.page(0, 10, "waiting")],
        await tx.outbox.pending(),
        await tx.requests.find(account, "r", "M", b"body"),
        kept and kept.inbox_limit,
        await tx.offers.unskip(2),
        await tx.tickets.take_invocation("one", T0),
    ]


class DryConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_a_dry_transaction_sees_what_it_does_and_keeps_nothing(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account, dry=True) as tx:
            before = await seen(tx, account)

        async with store.transaction(account, dry=True) as tx:
            await do_everything(tx, account)
            during = await seen(tx, account)

        async with store.transaction(account) as tx:
            assert await seen(tx, account) == before
        assert during[:2] == [[1], ["other", "q"]]
        assert during[3:] == [[9], 1, b"answer", 3, 1, False]

    async def test_a_dry_transaction_that_fails_keeps_nothing_either(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)

        async def fail() -> None:
            async with store.transaction(account, dry=True) as tx:
                await do_everything(tx, account)
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with store.transaction(account) as tx:
            assert await tx.decisions.head() == await tx.outbox.pending() == 0

    async def test_what_is_undone_leaves_what_came_before_it(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            await tx.directory.put_limits(1, 7, None)
            before = await seen(tx, account)
            async with tx.undone():
                await do_everything(tx, account)
                assert await seen(tx, account) != before
            # Its own look took the invocation, that of the block is free.
            assert (await seen(tx, account))[:-1] == before[:-1]
            await tx.requests.remember(account, "r", "M", b"body", b"later")

        async with store.transaction(account) as tx:
            row = await tx.directory.agent(1)
            assert (row and row.inbox_limit, await tx.decisions.head()) == (7, 0)
            assert await tx.requests.find(account, "r", "M", b"body") == b"later"

    async def test_what_fails_within_a_block_is_undone_and_told(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)

        async def fail(tx: Transaction) -> None:
            async with tx.undone():
                await do_everything(tx, account)
                raise LookupError

        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            with pytest.raises(LookupError):
                await fail(tx)
            assert await tx.decisions.head() == 0
