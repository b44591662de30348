"""What every implementation of the port `Views` promises, over memory and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.domain.view_filter import ViewFilter
from services.assignment.domain.view_reads import NEVER, ViewRead
from services.assignment.tests.store_conformance import T0, facts, later, seed

READ = ViewRead(
    70,
    T0,
    later(1),
    later(2),
    False,
    later(-1),
    ViewFilter((("group_id", "is", "7"),), (), False, "d", False),
)


class ViewsConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_what_is_known_of_a_view_is_kept_by_the_faster_replica(
        self, store: Store, account: AccountId
    ) -> None:
        async with store.transaction(account) as tx:
            assert await tx.views.put(READ, NEVER)
        async with store.transaction(account) as tx:
            assert await tx.views.reads() == {70: READ}
            assert await tx.views.put(replace(READ, read_at=later(60), gone=True), T0)
            assert not await tx.views.put(replace(READ, read_at=later(61)), T0)
            assert await tx.views.reads() == {70: replace(READ, read_at=later(60), gone=True)}

    async def test_a_forgotten_view_holds_nothing(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            for view in (70, 71):
                await tx.views.put(replace(READ, view=view), NEVER)
                await tx.directory.put_view_tickets(view, [1])
            await tx.views.forget([70])
        async with store.transaction(account) as tx:
            await tx.views.heard([facts(1)], T0)
            assert list(await tx.views.reads()) == [71]
            assert [n.views for n in await tx.views.news(T0)] == [{71}]

    async def test_news_are_waiting_tickets_that_were_not_known_so(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await tx.views.heard([facts(1)], T0)
            assert await tx.views.news(T0) == []  # no view feeds a queue
            await tx.views.put(READ, NEVER)
            await tx.views.heard([facts(1), facts(2), facts(3)], later(10))
            await tx.views.heard([facts(1), facts(2, updated_at=later(5))], later(20))
            await tx.views.heard([facts(2, updated_at=later(4))], later(30))
            found = [(n.facts.id, n.at) for n in await tx.views.news(T0)]
            assert found == [(1, later(10)), (2, later(20))]  # 3 is not known
            await tx.tickets.store([facts(1, updated_at=later(9), status="solved")])
            assert [n.facts.id for n in await tx.views.news(T0)] == [2]
            assert await tx.views.news(later(21)) == []

    async def test_what_a_view_was_asked_about_is_amended_and_the_rest_stays(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3, 4)
        async with store.transaction(account) as tx:
            await tx.views.put(READ, NEVER)
            await tx.directory.put_view_tickets(70, [1, 2, 3])
            await tx.views.amend(70, [2, 4], [1, 2, 9])
            await tx.views.heard([facts(n) for n in (1, 2, 3, 4)], T0)
            held = {n.facts.id for n in await tx.views.news(T0) if 70 in n.views}
            assert held == {2, 3, 4}
            await tx.views.amend(70, [], [])
            assert {n.facts.id for n in await tx.views.news(T0) if 70 in n.views} == held

    async def test_old_news_are_forgotten(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await tx.views.put(READ, NEVER)
            await tx.views.heard([facts(1)], later(10))
            await tx.views.heard([facts(2)], later(20))
            await tx.views.forget_news(later(20))
            assert [n.facts.id for n in await tx.views.news(T0)] == [2]

    async def test_views_belong_to_their_account(self, store: Store, account: AccountId) -> None:
        other = AccountId(f"{account}-other")
        for one in (account, other):
            await seed(store, one, 1)
            async with store.transaction(one) as tx:
                await tx.views.put(READ, NEVER)
        async with store.transaction(account) as tx:
            await tx.directory.put_view_tickets(70, [1])
            await tx.views.heard([facts(1)], T0)
            await tx.views.forget([70])
        async with store.transaction(other) as tx:
            assert await tx.views.reads() == {70: READ}
            assert await tx.views.news(T0) == []
            await tx.views.heard([facts(1)], later(1))
            assert [n.views for n in await tx.views.news(T0)] == [frozenset()]
