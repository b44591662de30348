"""The process is killed at every await of what assigns tickets: none is lost, none is given twice, no turn is lost.

Everything is real: PostgreSQL, the Zendesk simulator behind a socket, SIGKILL. After each death another replica goes
on, and Zendesk's own audits say what was written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.ids import CountingIds
from libs.testing.postgres import FreshDatabase
from libs.zendesk.tests.simulated import REQUESTER, SUPPORT, Zendesk, listening
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.copies import facts_of
from services.assignment.tests.audit import Audit
from services.assignment.tests.books import books
from services.assignment.tests.house import ACCOUNT, House, sign
from services.assignment.tests.zendesk import SECRET
from tests.failure.replicas import AtSimulator, Child

pytestmark = pytest.mark.integration

MORE_THAN_ENOUGH = 900
AGENTS = (1, 2, 4)
PEOPLE = [
    *(
        {"id": n, "role": "admin" if n == 1 else "agent", "name": f"A{n}", "groups": [SUPPORT]}
        for n in AGENTS
    ),
    {"id": REQUESTER, "role": "end-user", "name": "Cy", "email": "cy@example.com"},
]


@dataclass
class World:
    """One account: Zendesk, the replica to kill, and the one that lives on."""

    zendesk: Zendesk
    database: Database
    house: House
    child: Child
    tickets: list[int] = field(default_factory=list)

    async def begin(self, work: str) -> dict[str, str]:
        """Let there be something to do; return what is asked of the replica that dies."""
        (ticket,) = await self.zendesk.tickets({"group_id": SUPPORT})
        self.tickets.append(ticket)
        if work == "minute":
            self.zendesk.clock.advance(timedelta(seconds=61))  # the export keeps back the last minute
        elif work in ("write", "pull"):
            await self._learn(ticket, decide=work == "write")
        asked = {"work": work, "now": self.zendesk.clock.now().isoformat()}
        if work == "pull":
            return asked | {"agent": str(AGENTS[ticket % 3]), "request": f"pull-{ticket}"}
        return asked | (await self._webhook(ticket) if work == "webhook" else {})

    async def _learn(self, ticket: int, *, decide: bool) -> None:
        shown = await (await self.zendesk.client()).tickets.show(ticket)
        async with self.house.store.transaction(ACCOUNT) as tx:
            await tx.tickets.store([facts_of(shown)])
            (queue,) = await tx.directory.queues()
        if decide:
            await self.house.route(ACCOUNT, queue.id, f"decide/{ticket}", self.house.clock.now())

    async def _webhook(self, ticket: int) -> dict[str, str]:
        shown = await (await self.zendesk.client()).tickets.show(ticket)
        self.house.zendesk.ticket(
            ticket,
            group_id=shown.group_id,
            requester_id=shown.requester_id,
            created_at=shown.created_at.isoformat(),
            updated_at=shown.updated_at.isoformat(),
        )
        body, stamp = self.house.body(ticket), self.house.zendesk.stamp()
        signature = sign(SECRET, stamp, body)
        return {
            "body": body.decode(),
            "timestamp": stamp,
            "signature": signature,
            "invocation": f"inv-{ticket}",
        }

    async def go_on(self, asked: dict[str, str]) -> None:
        """Another replica goes on: what was asked is asked again, and its writer runs."""
        async with self.database.transaction() as connection:
            await connection.execute(text("UPDATE outbox SET lease_until = 'epoch'"))
        if asked["work"] == "pull":
            await self.house.next(ACCOUNT, int(asked["agent"]), asked["request"])
        elif asked["work"] == "webhook":
            signed = (asked["signature"], asked["timestamp"], asked["invocation"])
            await self.house.ingest(ACCOUNT, asked["body"].encode(), *signed)
        elif asked["work"] == "minute":
            await self.house.minute(minutes=0)
        await self.house.write(ACCOUNT)

    async def assignees(self, ticket: int) -> list[int]:
        """Return everybody whom Zendesk's audits name as having become the ticket's assignee."""
        headers = {"Authorization": f"Bearer {await self.zendesk.token()}"}
        path = f"{self.zendesk.base}/api/v2/tickets/{ticket}/audits.json"
        answer = await self.zendesk.http.get(path, headers=headers)
        events: list[dict[str, Any]] = [e for a in answer.json()["audits"] for e in a["events"]]
        return [int(e["value"]) for e in events if e.get("field_name") == "assignee_id" and e["value"]]


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    async with listening(users=PEOPLE) as zendesk:
        database = Database(url, 4)
        sealer = Envelope(LocalKeyProvider([bytes(32)]), SqlDataKeys(database))
        house = House(SqlStore(database), AtSimulator(zendesk), zendesk.clock, CountingIds(), sealer=sealer)
        await house.sync(ACCOUNT, "")
        await house.set_status("online", *AGENTS)
        secret = await sealer.seal(ACCOUNT, "webhook", "accounts", "webhook_secret", ACCOUNT, SECRET.encode())
        async with house.store.transaction(ACCOUNT) as tx:
            kept = await tx.directory.account()
            assert kept is not None
            await tx.directory.put_account(replace(kept, webhook="W1", webhook_secret=secret))
        settings = {"database": url, "zendesk": zendesk.base, "token": await zendesk.token()}
        child = Child("tests.failure.assignment_child", settings)
        try:
            yield World(zendesk, database, house, child)
        finally:
            child.end()
            await database.close()


@pytest.mark.parametrize(("work", "awaits"), [("minute", 60), ("webhook", 30), ("write", 30), ("pull", 60)])
async def test_whoever_dies_at_whatever_await_no_ticket_is_lost_or_given_twice(
    fresh_database: FreshDatabase, work: str, awaits: int
) -> None:
    async with world(fresh_database("services.assignment.migrations")) as here:
        for at in range(1, MORE_THAN_ENOUGH):
            asked = await here.begin(work)
            ended = await here.child.does(asked, at)
            await here.go_on(asked)
            if ended != "killed":
                assert ended == "done"
                break
        await here.house.minute()  # what only the safety net finds
        await Audit()(here.house, here.house.store, here.tickets)
        kept = await books(here.house.store)
        named = {ticket: await here.assignees(ticket) for ticket in here.tickets}
        decided = [d for d in await here.house.decisions() if d.agent_id is not None]

        assert await here.house.pending() == 0
    assert len(here.tickets) > awaits
    assert [d.write for d in decided] == ["confirmed"] * len(here.tickets)
    assert {ticket: [agent] for ticket, agent in ((g.ticket, g.agent) for g in kept.live)} == named
