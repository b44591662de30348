"""A replica's copy of what waits is what the database says, whatever others do and whatever is rolled back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.assignment.adapters.sql import waiting as module
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.options import QueueOptions
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.rows import PREFERRING, QueueRow, SkillLink
from services.assignment.domain.model import Ticket
from services.assignment.domain.waiting import BESIDES
from services.assignment.tests.store_conformance import Q, agent, facts, later, round_, seed

pytestmark = pytest.mark.integration
BY_GROUP = replace(Q, id="by-group", kind="trigger", source=7, position=1, model="least_active")
BY_VIEW = replace(Q, id="by-view", source=30, position=2, use_sla=True)
BY_SKILL = replace(Q, id="by-skill", position=3, model="skills")
QUEUES = (BY_GROUP, BY_VIEW, BY_SKILL)


class UndoneError(Exception):
    """Raised to roll back."""


async def seen(tx: Transaction, queue: QueueRow, at: datetime, *, heads: bool) -> list[Ticket]:
    """Return what a round of a queue looks at, by id."""
    await tx.decisions.lock()
    account = await tx.directory.account()
    assert account is not None
    snapshot = await tx.decisions.snapshot(account, queue, at, None, heads=heads)
    return sorted(snapshot.tickets, key=lambda t: t.id)


async def agree(store: Store, account: AccountId, at: datetime) -> int:
    """Check that the copies are right; return how many tickets wait."""
    waiting = 0
    async with store.transaction(account) as tx:
        for queue in await tx.directory.queues():
            whole = await seen(tx, queue, at, heads=False)
            assert await seen(tx, queue, at, heads=True) == whole
            waiting += len(whole)
    return waiting


class Changes:
    """Whatever can happen to what waits, by a dice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.at = dice, later(0)

    def ticket(self) -> int:
        return self.dice.randint(1, 25)

    async def facts(self, tx: Transaction) -> None:
        status = self.dice.choice(["new", "open", "open", "solved"])
        assignee = self.dice.choice([None, None, None, 4])
        values = {"status": status, "assignee_id": assignee, "group_id": self.dice.choice([7, 7, 8, None])}
        await tx.tickets.store([facts(self.ticket(), updated_at=self.at, **values) for _ in range(3)])

    async def view(self, tx: Transaction) -> None:
        await tx.directory.put_view_tickets(30, [n for n in range(1, 26) if self.dice.random() < 0.4])

    async def sla(self, tx: Transaction) -> None:
        await tx.tickets.put_slas({self.ticket(): later(self.dice.randint(1, 900))}, self.at)

    async def skill(self, tx: Transaction) -> None:
        links = [SkillLink(False, self.ticket(), self.dice.choice("ab"), self.dice.random() < 0.7)]
        await tx.skills.apply(links)

    async def rule(self, tx: Transaction) -> None:
        await tx.skills.put_rule(self.dice.choice("ab"), self.dice.randint(1, 3), None)

    async def decline(self, tx: Transaction) -> None:
        await tx.offers.decline(self.ticket(), self.dice.choice([1, 2]), "skip", self.at)

    async def lift(self, tx: Transaction) -> None:
        await tx.offers.lift([self.ticket() for _ in range(5)], self.at)

    async def moved(self, tx: Transaction) -> None:
        await tx.tickets.put_group(self.ticket(), self.dice.choice([7, 8]))
        await tx.tickets.dedicate(self.ticket(), 1)
        await tx.tickets.park(self.ticket())

    async def preferring(self, tx: Transaction) -> None:
        number = self.ticket()
        if await tx.preferences.since(number) is None:
            await tx.preferences.begin([number], self.at, 0)
        else:
            await tx.preferences.end(number)

    async def queue(self, tx: Transaction) -> None:
        queue = self.dice.choice(QUEUES)
        state = self.dice.choice(["active", "active", "paused"])
        await tx.directory.put_queue(replace(queue, state=state, position=self.dice.randint(1, 5)))

    async def given(self, tx: Transaction) -> None:
        await round_(tx, self.at, BY_GROUP)

    def one(self) -> Callable[[Transaction], Awaitable[None]]:
        self.at += timedelta(seconds=self.dice.choice([1, 1, 30, int(PREFERRING.total_seconds())]))
        often = [self.facts] * 4
        rare = [
            self.view,
            self.sla,
            self.skill,
            self.rule,
            self.decline,
            self.lift,
            self.moved,
            self.preferring,
        ]
        return self.dice.choice([*often, *rare, self.queue, self.given])


