"""Queues drain as soon as something changed, together for whoever asks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from libs.kernel.clock import ManualClock
from libs.kernel.errors import ConcurrentChangeError
from libs.kernel.ids import AccountId
from services.assignment.app.drain import Drain, Found
from services.assignment.app.route import Routed
from services.assignment.app.rows import SkillLink
from services.assignment.tests.house import ACCOUNT, BILLING, SUPPORT, House
from services.assignment.tests.zendesk import LocalZendesk


class Watched:
    """The route of a house, which notes what was asked, and whose first round takes until a test lets it end."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.commands: list[str] = []
        self.began, self.go_on = asyncio.Event(), asyncio.Event()
        self.broken: set[str] = set()

    async def __call__(self, account: AccountId, queue: str, command: str, as_of: object) -> Routed:
        self.commands.append(command)
        if queue in self.broken:
            raise ConcurrentChangeError("too fast")
        routed = await self.house.route(account, queue, command, self.house.clock.now())
        self.began.set()
        await self.go_on.wait()
        return routed


class Asking:
    """A drain that tells when it was asked so many times more."""

    def __init__(self, drain: Drain, times: int) -> None:
        self._drain, self._times, self.all = drain, times, asyncio.Event()

    def owns(self, account: AccountId) -> bool:
        return self._drain.owns(account)

    async def __call__(self, account: AccountId, command: str) -> Found:
        answer = self._drain._ask(account, command)
        self._times -= 1
        if not self._times:
            self.all.set()
        return await asyncio.shield(answer)


@asynccontextmanager
async def draining(house: House, watched: Watched) -> AsyncIterator[Drain]:
    house.drain._route = watched  # type: ignore[assignment] # the same call, watched
    run = asyncio.create_task(house.drain.run())
    try:
        yield house.drain
    finally:
        watched.go_on.set()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


async def test_who_asks_during_a_pass_is_served_by_one_next_pass(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2, 3)
    watched = Watched(house)
    async with draining(house, watched) as drain:
        first = asyncio.create_task(drain(ACCOUNT, "one"))
        await watched.began.wait()
        for number in (5, 6, 7):
            zendesk.ticket(number, group_id=SUPPORT)
        asking = Asking(drain, 6)
        house.ingest._drain = asking  # type: ignore[assignment] # the same, counted
        later = [asyncio.create_task(house.webhook(number)) for number in (5, 6, 7)]
        others = [asyncio.create_task(asking(ACCOUNT, f"more-{n}")) for n in range(3)]
        await asking.all.wait()
        watched.go_on.set()
        answers = await asyncio.gather(first, *others)
        decisions = [decision for _, decision in await asyncio.gather(*later)]

    assert [*answers[0]] == []
    assert answers[1] == answers[2] == answers[3]
    assert sorted(decisions) == sorted(answers[1].values())
    assert watched.commands[0] == "one"
    assert len(watched.commands) == 2
    rows = await house.decisions()
    assert sorted(row.ticket for row in rows) == [5, 6, 7]
    assert {row.command for row in rows} == {watched.commands[1]}


async def test_a_queue_that_fails_holds_up_no_other_and_is_told(house: House, zendesk: LocalZendesk) -> None:
    await house.open(1, 2)
    first = await house.queue("que-0", kind="trigger", source=BILLING)
    zendesk.ticket(5, group_id=SUPPORT)
    watched = Watched(house)
    watched.broken = {first.id}
    watched.go_on.set()
    async with draining(house, watched) as drain:
        answer = await house.webhook(5)
        assert answer == (False, "")  # it is kept, whatever became of the pass
        with pytest.raises(ConcurrentChangeError):
            await drain(ACCOUNT, "again")

    assert [d.ticket for d in await house.decisions()] == [5]


async def test_only_the_owner_drains_and_hears_of_everything_that_was_missed(
    house: House, zendesk: LocalZendesk
) -> None:
    await house.open(1)
    zendesk.ticket(5, group_id=SUPPORT)
    mine = False
    house.drain._owns = lambda _: mine
    watched = Watched(house)
    watched.go_on.set()
    async with draining(house, watched) as drain:
        assert await house.webhook(5) == (False, "")
        assert watched.commands == []
        mine = True
        drain.hear("")
        await watched.began.wait()
        await drain(ACCOUNT, "after")

    assert [d.ticket for d in await house.decisions()] == [5]
    assert house.wake.is_set()


async def test_a_pass_that_nobody_waits_for_is_ended_with_the_process(house: House) -> None:
    await house.open(1)
    watched = Watched(house)
    async with draining(house, watched) as drain:
        drain.hear(ACCOUNT)
        await watched.began.wait()
        asking = Asking(drain, 1)
        waiting = asyncio.create_task(asking(ACCOUNT, "late"))
        await asking.all.wait()
        await drain.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (drain._asked, drain._tasks) == ({}, {})


async def test_a_skill_that_is_dropped_frees_its_ticket_at_that_instant(
    house: House, zendesk: LocalZendesk, clock: ManualClock
) -> None:
    await house.open(1)
    await house.queue("que-0", kind="trigger", source=SUPPORT, model="skills")
    async with house.store.transaction(ACCOUNT) as tx:
        await tx.skills.put_known({"de": "German"})
        await tx.skills.put_rule("de", 1, 90)
        await tx.skills.apply([SkillLink(False, 5, "de", True)])
    zendesk.ticket(5, group_id=SUPPORT)
    await house.webhook(5)
    assert house.drain._timers == {}  # the minute job comes first

    due = house.clock.now() + timedelta(seconds=90)
    clock.advance(timedelta(seconds=60))
    await house.drain(ACCOUNT, "minute")
    (expected, timer), *_ = house.drain._timers.values()
    assert expected == due

    clock.advance(timedelta(seconds=30))
    timer.cancel()
    house.drain._due(ACCOUNT)
    assert house.drain._heard.get_nowait() == ACCOUNT
    await house.drain(ACCOUNT, "due")
    assert [row.agent_id for row in await house.decisions()] == [None, 1]
    assert house.drain._timers == {}
