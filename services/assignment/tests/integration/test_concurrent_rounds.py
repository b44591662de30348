"""Replicas side by side on PostgreSQL: each ticket once, no agent over a limit, no turn lost, no deadlock."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.replicas import Replicas
from libs.kernel.clock import ManualClock
from libs.kernel.errors import ConcurrentChangeError
from libs.kernel.ids import CountingIds
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.background import MinuteTicker
from services.assignment.app.options import QueueOptions
from services.assignment.domain.errors import OfferEndedError
from services.assignment.domain.limits import Limit
from services.assignment.domain.rotation import TURN
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk

pytestmark = pytest.mark.integration
LIMIT = 6
AGENTS = (1, 2, 3, 4)


@pytest.fixture
async def replicas(database: Database) -> list[House]:
    """Four replicas on one database and one Zendesk, freshly synced."""
    async with database.transaction() as connection:
        tables = (
            await connection.execute(
                text(
                    "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
                    "WHERE schemaname = 'public' AND tablename <> 'schema_version'"
                )
            )
        ).scalar_one()
        await connection.execute(text(f"TRUNCATE {tables}"))
    clock, ids = ManualClock(), CountingIds()
    zendesk = LocalZendesk(clock)
    for agent in AGENTS:
        zendesk.agent(agent, SUPPORT)
    houses = [House(SqlStore(database), zendesk, clock, ids) for _ in range(4)]
    for house in houses[1:]:
        house.sealer = house.ingest._sealer = houses[0].sealer
    await houses[0].open(*AGENTS)
    for agent in AGENTS:
        await houses[0].set_limits(agent, inbox=LIMIT)
    return houses


async def accounted(house: House) -> None:
    """Check what must always hold: counters and turns are recounts of the log, Zendesk is as decided."""
    rows = await house.decisions()
    assert [r.sequence for r in rows] == list(range(1, len(rows) + 1))
    assert (await house.explain.verify_chain(ACCOUNT))[0]
    assert isinstance(house.store, SqlStore)
    async with house.store._database.transaction() as connection:
        # A round hands out what it takes; a turn that became no work was given back, one each.
        turns = await connection.execute(text("SELECT coalesce(sum(balance), 0) FROM rotation"))
        lost = await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM assignments WHERE state = 'conflict' AND mechanism = 'queue') "
                "+ (SELECT count(*) FROM offers WHERE state IN ('declined', 'expired', 'withdrawn'))"
            )
        )
        assert turns.scalar_one() == TURN * lost.scalar_one()
        double = await connection.execute(
            text(
                "SELECT ticket FROM assignments WHERE state IN ('committed', 'confirmed') GROUP BY ticket "
                "HAVING count(*) > 1"
            )
        )
        assert double.all() == []
    held = Counter(t["assignee_id"] for t in house.zendesk.tickets.values() if t["assignee_id"])
    assert all(held[agent] <= LIMIT for agent in AGENTS)


async def test_rounds_at_once_assign_each_ticket_once_and_pass_no_limit(replicas: list[House]) -> None:
    house = replicas[0]
    for number in range(1, 31):
        house.zendesk.ticket(number, group_id=SUPPORT)
    house.clock.advance(timedelta(minutes=2))

    runs = await asyncio.gather(
        *(r.job(ACCOUNT, catch_up=True, wait_for_writes=True) for r in replicas for _ in range(2))
    )
    await house.write(ACCOUNT)

    assigned = [ticket for run in runs for ticket, _, _ in run.assignments]
    assert len(assigned) == len(set(assigned)) == LIMIT * len(AGENTS)
    assert sorted(ticket for ticket, _ in house.zendesk.writes) == sorted(assigned)
    assert Counter(agent for _, agent in house.zendesk.writes) == dict.fromkeys(AGENTS, LIMIT)
    await accounted(house)


async def test_rounds_at_once_pass_no_rate_limit_and_find_every_slot_that_frees(
    replicas: list[House],
) -> None:
    house = replicas[0]
    await house.queues.change_settings(
        ACCOUNT,
        "",
        lambda row: replace(row, options=replace(row.options, rate_limit="2 in 10m")),
        validate_only=False,
    )
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.rate_limits.put_agent(4, Limit(3, 5))
    for number in range(1, 31):
        house.zendesk.ticket(number, group_id=SUPPORT)

    given = []
    for minutes in (2, 4, 1, 5):
        house.clock.advance(timedelta(minutes=minutes))
        runs = await asyncio.gather(
            *(r.job(ACCOUNT, catch_up=True, wait_for_writes=True) for r in replicas for _ in range(2))
        )
        given.append(Counter(agent for run in runs for _, agent, _ in run.assignments))

    # At 0, 4, 5 and 10 minutes; the inbox limit of 6 is reached by agent 4 at 5.
    assert given == [{1: 2, 2: 2, 3: 2, 4: 3}, {}, {4: 3}, {1: 2, 2: 2, 3: 2}]
    await accounted(house)


async def test_webhooks_pulls_rounds_and_hands_at_once_leave_one_truth(replicas: list[House]) -> None:
    house, zendesk = replicas[0], replicas[0].zendesk
    for number in range(1, 25):
        zendesk.ticket(number, group_id=SUPPORT)
    house.clock.advance(timedelta(minutes=2))

    async def by_hand(number: int) -> None:
        if zendesk.tickets[number]["assignee_id"] is None:
            zendesk.change(number, status="solved")
        await replicas[3].webhook(number)

    work = [replicas[n % 4].webhook(n) for n in range(1, 25)]
    work += [replicas[n % 4].webhook(n, invocation=f"same-{n % 3}") for n in range(1, 13)]
    pulls = [replicas[n % 4].next(ACCOUNT, agent, "") for n, agent in enumerate(AGENTS * 2)]
    rounds = [r.job(ACCOUNT, catch_up=True, wait_for_writes=True) for r in replicas]
    hands = [by_hand(n) for n in (5, 10, 15)]
    await asyncio.gather(*work, *pulls, *rounds, *hands)
    house.clock.advance(timedelta(minutes=2))
    await asyncio.gather(*(r.job(ACCOUNT, catch_up=True, wait_for_writes=True) for r in replicas))

    writes = Counter(ticket for ticket, _ in zendesk.writes)
    assert set(writes.values()) == {1}
    assert await house.pending() == 0
    await accounted(house)


async def test_conflicts_beside_rounds_lose_no_turn(replicas: list[House]) -> None:
    house, zendesk = replicas[0], replicas[0].zendesk
    for number in range(1, 13):
        zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
    house.clock.advance(timedelta(seconds=30))
    for number in range(1, 13, 2):
        zendesk.change(number, assignee_id=99, status="open")
    for number in range(13, 25):
        zendesk.ticket(number, group_id=SUPPORT)

    await asyncio.gather(
        *(r.write(ACCOUNT) for r in replicas), *(replicas[n % 4].webhook(n) for n in range(13, 25))
    )
    await house.write(ACCOUNT)

    assert {zendesk.tickets[n]["assignee_id"] for n in range(1, 13, 2)} == {99}
    assert sum(r.write == "conflict" for r in await house.decisions()) == 6
    await accounted(house)


async def test_two_replicas_tick_once_in_a_minute(replicas: list[House], database: Database) -> None:
    house = replicas[0]
    for number in (1, 2, 3):
        house.zendesk.ticket(number, group_id=SUPPORT)
    house.clock.advance(timedelta(minutes=2))
    # Before its first beat each takes itself for the only one: the worst case of accounts that move.
    known = [Replicas(database, "assignment", f"rep-{n}") for n in range(len(replicas))]
    tickers = [
        MinuteTicker(r.store, database, r.job, k, r.drain) for r, k in zip(replicas, known, strict=True)
    ]

    ticks = await asyncio.gather(*(t.tick() for t in tickers))

    assert sorted(ticks) == [0, 0, 0, 1]
    assert sorted(ticket for ticket, _ in house.zendesk.writes) == [1, 2, 3]
    assert [c for c in house.zendesk.calls if "incremental" in c] == ["GET incremental/tickets/cursor"]


class Meanwhile:
    """Decisions of a transaction, with something that another replica does right after a snapshot was read."""

    def __init__(self, decisions: Any, act: Callable[[], Awaitable[None]], times: int) -> None:
        self._decisions, self._act, self._times = decisions, act, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decisions, name)

    async def snapshot(self, *given: Any, **named: Any) -> Any:
        found = await self._decisions.snapshot(*given, **named)
        if self._times:
            self._times -= 1
            await self._act()
        return found


async def routed(
    house: House, act: Callable[[], Awaitable[None]], times: int
) -> list[tuple[int, int | None]]:
    """Run a round of the only queue during which others act."""
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.decisions.lock()
        (queue,) = await tx.directory.queues()
        beside: Any = Meanwhile(tx.decisions, act, times)
        done = await house.route.within(replace(tx, decisions=beside), queue, "c", house.clock.now())
    return [(d.ticket, d.group) for _, d in done.news if d.agent is not None]


async def learnt(house: House, ticket: int, **values: Any) -> None:
    """Let the catch-up of another replica learn of a change by hand."""
    house.zendesk.change(ticket, **values)
    row = await house.ticket(ticket)
    async with house.store.transaction(ACCOUNT) as tx:
        changed = replace(row.facts, updated_at=row.facts.updated_at + timedelta(seconds=1), **values)
        assert await tx.tickets.store([changed]) == 1


async def test_a_ticket_taken_or_moved_while_a_round_is_decided_is_decided_anew(
    replicas: list[House],
) -> None:
    house, other = replicas[0], replicas[1]
    await house.set_status("away", *AGENTS)
    house.zendesk.agent(5, BILLING)
    await house.open(5)
    for number in (1, 2, 3):
        house.zendesk.ticket(number, group_id=SUPPORT)
        await house.webhook(number)
    await house.set_status("online", *AGENTS)

    async def by_hand() -> None:
        await learnt(other, 1, assignee_id=99, status="open")
        await learnt(other, 2, group_id=BILLING)

    assert sorted(await routed(house, by_hand, 1)) == [(2, BILLING), (3, SUPPORT)]
    row = await house.ticket(1)
    assert (row.facts.assignee_id, row.routing) == (99, "not_routable")


async def test_a_round_that_can_never_be_sure_gives_up_and_leaves_nothing(replicas: list[House]) -> None:
    house, other = replicas[0], replicas[1]
    await house.set_status("away", *AGENTS)
    house.zendesk.ticket(1, group_id=SUPPORT)
    await house.webhook(1)
    before = await house.decisions()
    await house.set_status("online", *AGENTS)
    groups = itertools.cycle([BILLING, SUPPORT])
    house.zendesk.agent(5, BILLING)
    await house.open(5)

    with pytest.raises(ConcurrentChangeError):
        await routed(house, lambda: learnt(other, 1, group_id=next(groups)), 99)

    assert await house.decisions() == before
    assert await house.pending() == 0


async def test_an_offer_has_one_end_however_many_answer_at_once(replicas: list[House]) -> None:
    first = replicas[0]
    await first.queue("asked", options=QueueOptions(offer_seconds=60))
    for number in range(1, 13):
        first.zendesk.ticket(number, group_id=SUPPORT)
    first.clock.advance(timedelta(minutes=2))
    await asyncio.gather(*(h.job(ACCOUNT, catch_up=True, wait_for_writes=True) for h in replicas))
    offers = [d for d in await first.decisions() if d.outcome == "OFFERED"]
    assert Counter(d.ticket for d in offers) == dict.fromkeys(range(1, 13), 1)

    async def answer(house: House, offer: str, agent: int | None, *, accept: bool) -> str:
        try:
            await house.answer(ACCOUNT, offer, agent, accept=accept)
        except OfferEndedError:
            return "ended"
        return "accepted" if accept else "declined"

    # Of every second offer the decline is sent first; which one comes first is for PostgreSQL to say.
    asked = [(d, accept) for n, d in enumerate(offers) for accept in (n % 2 == 0, n % 2 == 1)]
    said = await asyncio.gather(
        *(answer(replicas[n % 4], d.id, d.agent_id, accept=accept) for n, (d, accept) in enumerate(asked))
    )
    first.clock.advance(timedelta(minutes=1))
    await asyncio.gather(*(h.expire(ACCOUNT) for h in replicas))
    await asyncio.gather(*(h.write(ACCOUNT) for h in replicas))

    ends = [{said[2 * n], said[2 * n + 1]} for n in range(len(offers))]
    assert all(both in ({"accepted", "ended"}, {"declined", "ended"}) for both in ends)
    assert {"accepted", "declined"} <= set(said)
    accepted = {d.ticket: d.agent_id for d, both in zip(offers, ends, strict=True) if "accepted" in both}
    written = {
        ticket: row["assignee_id"] for ticket, row in first.zendesk.tickets.items() if row["assignee_id"]
    }
    assert accepted == written
    assert len(first.zendesk.writes) == len(written)
    await accounted(first)
