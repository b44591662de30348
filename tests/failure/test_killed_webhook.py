"""The process is killed at every await of a new ticket's webhook: its preference is neither lost nor found twice.

Everything is real: PostgreSQL, the Zendesk simulator behind a socket, SIGKILL. Whoever lives on is another replica:
its minute job, or its answer to the webhook that Zendesk repeats.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.ids import CountingIds
from libs.testing.postgres import FreshDatabase
from libs.zendesk.models import Ticket
from libs.zendesk.tests.simulated import BILLING, REQUESTER, SUPPORT, Zendesk, listening
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.options import AccountOptions
from services.assignment.app.rows import DecisionRow, DedicatedRow
from services.assignment.tests.house import ACCOUNT, House, sign
from services.assignment.tests.zendesk import SECRET
from tests.failure.replicas import AtSimulator, Child

pytestmark = pytest.mark.integration

MORE_THAN_ENOUGH = 500
QUEUES, HIS, DEDICATED = 1, 2, 5
"""Agents: whom the queue would take, who had the requester's earlier ticket, whom a rule names."""
PEOPLE = [
    {"id": QUEUES, "role": "admin", "name": "Ada", "groups": [SUPPORT]},
    {"id": HIS, "role": "agent", "name": "Bo", "groups": [SUPPORT]},
    {"id": DEDICATED, "role": "agent", "name": "Di", "groups": [SUPPORT]},
    {"id": 6, "role": "agent", "name": "Ed", "groups": [BILLING]},
    {"id": REQUESTER, "role": "end-user", "name": "Cy", "email": "cy@example.com"},
]


@dataclass
class World:
    """One account: Zendesk, the replica to kill, and the one that lives on."""

    zendesk: Zendesk
    database: Database
    house: House
    child: Child

    async def ticket(self, **values: Any) -> Ticket:
        """Make a new ticket of the requester."""
        (number,) = await self.zendesk.tickets({"requester_id": REQUESTER, "group_id": SUPPORT, **values})
        return await (await self.zendesk.client()).tickets.show(number)

    def webhook(self, ticket: Ticket) -> dict[str, str]:
        """Return what Zendesk sends about it."""
        shown = {
            "ticket_id": str(ticket.id),
            "status": ticket.status,
            "priority": ticket.priority or "",
            "group_id": str(ticket.group_id or ""),
            "assignee_id": str(ticket.assignee_id or ""),
            "requester_id": str(ticket.requester_id),
            "created_at": ticket.created_at.isoformat(),
            "updated_at": ticket.updated_at.isoformat(),
        }
        body, timestamp = json.dumps(shown), self.zendesk.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        signature = sign(SECRET, timestamp, body.encode())
        return {
            "body": body,
            "timestamp": timestamp,
            "signature": signature,
            "invocation": f"inv-{ticket.id}",
        }

    async def marked(self, ticket: int) -> bool:
        """Tell whether its preference is still to be found."""
        async with self.house.store.transaction(ACCOUNT) as tx:
            return await tx.preferences.since(ticket) is not None

    async def leases_end(self) -> None:
        """Let the dead holder's lease end on the database's clock."""
        async with self.database.transaction() as connection:
            await connection.execute(text("UPDATE preferring SET lease_until = 'epoch'"))

    async def no_queue_goes_ahead(self, tickets: list[int]) -> None:
        """Run every queue while preferences are to be found; none takes such a ticket."""
        async with self.house.store.transaction(ACCOUNT) as tx:
            queues = await tx.directory.queues()
        for queue in queues:
            await self.house.route(ACCOUNT, queue.id, "ahead", self.house.clock.now())
        assert not any([await self.house.decisions(ticket) for ticket in tickets])

    async def killed_everywhere(
        self, how: str, *, step: int = 1, **values: Any
    ) -> tuple[list[int], list[int]]:
        """Kill at the first await, the second, … until a webhook ends before its kill; then let the other replica
        do its part: run the minute job, or answer the webhooks' repeats first.

        Args:
            step: kill at every await, every second, …: the ways to the same marks differ only behind them.

        Returns:
            the tickets, and those of them that were marked after the kill.
        """
        webhooks: dict[int, dict[str, str]] = {}
        for at in range(1, MORE_THAN_ENOUGH, step):
            ticket = await self.ticket(**values)
            webhooks[ticket.id] = self.webhook(ticket)
            if (ended := await self.child.does(webhooks[ticket.id], at)) != "killed":
                assert ended == "done"
                break
        marked = [ticket for ticket in webhooks if await self.marked(ticket)]
        await self.no_queue_goes_ahead(marked)
        await self.leases_end()
        if how == "repeat":
            for webhook in webhooks.values():
                assert await self.child.does(webhook) == "done"
            assert not any([await self.marked(ticket) for ticket in webhooks])
        self.house.clock.advance(timedelta(seconds=61))  # the export keeps back the last minute
        await self.house.minute(minutes=0)
        assert not any([await self.marked(ticket) for ticket in webhooks])
        return [*webhooks], marked

    async def given(self, ticket: int) -> list[DecisionRow]:
        """Return the decisions that gave it to somebody."""
        return [d for d in await self.house.decisions(ticket) if d.agent_id is not None]


