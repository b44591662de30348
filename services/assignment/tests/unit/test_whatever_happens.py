"""Whatever happens, in whatever order: each ticket once, no limit passed, no turn lost, and in the end nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.tests.helpdesk import AGENTS, GROUPS, HABITS, Helpdesk

AGENT, TICKET, LIMIT = st.sampled_from(AGENTS), st.integers(0, 9), st.none() | st.integers(1, 3)
ROUTES = st.sampled_from(
    [r"PUT tickets/\d+", r"PUT tickets/.*", r"GET tickets/show_many", r"GET incremental/.*", r"GET .*", ".*"]
)
STATUSES = st.sampled_from([0, 0, 409, 429, 500, 503])


class Day(RuleBasedStateMachine):
    """One replica at a time, which may die."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.seconds = 0.0
        self.desk = Helpdesk(MemoryStore(lambda: self.seconds), self.end_leases)

    async def end_leases(self) -> None:
        self.seconds += 61

    def run(self, work: Awaitable[None]) -> None:
        async def told() -> None:
            try:
                await work
            except BaseException:
                note("\n".join(await self.desk.log()))
                raise

        self.runner.run(told())

    @initialize(
        model=st.sampled_from(["round_robin", "round_robin", "least_active", "longest_idle"]),
        batch=LIMIT,
        daily=LIMIT,
        offer=st.sampled_from([None, 60]),
        habits=st.sampled_from(sorted(HABITS)),
        fresh=st.integers(0, 4),
        pull_only=st.sampled_from([False, False, True]),
    )
    def open(
        self,
        model: str,
        batch: int | None,
        daily: int | None,
        offer: int | None,
        habits: str,
        fresh: int,
        pull_only: bool,
    ) -> None:
        self.run(self.desk.open(model, batch, daily, offer, habits, pull_only=pull_only))
        for _ in range(fresh):
            self.run(self.desk.arrive(GROUPS[0], None, viewed=True))

    @rule(
        group=st.none() | st.sampled_from(GROUPS),
        priority=st.sampled_from([None, "urgent"]),
        viewed=st.booleans(),
    )
    def arrive(self, group: int | None, priority: str | None, viewed: bool) -> None:
        self.run(self.desk.arrive(group, priority, viewed))

    @rule(ticket=TICKET, keep=st.booleans())
    def webhook(self, ticket: int, keep: bool) -> None:
        self.run(self.desk.webhook(0, ticket, keep))

    @rule(number=TICKET)
    def deliver(self, number: int) -> None:
        self.run(self.desk.deliver(0, number))

    @rule()
    def minute(self) -> None:
        self.run(self.desk.minute(0))

    @rule(seconds=st.sampled_from([30, 61]))
    def a_minute_later(self, seconds: int) -> None:
        self.run(self.desk.pass_time(seconds))
        self.run(self.desk.minute(0))

    @rule()
    def write(self) -> None:
        self.run(self.desk.write(0))

    @rule(seconds=st.sampled_from([1, 30, 61, 61, 120, 600, 12 * 3600]))
    def pass_time(self, seconds: int) -> None:
        self.run(self.desk.pass_time(seconds))

    @rule(seconds=st.sampled_from([-7200, -60, 60, 7200]))
    def step_clock(self, seconds: int) -> None:
        self.run(self.desk.step_clock(seconds))

    @rule(agent=AGENT, request=st.integers(0, 2))
    def pull(self, agent: int, request: int) -> None:
        self.run(self.desk.pull(0, agent, request))

    @rule(offer=TICKET, accept=st.booleans())
    def answer(self, offer: int, accept: bool) -> None:
        self.run(self.desk.answer(0, offer, accept))

    @rule()
    def expire(self) -> None:
        self.run(self.desk.expire(0))

    @rule(ticket=TICKET, agent=AGENT)
    def skip(self, ticket: int, agent: int) -> None:
        self.run(self.desk.skip(0, ticket, agent))

    @rule(agent=AGENT)
    def release(self, agent: int) -> None:
        self.run(self.desk.release(0, agent))

    @rule(agent=AGENT, status=st.sampled_from(["online", "online", "away"]))
    def status(self, agent: int, status: str) -> None:
        self.run(self.desk.status(0, agent, status))

    @rule(agent=AGENT, inbox=LIMIT, daily=LIMIT)
    def limits(self, agent: int, inbox: int | None, daily: int | None) -> None:
        self.run(self.desk.limits(0, agent, inbox, daily))

    @rule(
        batch=LIMIT,
        daily=LIMIT,
        state=st.sampled_from(["active", "active", "paused"]),
        pull_only=st.sampled_from([False, False, True]),
    )
    def rules_of_the_queue(self, batch: int | None, daily: int | None, state: str, pull_only: bool) -> None:
        self.run(self.desk.rules(0, batch, daily, state, pull_only=pull_only))

    @rule(ticket=TICKET, agent=st.none() | AGENT)
    def take(self, ticket: int, agent: int | None) -> None:
        self.run(self.desk.take(ticket, agent))

    @rule(ticket=TICKET, status=st.sampled_from(["open", "pending", "hold", "solved", "closed"]))
    def by_hand(self, ticket: int, status: str) -> None:
        self.run(self.desk.by_hand(ticket, status=status))

    @rule(ticket=TICKET)
    def remove(self, ticket: int) -> None:
        self.run(self.desk.remove(ticket))

    @rule(ticket=TICKET)
    def show(self, ticket: int) -> None:
        self.run(self.desk.show(ticket))

    @rule(agent=AGENT, group=st.sampled_from(GROUPS), joins=st.booleans(), told=st.booleans())
    def move(self, agent: int, group: int, joins: bool, told: bool) -> None:
        self.run(self.desk.move(agent, group, joins))
        if told:
            self.run(self.desk.sync(0))

    @rule(agent=AGENT, suspended=st.booleans())
    def suspend(self, agent: int, suspended: bool) -> None:
        self.run(self.desk.suspend(agent, suspended))

    @rule(route=ROUTES, times=st.integers(1, 4), status=STATUSES, lost=st.booleans())
    def trouble(self, route: str, times: int, status: int, lost: bool) -> None:
        self.run(self.desk.trouble(route, times, status, lost))

    @rule(times=st.integers(1, 3), status=st.sampled_from([0, 0, 409, 503]))
    def minute_of_lost_writes(self, times: int, status: int) -> None:
        self.run(self.desk.trouble(r"PUT tickets/.*", times, status, lost=True))
        self.a_minute_later(61)

    @rule(
        work=st.sampled_from(["minute", "write", "webhook", "pull", "expire", "release"]),
        steps=st.integers(0, 30),
        number=TICKET,
        agent=AGENT,
    )
    def die(self, work: str, steps: int, number: int, agent: int) -> None:
        async def killed() -> None:
            async with self.desk.dying(0, steps):
                match work:
                    case "webhook":
                        await self.desk.webhook(0, number, keep=False)
                    case "pull":
                        await self.desk.pull(0, agent, number)
                    case "release":
                        await self.desk.release(0, agent)
                    case _:
                        await getattr(self.desk, work)(0)

        self.run(killed())

    @invariant()
    def holds(self) -> None:
        self.run(self.desk.check())

    def teardown(self) -> None:
        try:
            self.run(self.desk.settle())
            self.run(self.desk.settled())
        finally:
            self.runner.close()


def test_every_promise_is_kept() -> None:
    run_state_machine_as_test(
        Day,
        settings=settings(
            max_examples=150,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
