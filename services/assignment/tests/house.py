"""Assignment's use cases on a store, with a local Zendesk: what app tests run on."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from libs.crypto.data_keys import MemoryDataKeys
from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, IdSource
from libs.rpc.identity import Caller
from services.assignment.adapters.memory.suite import MemoryInstallations, MemoryPolicy, MemoryPrivacy
from services.assignment.app.absences import Absences
from services.assignment.app.answer_offer import AnswerOffer, ExpireOffers
from services.assignment.app.assign_next import AssignNext
from services.assignment.app.count_usage import GetUsage
from services.assignment.app.drain import Drain
from services.assignment.app.explain import Explain
from services.assignment.app.give_back import ReleaseAgentTickets, SkipTicket
from services.assignment.app.ingest_webhook import IngestWebhook
from services.assignment.app.manage_queues import ManageQueues
from services.assignment.app.ports import Store, Zendesk
from services.assignment.app.prefer import Prefer
from services.assignment.app.rehearsal import Rehearse
from services.assignment.app.restricted import Restricted
from services.assignment.app.returned import ReturnedTickets
from services.assignment.app.route import Route
from services.assignment.app.rows import DecisionRow, QueueRow, TicketRow
from services.assignment.app.run_minute_job import JobDone, RunMinuteJob
from services.assignment.app.schedules import SyncSchedules
from services.assignment.app.shift_exceptions import ShiftExceptions
from services.assignment.app.sync_account import SyncAccount
from services.assignment.app.sync_skills import SyncSkills
from services.assignment.app.update_agent_settings import UpdateAgentSettings
from services.assignment.app.watch import Bell, Watch
from services.assignment.app.why_idle import WhyIdle
from services.assignment.app.write_outbox import WriteOutbox
from services.assignment.tests.zendesk import SECRET, LocalZendesk

ACCOUNT = AccountId("acc-1")
HOOK = "https://edge.test/zendesk/webhooks/acc-1"
SUPPORT, BILLING = 20, 21


class House:
    """One replica."""

    def __init__(
        self,
        store: Store,
        zendesk: LocalZendesk,
        clock: ManualClock,
        ids: IdSource,
        bell: Bell | None = None,
        sealer: Envelope | None = None,
        reach: Zendesk | None = None,
    ) -> None:
        self.store, self.zendesk, self.clock, self.ids = store, zendesk, clock, ids
        reach = reach or zendesk  # what the use cases see of it
        self.installations, self.policy, self.wake = MemoryInstallations(), MemoryPolicy(), asyncio.Event()
        self.sealer = sealer or Envelope(LocalKeyProvider([bytes(32)]), MemoryDataKeys())
        self.privacy = MemoryPrivacy()
        self.restricted = Restricted(store, self.privacy, clock)
        self.route, self.write = Route(store, ids, self.restricted), WriteOutbox(store, reach)
        self.absences = Absences(store, clock, ids, self.wake)
        self.release = ReleaseAgentTickets(store, clock, ids, self.wake)
        self.returned = ReturnedTickets(store, reach, self.release, clock, self.wake)
        self.prefer = Prefer(store, reach, self.route, self.restricted, clock, ids, self.wake)
        self.skills = SyncSkills(store, reach, clock)
        self.schedules = SyncSchedules(store, reach, clock)
        self.sync = SyncAccount(
            store,
            reach,
            self.installations,
            self.policy,
            self.sealer,
            self.skills,
            self.schedules,
            clock,
            ids,
        )
        self.drain = Drain(store, self.route, clock, ids, self.wake)
        self.ingest = IngestWebhook(store, self.sealer, self.drain, self.prefer, clock, self.wake)
        self.job = RunMinuteJob(
            store,
            reach,
            self.route,
            self.prefer,
            self.absences,
            self.returned,
            self.skills,
            self.schedules,
            self.write,
            clock,
        )
        self.next = AssignNext(store, self.route, self.write, clock, ids)
        self.settings = UpdateAgentSettings(store, reach, self.policy)
        self.exceptions = ShiftExceptions(store, self.policy)
        self.queues = ManageQueues(store, clock)
        self.usage = GetUsage(store, clock)
        self.explain = Explain(store, self.route, clock)
        self.why_idle = WhyIdle(store, self.route, clock)
        self.rehearse = Rehearse(store, self.restricted, clock, ids)
        self.bell = bell or Bell()
        self.watch = Watch(store, self.bell)
        self.answer = AnswerOffer(store, self.route, clock, self.wake)
        self.expire = ExpireOffers(store, self.route, self.absences, clock)
        self.skip = SkipTicket(store, reach, self.route, self.release, clock, self.wake)
        self._invocations = 0

    async def open(self, *online: int) -> None:
        """Sync the account and bring agents online."""
        await self.sync(ACCOUNT, HOOK)
        await self.set_status("online", *online)

    async def rejected(self, row: DecisionRow, code: str) -> list[int]:
        """Return the agents whom a decision gives a code, after checking that it counts as many."""
        found = (await self.explain.decision(ACCOUNT, row.id)).codes
        named = sorted(agent for agent, one in found.items() if one == code)
        assert len(named) == row.rejected.get(code, 0)
        return named

    async def set_status(self, status: str, *agents: int) -> None:
        """Give agents a status."""
        async with self.store.transaction(ACCOUNT) as tx:
            await tx.directory.set_statuses(dict.fromkeys(agents, status), self.clock.now())

    async def set_limits(self, agent: int, inbox: int | None = None, daily: int | None = None) -> None:
        """Give an agent his own limits."""
        async with self.store.transaction(ACCOUNT) as tx:
            await tx.directory.put_limits(agent, inbox, daily)

    async def minute(self, *, minutes: int = 2) -> JobDone:
        """Let time pass, and run the minute job with everything it can do."""
        self.clock.advance(timedelta(minutes=minutes))
        return await self.job(ACCOUNT, catch_up=True, wait_for_writes=True)

    async def queue(self, queue_id: str, **values: Any) -> QueueRow:
        """Make a queue: scheduled, everything, before all others."""
        now = self.clock.now()
        row = QueueRow(
            **{
                "id": queue_id,
                "title": queue_id,
                "kind": "scheduled",
                "source": 0,
                "model": "round_robin",
                "position": 0,
                "created_at": now,
                "updated_at": now,
                **values,
            }
        )
        async with self.store.transaction(ACCOUNT) as tx:
            await tx.directory.put_queue(row)
        return row

    async def ticket(self, ticket: int) -> TicketRow:
        """Return what is known of a ticket."""
        async with self.store.transaction(ACCOUNT) as tx:
            row = await tx.tickets.one(ticket)
        assert row is not None
        return row

    async def decisions(self, ticket: int | None = None) -> list[DecisionRow]:
        """Return the log."""
        async with self.store.transaction(ACCOUNT) as tx:
            return await tx.decisions.page(0, 10_000, ticket)

    async def pending(self) -> int:
        """Return how many writes are not finished."""
        async with self.store.transaction(ACCOUNT) as tx:
            return await tx.outbox.pending()

    def body(self, ticket: int) -> bytes:
        """Return the body that our trigger sends about a ticket as it is now."""
        row = self.zendesk.tickets[ticket]
        names = ("status", "priority", "group_id", "assignee_id", "requester_id", "created_at", "updated_at")
        shown = {name: "" if row[name] is None else str(row[name]) for name in names}
        return json.dumps({"ticket_id": str(ticket), **shown}).encode()

    async def webhook(
        self, ticket: int, *, invocation: str = "", body: bytes | None = None, secret: str = SECRET
    ) -> tuple[bool, str]:
        """Deliver Zendesk's webhook about a ticket."""
        if not invocation:
            self._invocations += 1
            invocation = f"inv-{id(self)}-{self._invocations}"
        body, timestamp = self.body(ticket) if body is None else body, self.zendesk.stamp()
        return await self.ingest(ACCOUNT, body, sign(secret, timestamp, body), timestamp, invocation)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return what Zendesk puts into the signature's header."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def caller(user: int | None) -> Caller:
    """Return a caller: a person, or a service."""
    subject = f"user:{user}" if user is not None else "service:edge"
    return Caller("edge", ACCOUNT, "55", subject, "agent" if user is not None else None)
