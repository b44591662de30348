"""ReleaseAgentTickets and SkipTicket: tickets go back to their queues."""

from __future__ import annotations

import asyncio

from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId, IdSource
from services.assignment.app.answer_offer import offer_next
from services.assignment.app.ports import Store, Transaction, Zendesk
from services.assignment.app.route import Route


class ReleaseAgentTickets:
    """Gives an agent's open tickets back: all of them, not only the latest, paced by the writer."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource, wake: asyncio.Event) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._wake = wake

    async def __call__(self, account: AccountId, agent: int, *, validate_only: bool) -> int:
        """Return how many tickets go back; until Zendesk has it, the same call tells the same.

        Raises:
            NotFoundError: the user is no agent of this account.
        """
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            if await tx.directory.agent(agent) is None:
                name = f"accounts/{account}/agents/{agent}"
                raise NotFoundError("no such agent", metadata={"name": name})
            free, going = await tx.outbox.releasable(agent)
            if validate_only or not free:
                return free + going
            going = await self.within(tx, agent, free)
        self._wake.set()
        return going

    async def within(self, tx: Transaction, agent: int, free: int, only: int | None = None) -> int:
        """Queue the writes inside a transaction that holds the lock; return how many are on their way now."""
        ids = [self._ids.new("rel") for _ in range(free)]
        return await tx.outbox.release_tickets(agent, ids, self._clock.now(), only)


class SkipTicket:
    """Passes a ticket over: it does not come to the agent again until he has skipped all others.

    Args:
        zendesk: is told; None in a rehearsal.
    """

    def __init__(
        self, store: Store, zendesk: Zendesk | None, route: Route, release: ReleaseAgentTickets, clock: Clock,
        wake: asyncio.Event,
    ) -> None:  # fmt: skip
        self._store = store
        self._zendesk = zendesk
        self._route = route
        self._release = release
        self._clock = clock
        self._wake = wake

    async def __call__(self, account: AccountId, ticket: int, agent: int, reason: str) -> None:
        """Skip a ticket that waits, is offered to the agent, or is his; his own goes back to its queue.

        Args:
            reason: for Zendesk alone: it may say something about a person, so that we do not keep it.

        Raises:
            NotFoundError: the ticket is none of these.
            ZendeskError: Zendesk did not record the skip; ours counts, and the same call tells Zendesk again.
        """
        now = self._clock.now()
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            row, offer = await tx.tickets.one(ticket), await tx.offers.live(ticket)
            offered = offer if offer is not None and offer.agent_id == agent else None
            mine = row is not None and row.facts.assignee_id == agent
            if row is None or not (offered or mine or row.routing == "waiting"):
                name = f"accounts/{account}/tickets/{ticket}"
                raise NotFoundError("the ticket neither waits nor is yours", metadata={"name": name})
            untold = await tx.offers.decline(ticket, agent, "skip", now)
            if offered is not None:
                await tx.offers.end(offered, "declined", now)
                await offer_next(tx, self._route, offered, f"skip/{offered.id}", now)
            free, _ = await tx.outbox.releasable(agent, ticket)
            if mine and free:
                await self._release.within(tx, agent, free, ticket)
        self._wake.set()
        if untold and self._zendesk is not None:
            client = await self._zendesk.of(account)
            await client.tickets.skip(ticket, reason)
            async with self._store.transaction(account) as tx:
                await tx.offers.told(ticket, agent)