@asynccontextmanager
async def world(url: str, options: AccountOptions) -> AsyncIterator[World]:
    async with listening(users=PEOPLE) as zendesk:
        database = Database(url, 4)
        house = House(SqlStore(database), AtSimulator(zendesk), zendesk.clock, CountingIds())
        await house.sync(ACCOUNT, "")
        await house.set_status("online", QUEUES, HIS, DEDICATED)
        sealer = Envelope(LocalKeyProvider([bytes(32)]), SqlDataKeys(database))
        secret = await sealer.seal(ACCOUNT, "webhook", "accounts", "webhook_secret", ACCOUNT, SECRET.encode())
        async with house.store.transaction(ACCOUNT) as tx:
            kept = await tx.directory.account()
            assert kept is not None
            await tx.directory.put_account(
                replace(kept, webhook="W1", webhook_secret=secret, options=options)
            )
        settings = {"database": url, "zendesk": zendesk.base, "token": await zendesk.token()}
        child = Child("tests.failure.webhook_child", settings | {"account": ACCOUNT})
        try:
            yield World(zendesk, database, house, child)
        finally:
            child.end()
            await database.close()


@pytest.mark.parametrize(("how", "step"), [("job", 1), ("repeat", 3)])
async def test_the_requester_s_agent_gets_the_ticket_whenever_its_taker_dies(
    fresh_database: FreshDatabase, how: str, step: int
) -> None:
    url = fresh_database("services.assignment.migrations")
    async with world(url, AccountOptions(same_agent_hours=8760)) as here:
        await here.ticket(assignee_id=HIS, status="open")
        tickets, marked = await here.killed_everywhere(how, step=step)
        given = [await here.given(ticket) for ticket in tickets]

    assert len(tickets) > 30 / step
    assert 0 < len(marked) < len(tickets)
    assert {(len(d), d[0].mechanism, d[0].agent_id) for d in given} == {(1, "same_agent", HIS)}


async def test_a_group_s_share_is_counted_once_whenever_the_ticket_s_taker_dies(
    fresh_database: FreshDatabase,
) -> None:
    url = fresh_database("services.assignment.migrations")
    shares = ((SUPPORT, 1), (BILLING, 1))
    async with world(url, AccountOptions(group_shares=shares)) as here:
        await here.house.set_status("away", QUEUES, HIS, DEDICATED)  # the group alone is decided
        tickets, marked = await here.killed_everywhere("job", step=3, group_id=None)
        async with here.house.store.transaction(ACCOUNT) as tx:
            turns = await tx.directory.group_turns()
        groups = [(await here.house.ticket(ticket)).facts.group_id for ticket in tickets]

    assert len(tickets) > 7
    assert 0 < len(marked) < len(tickets)
    assert turns == {group: groups.count(group) for group in (SUPPORT, BILLING)}
    assert abs(turns[SUPPORT] - turns[BILLING]) <= 1


async def test_a_dedicated_agent_gets_the_ticket_whenever_its_taker_dies(
    fresh_database: FreshDatabase,
) -> None:
    url = fresh_database("services.assignment.migrations")
    async with world(url, AccountOptions()) as here:
        rules = [DedicatedRow("tag", "vip", (DEDICATED,))]
        await here.house.queues.replace_dedicated_rules(ACCOUNT, rules, validate_only=False)
        tickets, marked = await here.killed_everywhere("job", step=3, tags=["vip"])
        given = [await here.given(ticket) for ticket in tickets]

    assert len(tickets) > 10
    assert 0 < len(marked) < len(tickets)
    assert {(len(d), d[0].mechanism, d[0].agent_id) for d in given} == {(1, "dedicated", DEDICATED)}
