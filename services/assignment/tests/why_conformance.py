"""What the store promises to whoever explains: what limits go by, who declined last, agents where nothing waits."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.ids import AccountId
from services.assignment.app.options import QueueOptions
from services.assignment.app.ports import Store
from services.assignment.app.rows import Account
from services.assignment.tests.store_conformance import T0, Q, facts, later, round_, seed

ASKED = replace(Q, id="asked", options=QueueOptions(offer_seconds=60))


class WhyConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_what_queues_gave_is_told_with_queue_and_instant(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, agents=(1,))
        async with store.transaction(account) as tx:
            await round_(tx, T0)
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(ASKED)
            await tx.tickets.store([facts(2), facts(3)])
            await round_(tx, later(60), ASKED)
        async with store.transaction(account) as tx:
            found = await tx.decisions.given([1], later(-1))
            since = await tx.decisions.given([1], T0)
            others = await tx.decisions.given([2], later(-1))

        offers = [(1, "asked", later(60))] * 2
        assert found == [*offers, (1, "q", T0)]
        assert (
            since == offers
        )  # exactly as old as the window is out; what is thought about counts however old
        assert others == []

    async def test_pulls_and_what_came_to_nothing_are_not_among_it(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, agents=(1,))
        async with store.transaction(account) as tx:
            await round_(tx, T0, mechanism="pull")
        async with store.transaction(account) as tx:
            await tx.tickets.store([facts(2)])
            await round_(tx, later(1))
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            (write,) = [w for w in await tx.outbox.take(10, 60) if w.ticket == 2]
            await tx.outbox.finish(write, "conflict")
            assert await tx.decisions.given([1], later(-1)) == []

    async def test_the_last_decline_of_a_ticket_is_told(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            assert await tx.offers.last_decline(1) is None
            await tx.offers.decline(1, 1, "decline", later(5))
            await tx.offers.decline(1, 2, "skip", later(3))
            await tx.offers.decline(2, 2, "skip", later(9))
            assert await tx.offers.last_decline(1) == later(5)

    async def test_agents_are_read_anyway_where_that_is_asked(self, store: Store, account: AccountId) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            kept = await tx.directory.account()
            assert isinstance(kept, Account)
            nobody = await tx.decisions.snapshot(kept, Q, T0, None)
            all_of = await tx.decisions.snapshot(kept, Q, T0, None, agents_anyway=True)
            one = await tx.decisions.snapshot(kept, Q, T0, 2, agents_anyway=True)

        assert (nobody.agents, nobody.tickets) == ([], [])
        assert [a.id for a in all_of.agents] == [1, 2]
        assert [a.id for a in one.agents] == [2]
        assert (all_of.tickets, one.tickets) == ([], [])
