"""Whatever may let a waiting ticket be given is told by the database, and the replica that owns the account gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from libs.db.engine import Database
from libs.db.notify import Listener
from libs.db.replicas import Replicas
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, CountingIds
from services.assignment.adapters.memory.suite import MemoryPrivacy
from services.assignment.adapters.sql.decisions import DECISIONS_CHANNEL, ROUNDS_CHANNEL
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.drain import Drain
from services.assignment.app.options import QueueOptions
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.restricted import Restricted
from services.assignment.app.route import Route
from services.assignment.app.rows import SkillLink
from services.assignment.tests.store_conformance import T0, Q, agent, facts, later, seed

pytestmark = pytest.mark.integration
BY_GROUP = replace(Q, kind="trigger", source=7)
Change = Callable[[Transaction], Awaitable[object]]


class Replica:
    """A replica that drains what it owns."""

    def __init__(self, database: Database, name: str) -> None:
        self.store, clock, ids = SqlStore(database), ManualClock(later(60)), CountingIds()
        route = Route(self.store, ids, Restricted(self.store, MemoryPrivacy(), clock))
        self.replicas = Replicas(database, "assignment", name, lambda: self.drain.hear(""))
        self.drain = Drain(self.store, route, clock, ids, asyncio.Event(), self.replicas.owns)


@asynccontextmanager
async def listening(database: Database, channel: str, heard: Callable[[str], None]) -> AsyncIterator[None]:
    """Pass a channel's notices on, from when the listener is connected."""
    connected = asyncio.Event()

    def hear(payload: str) -> None:
        if payload:
            heard(payload)
        connected.set()

    task = asyncio.create_task(Listener(database.url, channel, hear).listen())
    try:
        await connected.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def away(tx: Transaction) -> None:
    await tx.directory.set_statuses({1: "away"}, later(1))


async def full(tx: Transaction) -> None:
    await tx.directory.put_limits(1, 1, None)
    await tx.tickets.store([facts(90, assignee_id=1, status="open")])


async def paused(tx: Transaction) -> None:
    await tx.directory.put_queue(replace(BY_GROUP, state="paused"))


async def to_be_asked(tx: Transaction) -> None:
    await tx.directory.put_queue(replace(BY_GROUP, options=QueueOptions(pull_only=True)))


async def unskilled(tx: Transaction) -> None:
    await tx.directory.put_queue(replace(BY_GROUP, model="skills"))
    await tx.skills.put_known({"a": "A"})
    await tx.skills.apply([SkillLink(False, 1, "a", True)])


async def elsewhere(tx: Transaction) -> None:
    await tx.directory.sync_agents([agent(1)], [(1, 8)])


async def no_capacity(tx: Transaction) -> None:
    await full(tx)
    await tx.directory.put_limits(1, None, None)
    await tx.capacities.put_agent(1, 1)


async def of_queue_full(tx: Transaction) -> None:
    account = await tx.directory.account()
    assert account is not None
    await tx.directory.put_account(replace(account, inbox_limit=1))
    await tx.tickets.store([facts(90, assignee_id=1, status="open")])


async def raised(tx: Transaction) -> None:
    account = await tx.directory.account()
    assert account is not None
    await tx.directory.put_account(replace(account, inbox_limit=5, rule_version=account.rule_version + 1))