@pytest.mark.parametrize("seed_number", [1, 2, 3])
async def test_copies_follow_whatever_happens(
    database: Database, account: AccountId, seed_number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = SqlStore(database), SqlStore(database)
    await seed(mine, account, *range(1, 12))
    changes, most = Changes(random.Random(seed_number)), 0
    async with mine.transaction(account) as tx:
        await tx.directory.delete_queue(Q.id)
        await tx.skills.put_known({"a": "A", "b": "B"})
        for queue in QUEUES:
            await tx.directory.put_queue(queue)
    for step in range(80):
        change = changes.one()
        async with changes.dice.choice([mine, other]).transaction(account) as tx:
            await change(tx)
        if step % 3 == 0:
            change = changes.one()
            with contextlib.suppress(UndoneError):
                async with mine.transaction(account) as tx:
                    await change(tx)
                    for queue in await tx.directory.queues():
                        await seen(tx, queue, changes.at, heads=True)
                    raise UndoneError
        if step % 20 == 19:
            monkeypatch.setattr(module, "CHANGES_SECONDS", 0.0 if step % 40 == 19 else 600.0)
            async with other.transaction(account) as tx:
                await tx.decisions.forget_changes()
        if step % 4 == 0:
            most = max(most, await agree(mine, account, changes.at))
    await agree(mine, account, changes.at)
    await agree(other, account, changes.at)
    assert most > 5


async def test_a_change_that_commits_late_is_not_missed(database: Database, account: AccountId) -> None:
    mine, other = SqlStore(database), SqlStore(database)
    await seed(mine, account, 1)
    await agree(mine, account, later(0))
    async with other.transaction(account) as slow:
        await slow.tickets.store([facts(2)])
        async with other.transaction(account) as tx:
            await tx.tickets.store([facts(3)])
        async with mine.transaction(account) as tx:
            assert [t.id for t in await seen(tx, Q, later(0), heads=True)] == [1, 3]
    async with mine.transaction(account) as tx:
        assert [t.id for t in await seen(tx, Q, later(0), heads=True)] == [1, 2, 3]


async def test_a_round_looks_at_what_it_may_give_and_tells_newcomers_once(
    database: Database, account: AccountId
) -> None:
    store = SqlStore(database)
    await seed(store, account, *range(1, 61), agents=(1,))
    async with store.transaction(account) as tx:
        await tx.directory.put_limits(1, 5, None)
        await tx.directory.sync_agents([agent(1)], [(1, 7)])
        assert len(await seen(tx, Q, later(0), heads=True)) == 60
        assert await round_(tx) == 60
    async with store.transaction(account) as tx:
        looked_at = [t.id for t in await seen(tx, Q, later(0), heads=True)]
    assert looked_at == list(range(6, 6 + BESIDES))


async def test_what_time_alone_moves_is_read_whole(database: Database, account: AccountId) -> None:
    store = SqlStore(database)
    await seed(store, account, 1, 2)
    late = replace(Q, id="late", position=9)
    options = QueueOptions(overflow_seconds=60, overflow_queue="late")
    async with store.transaction(account) as tx:
        await tx.directory.put_queue(late)
        await tx.directory.put_queue(replace(Q, options=options))
        assert [t.id for t in await seen(tx, late, later(59), heads=True)] == []
        assert [t.id for t in await seen(tx, late, later(60), heads=True)] == [1, 2]


async def test_boards_that_were_not_asked_for_longest_go_first(
    database: Database, account: AccountId, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqlStore(database)
    store._boards = module.Boards(room=15)
    await seed(store, account, *range(1, 11))
    async with store.transaction(account) as tx:
        await tx.directory.delete_queue(Q.id)
        await tx.directory.put_queue(replace(Q, id="one", kind="trigger", source=7))
        await tx.directory.put_queue(replace(Q, id="two", position=6))
        await tx.tickets.store([facts(n, group_id=8) for n in range(21, 29)])
        for queue in await tx.directory.queues():
            await seen(tx, queue, later(0), heads=True)
    assert [queue for _, queue in store._boards._boards] == ["two"]
    await agree(store, account, later(0))
