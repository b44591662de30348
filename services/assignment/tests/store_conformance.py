"""What every implementation of the port `Store` promises, over memory and PostgreSQL; what its tests start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.kernel.errors import RequestIdReusedError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rows import Account, AgentRow, QueueRow, Round, TicketRow
from services.assignment.domain.decide import decide
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


async def kept_ticket(store: Store, account: AccountId, ticket: int) -> TicketRow:
    """Return what is kept of a ticket."""
    async with store.transaction(account) as tx:
        row = await tx.tickets.one(ticket)
    assert row is not None
    return row


class StoreConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

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
        assert (await kept_ticket(store, account, 1)).routing == "waiting"

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
