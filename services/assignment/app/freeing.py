"""When what keeps agents from tickets ends by itself (facts: §7.1: "limit that frees at hh:mm, shift start")."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.assignment.app.ports import Transaction
from services.assignment.app.rounds import DAILY_WINDOW, run_start
from services.assignment.app.route import COOL_DOWN
from services.assignment.app.rows import OfferRow
from services.assignment.domain.eligibility import counted, relaxations
from services.assignment.domain.hours import Hours, opens_at
from services.assignment.domain.model import Agent, Code, Decision, Outcome, Queue, Snapshot, Ticket
from services.assignment.domain.sentences import about_agent
from services.assignment.domain.shifts import back_at

LONGEST_OFFER = timedelta(days=2)
"""Longer than any offer may be thought about, so that all live ones are found."""
_WINDOWS = (Code.DAILY_LIMIT, Code.QUEUE_DAILY_LIMIT, Code.RATE_LIMIT)
_HELD = (Code.INBOX_LIMIT, Code.CHANNEL_LIMIT, Code.CAPACITY)
_SAID = {
    Code.DAILY_LIMIT: "is the first below the limit of tickets in 12 hours, at",
    Code.QUEUE_DAILY_LIMIT: "is the first below the queue's limit of tickets in 12 hours, at",
    Code.RATE_LIMIT: "is the first below the rate limit, at",
    Code.BATCH_SIZE: "may have more in the next run, at",
    Code.INBOX_LIMIT: "has an offer to answer, and is below the inbox limit if it ends, at",
    Code.CHANNEL_LIMIT: "has an offer to answer, and is below the queue's open limit if it ends, at",
    Code.CAPACITY: "has an offer to answer, and enough capacity if it ends, at",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What ends by itself, of some agents.

    Attributes:
        given: (queue, instant) of what queues gave an agent lately.
        offers: what an agent thinks about.
        units: what a ticket of a queue takes of a capacity.
        interruptible: queues whose work may be interrupted.
    """

    given: Mapping[int, Sequence[tuple[str, datetime]]] = field(default_factory=dict)
    offers: Mapping[int, Sequence[OfferRow]] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)
    interruptible: frozenset[str] = frozenset()


async def known(tx: Transaction, codes: Mapping[int, Code], as_of: datetime) -> Known:
    """Read what is needed for the agents whose codes end by themselves."""
    windows = [a for a, code in codes.items() if code in _WINDOWS]
    held = {a for a, code in codes.items() if code in _HELD}
    given: dict[int, list[tuple[str, datetime]]] = {}
    if windows:
        for agent, queue, at in await tx.decisions.given(windows, as_of - DAILY_WINDOW):
            given.setdefault(agent, []).append((queue, at))
    offers: dict[int, list[OfferRow]] = {}
    if held:
        for offer in await tx.offers.due(as_of + LONGEST_OFFER):
            if offer.agent_id in held:
                offers.setdefault(offer.agent_id, []).append(offer)
    queues = await tx.directory.queues() if offers else []
    units = {q.id: q.options.work_units for q in queues}
    interruptible = frozenset(q.id for q in queues if q.options.interruptible)
    return Known(given, offers, units, interruptible)


def frees_at(agent: Agent, code: Code, queue: Queue, found: Known, as_of: datetime) -> datetime | None:
    """Return when a limit lets an agent have one more ticket if nothing else happens; None when it never does."""
    if code is Code.BATCH_SIZE:
        return run_start(as_of) + timedelta(minutes=1)
    if code in _WINDOWS:
        return _window_ends(agent, code, queue, found.given.get(agent.id, ()), as_of)
    offers = sorted(found.offers.get(agent.id, ()), key=lambda offer: offer.expires_at)
    if code is Code.INBOX_LIMIT and agent.inbox_limit is not None:
        return _nth(offers, agent.open_count - agent.inbox_limit + 1)
    if code is Code.CHANNEL_LIMIT and queue.open_limit is not None:
        return _nth([o for o in offers if o.queue == queue.id], agent.open_queue - queue.open_limit + 1)
    if code is Code.CAPACITY and agent.capacity is not None:
        needed = counted(agent, queue) + queue.work - agent.capacity
        for offer in offers:
            if queue.interruptible or offer.queue not in found.interruptible:
                needed -= found.units.get(offer.queue, 1)
            if needed <= 0:
                return offer.expires_at
    return None


