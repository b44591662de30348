"""The writer drains what was decided, and one slow or broken account holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.app.background import Writer
from services.assignment.app.ports import Store
from services.assignment.app.write_outbox import WriteOutbox
from services.assignment.tests.store_conformance import round_, seed
from services.assignment.tests.zendesk import LocalZendesk

SLOW, BROKEN, GOOD = AccountId("acc-1"), AccountId("acc-2"), AccountId("acc-3")


class ByAccount:
    """Three accounts' Zendesk: one hangs until it may go on, one's auth is out of order, one works."""

    def __init__(self, zendesk: LocalZendesk) -> None:
        self.zendesk, self.go_on, self.asked = zendesk, asyncio.Event(), asyncio.Event()

    async def of(self, account: AccountId) -> ZendeskClient:
        if account == SLOW:
            self.asked.set()
            await self.go_on.wait()
        if account == BROKEN:
            raise DependencyUnavailableError("no grant")
        return await self.zendesk.of(account)


async def until(done: Callable[[], bool]) -> None:
    """Let other tasks run until something is so; the test's own time limit ends a vain wait."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - what is waited for is no event of ours
            await asyncio.sleep(0)


async def decided(store: Store, account: AccountId, *tickets: int) -> None:
    await seed(store, account, *tickets, agents=(1,))
    async with store.transaction(account) as tx:
        await round_(tx)


@pytest.fixture
def both() -> ByAccount:
    zendesk = LocalZendesk(ManualClock())
    zendesk.agent(1, 7)
    for ticket in range(1, 6):
        zendesk.ticket(ticket, group_id=7)
    return ByAccount(zendesk)


async def test_a_slow_account_and_a_broken_one_hold_up_nobody(both: ByAccount) -> None:
    store, wake, zendesk = MemoryStore(), asyncio.Event(), both.zendesk
    for number, account in enumerate((SLOW, BROKEN, GOOD), 1):
        await decided(store, account, number)
    writer = asyncio.create_task(Writer(store, WriteOutbox(store, both), wake).run())
    try:
        wake.set()
        await until(lambda: (3, 1) in zendesk.writes)
        assert both.asked.is_set()
        # What is decided while one account hangs is written too: for others at once, for itself afterwards.
        await seed(store, GOOD, 4, agents=(1,))
        async with store.transaction(GOOD) as tx:
            await round_(tx)
        wake.set()
        await until(lambda: (4, 1) in zendesk.writes)
        await seed(store, SLOW, 5, agents=(1,))
        async with store.transaction(SLOW) as tx:
            await round_(tx)
        wake.set()
        await until(lambda: not wake.is_set())
        both.go_on.set()
        await until(lambda: len(zendesk.writes) == 4)
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)

    assert sorted(zendesk.writes) == [(1, 1), (3, 1), (4, 1), (5, 1)]
    async with store.transaction(BROKEN) as tx:
        assert await tx.outbox.pending() == 1
