"""What every implementation of the port `Store` promises: run over memory and over PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.kernel.errors import RequestIdReusedError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rows import Account, AgentRow, QueueRow, Round, TicketRow
from services.assignment.domain.decide import decide
from services.assignment.domain.model import Restrictions
from services.assignment.domain.rotation import TURN
from services.assignment.domain.webhook import TicketFacts

T0 = datetime(2026, 1, 5, 9, tzinfo=UTC)
Q = QueueRow("q", "All", "scheduled", 0, "round_robin", 5, T0, T0)


def agent(user_id: int, **values: Any) -> AgentRow:
    return replace(
        AgentRow(user_id, f"Agent {user_id}", "agent", None, None, True, False, "online", T0), **values
    )


def facts(ticket: int, **values: Any) -> TicketFacts:
    base = TicketFacts(ticket, "new", T0, T0, group_id=7, requester_id=900 + ticket)
    return replace(base, **values)


def later(seconds: int) -> datetime:
    return T0 + timedelta(seconds=seconds)


async def seed(store: Store, account: AccountId, *tickets: int, agents: tuple[int, ...] = (1, 2)) -> None:
    async with store.transaction(account) as tx:
        await tx.directory.put_account(Account(account, T0))
        await tx.directory.sync_agents([agent(a) for a in agents], [(a, 7) for a in agents])
        await tx.directory.put_queue(Q)
        await tx.tickets.store([facts(t) for t in tickets])


async def round_(tx: Transaction, at: datetime = T0, queue: QueueRow = Q, mechanism: str = "queue") -> int:
    """Decide and keep a round; return how many decisions were kept."""
    await tx.decisions.lock()
    account = await tx.directory.account()
    assert account is not None
    snapshot = await tx.decisions.snapshot(account, queue, at, None)
    plan = decide(snapshot)
    head = len(await tx.decisions.page(0, 10_000, None))
    ids = [f"dec-{head + n}" for n in range(len(plan.decisions))]
    command = f"{queue.id}/{at.isoformat()}"
    return len(await tx.decisions.keep(account, Round(queue, mechanism, command, at), snapshot, plan, ids))


class StoreConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def ticket(self, store: Store, account: AccountId, ticket: int) -> TicketRow:
        async with store.transaction(account) as tx:
            row = await tx.tickets.one(ticket)
        assert row is not None
        return row

    async def test_an_exception_rolls_everything_back(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)

        async def fail() -> None:
            async with store.transaction(account) as tx:
                await round_(tx)
                await tx.tickets.take_invocation("one", T0)
                await tx.directory.put_queue(replace(Q, id="other"))
                await tx.requests.remember(account, "r", "M", b"", b"")
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with store.transaction(account) as tx:
            assert await tx.decisions.page(0, 10, None) == []
            assert await tx.outbox.pending() == 0
            assert [q.id for q in await tx.directory.queues()] == ["q"]
            assert await tx.tickets.take_invocation("one", T0)
            assert await tx.requests.find(account, "r", "M", b"") is None
        assert (await self.ticket(store, account, 1)).routing == "waiting"

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

    @pytest.mark.parametrize(
        ("change", "stored", "routing"),
        [
            ({"updated_at": later(1)}, 1, "waiting"),
            ({"updated_at": later(-1), "status": "solved"}, 0, "waiting"),
            ({"status": "solved"}, 1, "not_routable"),
            ({"updated_at": later(1), "assignee_id": 4}, 1, "not_routable"),
            ({"updated_at": later(1), "status": "open"}, 1, "waiting"),
            ({"updated_at": later(1), "status": "hold"}, 1, "not_routable"),
            ({"updated_at": later(1), "status": "deleted"}, 1, "not_routable"),
        ],
    )
    async def test_facts_count_when_they_are_not_older(
        self, store: Store, account: AccountId, change: dict[str, Any], stored: int, routing: str
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            assert await tx.tickets.store([facts(1, **change)]) == stored
            assert await tx.tickets.waiting() == (routing == "waiting")
        assert (await self.ticket(store, account, 1)).routing == routing

    async def test_while_our_change_is_on_its_way_the_assignee_is_ours_to_say(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await round_(tx)
            await tx.tickets.store(
                [facts(1, updated_at=later(5), assignee_id=4, status="open", priority="high")]
            )
        row = await self.ticket(store, account, 1)
        assert (row.facts.assignee_id, row.routing, row.facts.priority) == (1, "assigned", "high")

    async def test_an_assignment_ends_when_the_ticket_is_nobody_s_or_somebody_else_s(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2)
        async with store.transaction(account) as tx:
            await round_(tx)
            for write in await tx.outbox.take(10, 60):
                assert await tx.outbox.finish(write, "confirmed")
            held = {t: (await tx.tickets.one(t)) for t in (1, 2)}
            for row in held.values():
                assert row is not None
                same = replace(row.facts, updated_at=later(1), status="open")
                assert await tx.tickets.store([same]) == 1
            await tx.tickets.store([facts(1, updated_at=later(1), status="open")])
            assert await tx.tickets.waiting() == 0  # the same second: what was true before our change
            await tx.tickets.store([facts(1, updated_at=later(2), status="open")])
            await tx.tickets.store([facts(2, updated_at=later(2), status="open", assignee_id=5)])
            assert await tx.tickets.waiting() == 1
            assert await round_(tx, later(3)) == 1
            assert (await tx.decisions.summary()).assigned == 2

    async def test_a_parked_ticket_waits_again_with_newer_facts_only(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await tx.tickets.park(1)
            assert await tx.tickets.store([facts(1)]) == 0
            assert await tx.tickets.waiting() == 0
            assert await tx.tickets.store([facts(1, updated_at=later(1))]) == 1
            assert await tx.tickets.waiting() == 1
            assert await tx.tickets.store([facts(1, updated_at=later(1), priority="low")]) == 1

    async def test_invocations_are_taken_once_and_forgotten_by_age(
        self, store: Store, account: AccountId
    ) -> None:
        async with store.transaction(account) as tx:
            assert await tx.tickets.take_invocation("one", T0)
            assert await tx.tickets.take_invocation("two", later(60))
            assert not await tx.tickets.take_invocation("one", later(1))
            assert await tx.tickets.forget_invocations(later(60)) == 1
            assert await tx.tickets.take_invocation("one", T0)
            assert not await tx.tickets.take_invocation("two", T0)

    async def test_an_invocation_is_taken_by_one_of_many_at_once(
        self, store: Store, account: AccountId
    ) -> None:
        async def take() -> bool:
            async with store.transaction(account) as tx:
                return await tx.tickets.take_invocation("one", T0)

        assert sorted(await asyncio.gather(*(take() for _ in range(6)))) == [False] * 5 + [True]

    async def test_a_ticket_is_held_by_the_first_active_queue_that_has_it(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account, 1, 2, 3)
        view = replace(Q, id="view", source=70, position=1)
        group = replace(Q, id="group", kind="trigger", source=7, position=2)
        async with store.transaction(account) as tx:
            await tx.directory.put_queue(view)
            await tx.directory.put_queue(group)
            await tx.directory.put_view_tickets(70, [1, 99])
            await tx.tickets.store([facts(3, group_id=None, updated_at=later(1))])
            holders = [await tx.tickets.holder(t, T0) for t in (1, 2, 3, 99)]
            assert [h.id if h else None for h in holders] == ["view", "group", "q", None]
            account_row = await tx.directory.account()
            assert account_row is not None
            for queue, held in ((view, [1]), (group, [2]), (Q, [3])):
                snapshot = await tx.decisions.snapshot(account_row, queue, T0, None)
                assert [t.id for t in snapshot.tickets] == held
            await tx.directory.put_view_tickets(70, [])
            await tx.directory.put_queue(replace(group, state="paused"))
            holders = [await tx.tickets.holder(t, T0) for t in (1, 2, 3)]
            assert [h.id if h else None for h in holders] == ["q", "q", "q"]
            await tx.directory.put_queue(replace(Q, state="paused"))
            assert await tx.tickets.holder(1, T0) is None

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
            assert rows[2].rejected == {"SLOT_TAKEN": [1]}
            snapshot = await tx.decisions.inputs(rows[0].inputs)
            assert snapshot is not None
            assert [d.agent for d in decide(snapshot).decisions] == [1, 1, None]
            assert await tx.decisions.inputs("nothing") is None
            summary = await tx.decisions.summary()
            assert (summary.tickets_in, summary.waiting, summary.decisions, summary.pending) == (3, 1, 3, 2)
            assert (await tx.tickets.page(0, 10, "assigned"))[0].assigned_at == T0

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
        assert (await self.ticket(store, account, 1)).routing == "waiting"

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

    async def test_a_request_is_remembered_with_its_change(self, store: Store, account: AccountId) -> None:
        async with store.transaction(account) as tx:
            await tx.requests.remember(account, "r", "M", b"body", b"answer")
        async with store.transaction(account) as tx:
            assert await tx.requests.find(account, "r", "M", b"body") == b"answer"
            assert await tx.requests.find(account, "", "M", b"body") is None
            with pytest.raises(RequestIdReusedError):
                await tx.requests.find(account, "r", "M", b"other")

    async def test_no_account_sees_or_touches_another_s_rows(self, store: Store, account: AccountId) -> None:
        other = AccountId(f"{account}-other")
        for one in (account, other):
            await seed(store, one, 1, 2)
        async with store.transaction(account) as tx:
            await tx.directory.put_view_tickets(70, [1])
            await round_(tx)
            await tx.tickets.take_invocation("one", T0)
            digest = (await tx.decisions.page(0, 1, None))[0].inputs
            (write, _) = await tx.outbox.take(10, -1)
        async with store.transaction(other) as tx:
            assert await tx.decisions.page(0, 10, None) == []
            assert await tx.decisions.one("dec-0") is None
            assert await tx.decisions.inputs(digest) is None
            assert await tx.outbox.take(10, 60) == []
            assert await tx.outbox.pending() == 0
            assert not await tx.outbox.finish(write, "conflict")
            await tx.outbox.release(write)
            assert await tx.tickets.take_invocation("one", T0)
            assert await tx.tickets.waiting() == 2
            assert (await tx.decisions.summary()).decisions == 0
            await tx.directory.put_queue(replace(Q, id="view", source=70, position=1))
            holder = await tx.tickets.holder(1, T0)
            assert holder is not None
            assert holder.id == "q"
            # Everything that changes many rows at once.
            await tx.directory.sync_agents([agent(3)], [(3, 7)])
            await tx.directory.set_statuses({1: "away", 2: "away", 3: "away"}, T0)
            await tx.directory.put_views([])
            await tx.directory.put_view_tickets(70, [])
            await tx.tickets.forget_invocations(later(999))
            await tx.tickets.store([facts(1, updated_at=later(9), status="solved")])
            await tx.directory.delete_queue("q")
            await tx.directory.put_limits(1, 1, 1)
            await tx.tickets.park(2)
        async with store.transaction(account) as tx:
            agents = await tx.directory.agents()
            assert [(a.user_id, a.status, a.groups, a.inbox_limit) for a in agents] == [
                (1, "online", (7,), None),
                (2, "online", (7,), None),
            ]
            assert [r.routing for r in await tx.tickets.page(0, 10, None)] == ["assigned", "assigned"]
            assert [q.id for q in await tx.directory.queues()] == ["q"]
            assert not await tx.tickets.take_invocation("one", T0)
            assert await tx.outbox.pending() == 2
