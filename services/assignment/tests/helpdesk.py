"""A helpdesk to which anything happens: people in Zendesk, agents, admins, networks, clocks, deaths of replicas."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from libs.crypto.data_keys import MemoryDataKeys
from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import CountingIds
from libs.zendesk.errors import ZendeskError
from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.app.ports import Store
from services.assignment.app.rows import QueueRow
from services.assignment.domain.errors import OfferEndedError, WebhookSignatureError
from services.assignment.tests.audit import Audit, once_each
from services.assignment.tests.books import books
from services.assignment.tests.house import ACCOUNT, BILLING, HOOK, SUPPORT, House, sign
from services.assignment.tests.mortal import KilledError, Life, MortalStore, MortalZendesk
from services.assignment.tests.zendesk import SECRET, LocalZendesk

AGENTS, GROUPS, VIEW = (1, 2, 3, 4), (SUPPORT, BILLING), 70
ROUTABLE = ("new", "open")
HABITS = {
    "plain": AccountOptions(),
    "same agent": AccountOptions(same_agent_hours=24, same_agent_tag="same_agent"),
    "shares": AccountOptions(group_shares=((SUPPORT, 1), (BILLING, 1))),
    "out of office": AccountOptions(ooo_statuses=("away",), ooo_release=True, ooo_advanced=True),
    "returned": AccountOptions(returned="offline"),
    "capacity": AccountOptions(capacity_units=2),
}
"""What an account may use beyond queues, by name."""
Told = tuple[bytes, str, str]
"""Body, timestamp and invocation of a webhook."""


class Helpdesk:
    """One account, its Zendesk, and replicas that serve it.

    Args:
        store: the replicas' database.
        end_leases: what lets every lease of a dead writer end.
        replicas: how many.
    """

    def __init__(self, store: Store, end_leases: Callable[[], Awaitable[None]], replicas: int = 1) -> None:
        self.store, self.end_leases = store, end_leases
        # Zendesk has a clock of its own: ours may be wrong.
        self.clock, self.true_clock, self.ids = ManualClock(), ManualClock(), CountingIds()
        self.zendesk = LocalZendesk(self.true_clock)
        self.sealer = Envelope(LocalKeyProvider([bytes(32)]), MemoryDataKeys())
        self.audit, self.sent, self.touched = Audit(), list[Told](), set[int]()
        self.viewed: set[int] = set()
        self.zendesk.views[VIEW] = lambda ticket: ticket["id"] in self.viewed
        for agent in AGENTS:
            self.zendesk.agent(agent, *GROUPS[agent % 2 :])
        self.houses = [self._house(Life()) for _ in range(replicas)]

    def _house(self, life: Life) -> House:
        return House(
            MortalStore(self.store, life),
            self.zendesk,
            self.clock,
            self.ids,
            sealer=self.sealer,
            reach=MortalZendesk(self.zendesk, life),
        )

    async def open(
        self,
        model: str,
        batch: int | None,
        daily: int | None,
        offer: int | None,
        habits: str = "plain",
        *,
        pull_only: bool = False,
    ) -> None:
        """Sync, make a queue of a view before the queue of everything, and let two agents begin to work."""
        self.offer = offer
        await self.houses[0].open(1, 2)
        await self.houses[0].queues.change_settings(
            ACCOUNT, "", lambda row: replace(row, options=HABITS[habits]), validate_only=False
        )
        await self.houses[0].queue(
            "view",
            source=VIEW,
            model=model,
            batch_size=batch,
            daily_limit=daily,
            options=QueueOptions(offer_seconds=None if pull_only else offer, pull_only=pull_only),
        )

    async def check(self) -> None:
        """Check everything that must hold now; what changes the queue gives nothing by itself."""
        async with self.store.transaction(ACCOUNT) as tx:
            view = await tx.directory.queue("view")
            fresh = await tx.decisions.page(self.audit.seen, 10_000, None)
        if view is not None and view.options.pull_only:
            pushed = [d.id for d in fresh if (d.queue, d.mechanism) == ("view", "queue") and d.agent_id]
            assert not pushed, f"{pushed} were pushed from a queue that gives to who asks alone"
        await self.audit(self.houses[0], self.store, self.zendesk.tickets.keys() - self.touched)

    # time and trouble

    async def pass_time(self, seconds: int) -> None:
        """Let time pass everywhere; no lease lasts longer than a minute."""
        self.clock.advance(timedelta(seconds=seconds))
        self.true_clock.advance(timedelta(seconds=seconds))
        if seconds >= 60:
            await self.end_leases()

    async def step_clock(self, seconds: int) -> None:
        """Set our own clock forward or back."""
        self.clock.advance(timedelta(seconds=seconds))

    async def trouble(self, route: str, times: int, status: int, lost: bool) -> None:
        """Let the next requests of a route go wrong."""
        headers = {"retry-after": "1"} if status == 429 else {}
        self.zendesk.fault(route, times=times, status=status, lost=lost and not status, headers=headers)

    # people in Zendesk

    def one(self, number: int) -> int | None:
        """Return a ticket of Zendesk by any number; None when there is none."""
        tickets = sorted(self.zendesk.tickets)
        return tickets[number % len(tickets)] if tickets else None

    async def arrive(self, group: int | None, priority: str | None, viewed: bool) -> None:
        """A customer writes."""
        number = max([0, *self.zendesk.tickets, *self.zendesk.deleted]) + 1
        self.zendesk.ticket(number, group_id=group, priority=priority, requester_id=900 + number % 3)
        if viewed:
            self.viewed.add(number)

    async def by_hand(self, ticket: int, **values: Any) -> None:
        """Somebody changes a ticket in Zendesk, a second after whatever we did."""
        number = self.one(ticket)
        if number is None or self.zendesk.tickets[number]["status"] == "closed":
            return
        self.true_clock.advance(timedelta(seconds=1))
        self.touched.add(number)
        self.zendesk.change(number, **values)

    async def take(self, ticket: int, agent: int | None) -> None:
        """Somebody assigns a ticket, or takes it from whoever has it."""
        status = {"status": "open"} if agent else {}
        group = {"group_id": min(self.groups(agent))} if agent and self.groups(agent) else {}
        await self.by_hand(ticket, assignee_id=agent, **status, **group)

    async def remove(self, ticket: int) -> None:
        """Somebody deletes a ticket."""
        if (number := self.one(ticket)) is not None:
            self.true_clock.advance(timedelta(seconds=1))
            self.touched.add(number)
            self.zendesk.delete(number)

    async def show(self, ticket: int) -> None:
        """A ticket enters the view, or leaves it."""
        if (number := self.one(ticket)) is not None:
            self.viewed ^= {number}

    def groups(self, agent: int | None) -> set[int]:
        """Return an agent's groups in Zendesk."""
        return {group for user, group in self.zendesk.memberships if user == agent}

    async def move(self, agent: int, group: int, joins: bool) -> None:
        """An agent joins a group, or leaves it: Zendesk takes his tickets there from him."""
        (self.zendesk.memberships.add if joins else self.zendesk.memberships.discard)((agent, group))
        for number, row in self.zendesk.tickets.items() if not joins else ():
            if (row["assignee_id"], row["group_id"]) == (agent, group) and row["status"] != "closed":
                self.true_clock.advance(timedelta(seconds=1))
                self.touched.add(number)
                self.zendesk.change(number, assignee_id=None)

    async def suspend(self, agent: int, suspended: bool) -> None:
        """An admin suspends an agent, or lets him in again."""
        self.zendesk.users[agent]["suspended"] = suspended

    # Zendesk and callers of the service

    async def webhook(self, replica: int, ticket: int, keep: bool) -> None:
        """Zendesk tells about a ticket, now or (`keep`) by and by."""
        if (number := self.one(ticket)) is None:
            return
        house = self.houses[replica]
        self.sent.append((house.body(number), self.zendesk.stamp(), f"inv-{len(self.sent)}"))
        if not keep:
            await self.deliver(replica, len(self.sent) - 1)

    async def deliver(self, replica: int, number: int) -> None:
        """A webhook arrives: again, late, out of order."""
        if self.sent:
            body, stamp, invocation = self.sent[number % len(self.sent)]
            with contextlib.suppress(WebhookSignatureError):  # older than five minutes, or our clock is wrong
                await self.houses[replica].ingest(ACCOUNT, body, sign(SECRET, stamp, body), stamp, invocation)

    async def minute(self, replica: int) -> None:
        """The minute job runs."""
        with contextlib.suppress(ZendeskError, DependencyUnavailableError):
            await self.houses[replica].job(ACCOUNT, catch_up=True, wait_for_writes=True)

    async def write(self, replica: int) -> None:
        """The writer drains the outbox."""
        with contextlib.suppress(ZendeskError, DependencyUnavailableError):
            await self.houses[replica].write(ACCOUNT)

    async def sync(self, replica: int) -> None:
        """The directory is read anew."""
        with contextlib.suppress(ZendeskError, DependencyUnavailableError):
            await self.houses[replica].sync(ACCOUNT, HOOK)

    async def pull(self, replica: int, agent: int, request: int) -> None:
        """An agent asks for the next ticket; he may repeat himself."""
        with contextlib.suppress(ZendeskError, DependencyUnavailableError):
            await self.houses[replica].next(ACCOUNT, agent, f"pull-{agent}-{request}")

    async def answer(self, replica: int, offer: int, accept: bool) -> None:
        """An agent answers an offer, whatever became of it."""
        made = sorted((o.id, o.agent) for o in (await books(self.store)).offers)
        if made:
            offer_id, agent = made[offer % len(made)]
            with contextlib.suppress(OfferEndedError):
                await self.houses[replica].answer(ACCOUNT, offer_id, agent, accept=accept)

    async def expire(self, replica: int) -> None:
        """The sweeper ends offers."""
        await self.houses[replica].expire(ACCOUNT)

    async def skip(self, replica: int, ticket: int, agent: int) -> None:
        """An agent passes a ticket over."""
        if (number := self.one(ticket)) is not None:
            with contextlib.suppress(NotFoundError, PermissionDeniedError, ZendeskError):
                await self.houses[replica].skip(ACCOUNT, number, agent, "no reason")

    async def release(self, replica: int, agent: int) -> None:
        """An agent's tickets are given back."""
        await self.houses[replica].release(ACCOUNT, agent, validate_only=False)

    async def status(self, replica: int, agent: int, status: str) -> None:
        """An agent changes his status."""
        await self.houses[replica].absences.set_statuses(ACCOUNT, {agent: status}, agent)

    async def limits(self, replica: int, agent: int, inbox: int | None, daily: int | None) -> None:
        """An admin changes an agent's limits."""
        await self.houses[replica].set_limits(agent, inbox, daily)

    async def rules(
        self, replica: int, batch: int | None, daily: int | None, state: str, *, pull_only: bool = False
    ) -> None:
        """An admin changes the queue of the view; while it gives to who asks alone it offers nothing."""
        async with self.houses[replica].store.transaction(ACCOUNT) as tx:
            await tx.decisions.lock()
            queue = await tx.directory.queue("view")
            assert queue is not None
            offer = None if pull_only else self.offer
            options = replace(queue.options, pull_only=pull_only, offer_seconds=offer)
            await tx.directory.put_queue(
                replace(queue, batch_size=batch, daily_limit=daily, state=state, options=options)
            )

    @asynccontextmanager
    async def dying(self, replica: int, steps: int) -> AsyncIterator[None]:
        """Let a replica die after so many steps of what it does next; another one takes its place."""
        self.houses[replica] = house = self._house(Life(steps))
        try:
            # Who waits for what the process did beside him is cancelled with it.
            with contextlib.suppress(KilledError, asyncio.CancelledError):
                yield
        finally:
            await house.drain.close()
            self.houses[replica] = self._house(Life())

    # the end of the day

    async def settle(self) -> None:
        """Let all trouble end, and the work be done.

        Raises:
            AssertionError: it never is.
        """
        self.zendesk.faults.clear()
        self.clock.set(self.true_clock.now())  # somebody puts our clock right
        house, quiet = self.houses[0], 0
        await house.sync(ACCOUNT, HOOK)
        for _ in range(20):
            seen = self.audit.seen
            for offer in (await books(self.store)).thought_about:
                with contextlib.suppress(OfferEndedError):
                    await house.answer(ACCOUNT, offer.id, offer.agent, accept=True)
            await self.pass_time(120)
            await house.job(ACCOUNT, catch_up=True, wait_for_writes=True)
            await self.check()
            quiet = quiet + 1 if self.audit.seen == seen and not await house.pending() else 0
            if quiet == 2:  # what went back in the first of them waited for the second
                return
        raise AssertionError("the work is never done")

    async def settled(self) -> None:
        """Check what must hold once nothing happens any more."""
        kept, tickets = await books(self.store), self.zendesk.tickets
        # A ticket that is deleted does not say any more what was written to it.
        rows = [d for d in await self.houses[0].decisions() if d.ticket not in self.zendesk.deleted]
        known, written = {d.id for d in rows}, set(once_each(self.zendesk))
        confirmed = {d.id for d in rows if d.write == "confirmed"}
        assert confirmed == written & known, "what we say was written is not what was"
        for given in kept.live:
            shown = tickets.get(given.ticket, {}).get("assignee_id")
            assert shown == given.agent, f"ticket {given.ticket} is {shown}'s in Zendesk, not {given.agent}'s"
        asking: list[int] = []
        for number, row in tickets.items():
            ours = await self.houses[0].ticket(number)
            assert (ours.facts.assignee_id, ours.facts.status) == (row["assignee_id"], row["status"])
            if row["assignee_id"] is None and row["status"] in ROUTABLE:
                found = [a for a in AGENTS if await self._may_take(a, row)]
                if found and (await self._queue_of(row)).options.pull_only:
                    asking.append(found[0])
                else:
                    assert not found, f"ticket {number} waits although agents {found} are free"
        for agent in asking[
            :1
        ]:  # he may have any ticket of the queue, so whoever comes after him perhaps none
            assert await self.houses[0].next(ACCOUNT, agent, "") != (None, None), f"agent {agent} got nothing"

    async def _queue_of(self, ticket: dict[str, Any]) -> QueueRow:
        """Return the queue that holds a ticket, by our settings and what the view shows."""
        async with self.store.transaction(ACCOUNT) as tx:
            queues = await tx.directory.queues()
        return next(
            q for q in queues if q.state == "active" and (not q.source or ticket["id"] in self.viewed)
        )

    async def _may_take(self, agent: int, ticket: dict[str, Any]) -> bool:
        """Tell whether an agent could take a ticket, by Zendesk's rows and our settings alone."""
        house, kept = self.houses[0], await books(self.store)
        async with self.store.transaction(ACCOUNT) as tx:
            row = await tx.directory.agent(agent)
            account = await tx.directory.account()
        assert row is not None
        assert account is not None
        held = [t for t in self.zendesk.tickets.values() if t["assignee_id"] == agent]
        most = min(row.inbox_limit or len(held) + 1, account.options.capacity_units or len(held) + 1)
        room = sum(t["status"] in ROUTABLE for t in held) < most
        queue = await self._queue_of(ticket)
        since = house.clock.now() - timedelta(hours=12)
        given = [
            a.queue
            for a in kept.assignments
            if a.agent == agent and a.mechanism == "queue" and a.state != "conflict" and a.at > since
        ]
        if queue.kind == "scheduled":
            room = room and len(given) < (row.daily_limit or len(given) + 1)
            room = room and given.count(queue.id) < (queue.daily_limit or len(given) + 1)
        in_group = (
            bool(self.groups(agent))
            if ticket["group_id"] is None
            else ticket["group_id"] in self.groups(agent)
        )
        return (
            room
            and in_group
            and row.status == "online"
            and not self.zendesk.users[agent]["suspended"]
            and (ticket["id"], agent) not in kept.declined
        )

    async def log(self) -> Sequence[str]:
        """Return what was decided, and how it stands, line by line."""
        async with self.store.transaction(ACCOUNT) as tx:
            rows = await tx.decisions.page(0, 10_000, None)
        kept = await books(self.store)
        told = [
            f"{r.sequence}: {r.as_of:%H:%M:%S} {r.command}: ticket {r.ticket} {r.outcome} {r.agent_id or ''} {r.write}"
            for r in rows
        ]
        return [*told, *(f"live: {g}" for g in [*kept.live, *kept.thought_about]), f"turns: {kept.rotation}"]
