"""AnswerOffer: the agent takes the ticket or declines it; and what becomes of offers that nobody answers."""

from __future__ import annotations

import asyncio
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError, PermissionDeniedError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.assignment.app.absences import Absences
from services.assignment.app.ports import Store, Transaction
from services.assignment.app.route import Route
from services.assignment.app.rows import OfferRow, TicketRow
from services.assignment.domain.errors import OfferEndedError

_ANSWERS = {True: "accepted", False: "declined"}


class AnswerOffer:
    """Answers offers. Whoever declines is not asked again about the ticket, which keeps its age."""

    def __init__(self, store: Store, route: Route, clock: Clock, wake: asyncio.Event) -> None:
        self._store = store
        self._route = route
        self._clock = clock
        self._wake = wake

    async def __call__(
        self, account: AccountId, offer_id: str, agent: int | None, *, accept: bool
    ) -> TicketRow:
        """Answer an offer; the same answer again changes nothing.

        Args:
            agent: who answers; None = a service, in the agent's name.

        Returns:
            the ticket as it is now; after a decline it may be offered to the next agent already.

        Raises:
            NotFoundError: no such offer.
            PermissionDeniedError: it was made to another agent.
            OfferEndedError: it was answered otherwise, expired or was withdrawn; tells who has the ticket.
        """
        now = self._clock.now()
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            offer = await tx.offers.one(offer_id)
            if agent is not None and (offer is None or offer.agent_id != agent):
                raise PermissionDeniedError("the offer was not made to you")
            if offer is None:
                name = f"accounts/{account}/offers/{offer_id}"
                raise NotFoundError("no such offer", metadata={"name": name})
            if offer.state == _ANSWERS[accept]:
                return await _ticket(tx, offer)
            if offer.state != "offered" or offer.expires_at <= now:
                raise await _ended(tx, offer)
            if accept:
                await tx.offers.accept(offer, now)
            else:
                await tx.offers.end(offer, "declined", now)
                await tx.offers.decline(offer.ticket, offer.agent_id, "decline", now)
                await offer_next(tx, self._route, offer, f"decline/{offer.id}", now)
            ticket = await _ticket(tx, offer)
        if accept:
            self._wake.set()
        return ticket


class ExpireOffers:
    """Ends offers that nobody answered in time, and offers their tickets to the next; safe to run at once."""

    def __init__(self, store: Store, route: Route, absences: Absences, clock: Clock) -> None:
        self._store = store
        self._absences = absences
        self._route = route
        self._clock = clock

    async def __call__(self, account: AccountId) -> int:
        """Return how many offers expired."""
        now = self._clock.now()
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            due = await tx.offers.due(now)
            for offer in due:
                await tx.offers.end(offer, "expired", now)
                await tx.offers.decline(offer.ticket, offer.agent_id, "expire", now)
            queues = {offer.queue: offer for offer in due}
            for offer in due:
                await self._set_aside(tx, offer)
            for offer in queues.values():
                await offer_next(tx, self._route, offer, f"expire/{offer.id}", now)
        return len(due)

    async def _set_aside(self, tx: Transaction, offer: OfferRow) -> None:
        """Give a status to who lets one offer after the other expire (facts: §5.7)."""
        queue, agent = await tx.directory.queue(offer.queue), await tx.directory.agent(offer.agent_id)
        if queue is None or agent is None or queue.options.missed_offers is None or agent.status != "online":
            return
        if await tx.offers.missed(agent.user_id, agent.status_at) >= queue.options.missed_offers:
            await self._absences.within(tx, {agent.user_id: queue.options.missed_status})
            get_logger().info("an agent missed his offers", agent=agent.user_id, queue=queue.id)


async def offer_next(tx: Transaction, route: Route, offer: OfferRow, command: str, now: datetime) -> None:
    """Run a round of the queue whose offer ended, so that nobody waits for the next minute."""
    queue = await tx.directory.queue(offer.queue)
    if queue is not None and queue.state == "active":
        await route.within(tx, queue, command, now)


async def _ticket(tx: Transaction, offer: OfferRow) -> TicketRow:
    ticket = await tx.tickets.one(offer.ticket)
    if ticket is None:
        raise NotFoundError("the ticket is gone", metadata={"name": f"tickets/{offer.ticket}"})
    return ticket


async def _ended(tx: Transaction, offer: OfferRow) -> OfferEndedError:
    other, ticket = await tx.offers.live(offer.ticket), await tx.tickets.one(offer.ticket)
    holder = other.agent_id if other is not None and other.id != offer.id else None
    if holder is None and ticket is not None:
        holder = ticket.facts.assignee_id
    state = "expired" if offer.state == "offered" else offer.state
    return OfferEndedError(
        f"the offer is {state}", metadata={"state": state, "agent": "" if holder is None else str(holder)}
    )
