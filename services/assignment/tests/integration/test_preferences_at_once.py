"""Replicas that look for one ticket's preference at once, on PostgreSQL: one decides, and all others leave it alone."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, CountingIds
from libs.zendesk.client import ZendeskClient
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.options import AccountOptions
from services.assignment.app.rows import Account
from services.assignment.domain.webhook import read_body
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

pytestmark = pytest.mark.integration
SHARES = AccountOptions(same_agent_hours=24, group_shares=((SUPPORT, 1), (BILLING, 1)))


@pytest.fixture
async def replicas(database: Database) -> list[House]:
    """Three replicas of an account of its own, with the same Zendesk."""
    async with database.transaction() as connection:
        await connection.execute(text("TRUNCATE preferring, outbox, group_turns, tickets"))
    clock, ids = ManualClock(), CountingIds()
    zendesk = LocalZendesk(clock)
    houses = [House(SqlStore(database), zendesk, clock, ids) for _ in range(3)]
    async with houses[0].store.transaction(ACCOUNT) as tx:
        await tx.directory.put_account(Account(ACCOUNT, clock.now(), options=SHARES))
    return houses


class Together:
    """Zendesk for replicas that all ask before any of them has its answer."""

    def __init__(self, zendesk: LocalZendesk, number: int) -> None:
        self._zendesk, self._missing, self._all = zendesk, number, asyncio.Event()

    async def of(self, account: AccountId) -> ZendeskClient:
        self._missing -= 1
        if self._missing <= 0:
            self._all.set()
        await self._all.wait()
        return await self._zendesk.of(account)


async def marked(house: House, *tickets: int) -> None:
    """Let tickets come whose taker dies at once."""
    for ticket in tickets:
        house.zendesk.ticket(ticket)
        async with house.store.transaction(ACCOUNT) as tx:
            await tx.decisions.lock()
            assert await house.prefer.store(tx, [read_body(house.body(ticket))]) == [ticket]


async def test_a_slow_replica_and_those_who_took_over_decide_once(replicas: list[House]) -> None:
    """Whoever is slower than its lease is still at it when others have the ticket: nobody knows who is alive."""
    first = replicas[0]
    await marked(first, 5)
    together = Together(first.zendesk, len(replicas))
    for house in replicas:
        house.prefer._zendesk = together

    await asyncio.gather(*(house.prefer(ACCOUNT, 5, f"replica/{n}") for n, house in enumerate(replicas)))

    async with first.store.transaction(ACCOUNT) as tx:
        assert sum((await tx.directory.group_turns()).values()) == 1
        assert await tx.preferences.since(5) is None
    assert first.zendesk.calls.count("GET users/905/tickets/requested") == 3
    assert await first.pending() == 1


async def test_replicas_that_take_up_what_is_left_ask_once_for_each(replicas: list[House]) -> None:
    first, tickets = replicas[0], range(11, 21)
    await marked(first, *tickets)

    await asyncio.gather(*(house.prefer.resume(ACCOUNT) for house in replicas))

    asked = [call for call in first.zendesk.calls if call.endswith("tickets/requested")]
    assert sorted(asked) == sorted(f"GET users/{900 + ticket}/tickets/requested" for ticket in tickets)
    async with first.store.transaction(ACCOUNT) as tx:
        assert await tx.directory.group_turns() == {SUPPORT: 5, BILLING: 5}
        assert await tx.preferences.take(0) is None