CASES: dict[str, tuple[Change | None, Change]] = {
    "an agent goes online": (away, lambda tx: tx.directory.set_statuses({1: "online"}, later(2))),
    "his ticket is solved": (
        full,
        lambda tx: tx.tickets.store([facts(90, updated_at=later(2), status="solved")]),
    ),
    "his ticket is taken by hand": (
        full,
        lambda tx: tx.tickets.store([facts(90, updated_at=later(2), status="open", assignee_id=5)]),
    ),
    "his limit is raised": (full, lambda tx: tx.directory.put_limits(1, 5, None)),
    "everybody's limit is raised": (of_queue_full, raised),
    "his capacity is raised": (no_capacity, lambda tx: tx.capacities.put_agent(1, 3)),
    "the queue goes on": (paused, lambda tx: tx.directory.put_queue(BY_GROUP)),
    "the queue has other rules": (
        paused,
        lambda tx: tx.directory.put_queue(replace(BY_GROUP, options=QueueOptions(ageing_seconds=60))),
    ),
    "the queue gives to who does not ask too": (to_be_asked, lambda tx: tx.directory.put_queue(BY_GROUP)),
    "he learns a skill": (unskilled, lambda tx: tx.skills.apply([SkillLink(True, 1, "a", True)])),
    "the ticket needs the skill no more": (
        unskilled,
        lambda tx: tx.skills.apply([SkillLink(False, 1, "a", False)]),
    ),
    "he joins the group": (elsewhere, lambda tx: tx.directory.sync_agents([agent(1)], [(1, 7)])),
    "the ticket moves to his group": (
        elsewhere,
        lambda tx: tx.tickets.store([facts(1, updated_at=later(2), group_id=8)]),
    ),
    "everybody is asked again": (
        lambda tx: tx.offers.decline(1, 1, "skip", later(1)),
        lambda tx: tx.offers.unskip(1),
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_capacity_that_appears_is_told_and_used_at_once(
    database: Database, account: AccountId, case: str
) -> None:
    before, change = CASES[case]
    replica, decided = Replica(database, "rep"), asyncio.Event()
    store = replica.store
    await seed(store, account, agents=(1,))
    async with store.transaction(account) as tx:
        await tx.directory.put_queue(replace(BY_GROUP, source=0) if "moves" in case else BY_GROUP)
        await tx.tickets.store([facts(1)])
        if before is not None:
            await before(tx)
    await replica.drain(account, "before")
    assert await waits(store, account)
    running = asyncio.create_task(replica.drain.run())
    try:
        async with (
            listening(database, ROUNDS_CHANNEL, replica.drain.hear),
            listening(
                database, DECISIONS_CHANNEL, lambda payload: decided.set() if payload == account else None
            ),
        ):
            async with SqlStore(database).transaction(account) as tx:
                await change(tx)
            await decided.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not await waits(store, account)


async def waits(store: Store, account: AccountId) -> bool:
    """Tell whether the ticket waits."""
    async with store.transaction(account) as tx:
        row = await tx.tickets.one(1)
    assert row is not None
    return row.routing == "waiting"


async def test_what_frees_nobody_is_not_told(database: Database, account: AccountId) -> None:
    store, told, heard = SqlStore(database), list[str](), asyncio.Event()
    await seed(store, account, 1, agents=(1,))

    def hear(payload: str) -> None:
        told.append(payload)
        heard.set()

    async with listening(database, ROUNDS_CHANNEL, hear):
        async with store.transaction(account) as tx:
            await tx.directory.put_activity(1, later(5))
            await tx.tickets.take_invocation("i", T0)
            await tx.offers.forget_declines(later(0), 5)
        replica = Replica(database, "rep")
        assert len(await replica.drain(account, "give")) == 1
        async with store.transaction(account) as tx:  # what comes last is heard last
            await tx.directory.put_limits(1, 7, None)
        await heard.wait()
    assert told == [account]


async def test_accounts_of_a_dead_replica_are_drained_by_the_next(
    database: Database, account: AccountId
) -> None:
    one, two = Replica(database, "one"), Replica(database, "two")
    await seed(one.store, account, 1, agents=(1,))
    for replica in (one, two, one):
        await replica.replicas.beat()
    owner, other = (one, two) if one.replicas.owns(account) else (two, one)
    assert not other.replicas.owns(account)
    running = asyncio.create_task(other.drain.run())
    decided = asyncio.Event()
    try:
        async with listening(database, DECISIONS_CHANNEL, lambda payload: decided.set()):
            other.drain.hear(account)  # not its own: nothing happens
            await owner.replicas.leave()
            await other.replicas.beat()
            await decided.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not await waits(other.store, account)
