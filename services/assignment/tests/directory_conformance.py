"""What every implementation of the port `Store` promises of accounts, agents and queues."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.app.rows import Account
from services.assignment.domain.model import Restrictions
from services.assignment.tests.store_conformance import T0, Q, agent, later, seed


class DirectoryConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_an_account_comes_back_as_it_was_written(self, store: Store, account: AccountId) -> None:
        written = Account(
            account,
            T0,
            3,
            4,
            "away",
            9,
            Restrictions(frozenset({7}), frozenset({8})),
            {"decision": 5},
            "W1",
            b"s",
            "c",
        )
        async with store.transaction(account) as tx:
            assert await tx.directory.account() is None
            await tx.directory.put_account(written)
        async with store.transaction(account) as tx:
            assert await tx.directory.account() == written
            assert not await tx.directory.move_cursor("other", "d")
            assert await tx.directory.move_cursor("c", "d")
            assert await tx.directory.account() == replace(written, export_cursor="d")
        assert account in await store.accounts()

    async def test_a_sync_replaces_what_is_zendesk_s_and_keeps_what_is_ours(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            assert await tx.directory.set_statuses({1: "away", 2: "online", 99: "away"}, later(5)) == 1
            limited = await tx.directory.put_limits(1, 3, 4)
            assert limited is not None
            await tx.directory.sync_agents([agent(1, name="New", manager=True)], [(1, 8), (1, 7)])
        async with store.transaction(account) as tx:
            one = await tx.directory.agent(1)
            assert one == replace(
                agent(1, name="New", manager=True), status="away", status_at=later(5), groups=(7, 8),
                inbox_limit=3, daily_limit=4, version=3,
            )  # fmt: skip
            assert [a.user_id for a in await tx.directory.agents()] == [1]
            assert [a.user_id for a in await tx.directory.agents(inactive=True)] == [1, 2]
            assert [a.user_id for a in await tx.directory.agents(after=1, inactive=True)] == [2]
            assert [a.user_id for a in await tx.directory.agents(limit=1, inactive=True)] == [1]

    async def test_settings_and_limits_do_not_touch_each_other(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            await tx.directory.put_limits(1, 3, None)
            row = await tx.directory.put_settings(1, 70, manager=True, autoplay=False)
            assert row is not None
            assert (row.inbox_limit, row.rule, row.manager, row.version) == (3, 70, True, 3)
            assert await tx.directory.put_limits(99, 1, 1) is None
            assert await tx.directory.put_settings(99, 1, manager=True, autoplay=True) is None

    async def test_one_agent_can_be_refreshed(self, store: Store, account: AccountId) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            known = await tx.directory.agent(1)
            assert known is not None
            assert not await tx.directory.refresh_agent(known)
            assert await tx.directory.refresh_agent(replace(known, groups=(9,), suspended=True))
            fresh, other = await tx.directory.agent(1), await tx.directory.agent(2)
            assert fresh is not None
            assert other is not None
            assert (fresh.groups, fresh.suspended, fresh.status, other.groups) == ((9,), True, "online", (7,))
            assert not await tx.directory.refresh_agent(agent(99))

    async def test_queues_come_in_order_and_are_replaced_whole(
        self, store: Store, account: AccountId
    ) -> None:
        async with store.transaction(account) as tx:
            for row in (
                Q,
                replace(Q, id="b", position=1),
                replace(Q, id="a", position=1),
                replace(Q, id="a-b", position=1),
            ):
                await tx.directory.put_queue(row)
            assert [q.id for q in await tx.directory.queues()] == ["a", "a-b", "b", "q"]
            full = replace(
                Q, title="T", kind="trigger", source=7, model="least_active", position=0, state="paused", use_sla=True,
                batch_size=2, daily_limit=3, agents=(1, 2), scan_limit=9, version=4, updated_at=later(9),
            )  # fmt: skip
            await tx.directory.put_queue(full)
            assert await tx.directory.queue("q") == full
            assert await tx.directory.delete_queue("q")
            assert not await tx.directory.delete_queue("q")
            assert await tx.directory.queue("q") is None