def _window_ends(
    agent: Agent, code: Code, queue: Queue, given: Sequence[tuple[str, datetime]], as_of: datetime
) -> datetime | None:
    """Return when so much of what he got is as old as the window that he may get another."""
    everywhere, here = sorted(at for _, at in given), sorted(at for of, at in given if of == queue.id)
    if code is Code.DAILY_LIMIT:
        return _leaves(everywhere, agent.daily_limit, DAILY_WINDOW, as_of)
    if code is Code.QUEUE_DAILY_LIMIT:
        return _leaves(here, queue.daily_limit, DAILY_WINDOW, as_of)
    own, of_queue = timedelta(minutes=agent.rate_minutes or 0), timedelta(minutes=queue.rate_minutes or 0)
    both = (
        _leaves(everywhere, agent.rate_limit, own, as_of),
        _leaves(here, queue.rate_limit, of_queue, as_of),
    )
    return max((at for at in both if at is not None), default=None)


def _leaves(
    times: Sequence[datetime], limit: int | None, window: timedelta, as_of: datetime
) -> datetime | None:
    """Return when fewer of these instants than the limit are younger than a window; None when they are by now.

    At the very instant at which a ticket is as old as the window it does not count (facts: decisions 5 and 20).
    """
    counted = [at for at in times if at > as_of - window]
    if limit is None or len(counted) < limit:
        return None
    return counted[len(counted) - limit] + window


def _nth(offers: Sequence[OfferRow], number: int) -> datetime | None:
    return offers[number - 1].expires_at if 1 <= number <= len(offers) else None


async def shift_begins(tx: Transaction, agent: int, as_of: datetime) -> datetime | None:
    """Return when an agent who is off shift is back; None when no shift of his is known to begin."""
    schedules, shift = await tx.schedules.all(), (await tx.schedules.of_agents()).get(agent)
    schedule = schedules.get(shift) if shift is not None else None
    return back_at(
        await tx.schedules.exceptions(after=as_of, agents=[agent]),
        as_of,
        rests=lambda at: Hours(at, schedules).rests(shift),
        opens=lambda at: opens_at(schedule, at) if schedule is not None else None,
    )


def relaxes_at(tickets: Collection[Ticket], code: Code, as_of: datetime) -> datetime | None:
    """Return when the next skill of some tickets that bars somebody is relaxed: asked for less, or no more."""
    if code not in (Code.MISSING_SKILL, Code.SKILL_LEVEL):
        return None
    coming = [at for ticket in tickets for at, _, _ in relaxations(ticket) if at > as_of]
    return min(coming, default=None)


async def notes(tx: Transaction, decision: Decision, snapshot: Snapshot, as_of: datetime) -> list[str]:
    """Return when the limits that keep agents from a waiting ticket let the first of them have it, and when who
    declined it is asked again.
    """
    ticket = next((t for t in snapshot.tickets if t.id == decision.ticket), None)
    agents, codes = {a.id: a for a in snapshot.agents}, decision.codes
    if ticket is None or not codes:
        return []
    first: dict[Code, tuple[datetime, int]] = {}
    found = await known(tx, codes, as_of)
    for agent, code in codes.items():
        at = frees_at(agents[agent], code, snapshot.queue, found, as_of) if code in _SAID else None
        if at is not None and (code not in first or (at, agent) < first[code]):
            first[code] = at, agent
    said = [
        f"agent `{agent}` {_SAID[code]} {at:%Y-%m-%d %H:%M:%S} UTC"
        for code, (at, agent) in sorted(first.items(), key=lambda one: one[1])
    ]
    if decision.outcome is Outcome.WAITING_NO_ELIGIBLE_AGENT and Code.DECLINED in codes.values():
        last = await tx.offers.last_decline(ticket.id)
        if last is not None:
            said.append(f"everybody is asked again from {last + COOL_DOWN:%Y-%m-%d %H:%M:%S} UTC on")
    if ticket.dedicated is not None and ticket.dedicated in codes:
        about = about_agent(codes[ticket.dedicated])
        said.append(f"it is kept for agent `{ticket.dedicated}`: {about}")
    return said
