"""A budget spends leases, listens to Zendesk's headers, and holds back what was refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError
from libs.zendesk.budget import Budget
from libs.zendesk.limits import Charge, charges_of
from libs.zendesk.windows import Ask, Lease, MemoryWindows

SHOW, UPDATE, MANY = "GET tickets/{id}", "PUT tickets/{id}", "PUT tickets/update_many"
PLAN = {"ratelimit-limit": "700", "ratelimit-remaining": "650", "ratelimit-reset": "40"}


class CountingWindows(MemoryWindows):
    """Counts the questions; can be away."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked: list[str] = []
        self.held: list[tuple[str, float]] = []
        self.away = False
        self.gate, self.entered = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def lease(self, account: str, bucket: str, ask: Ask) -> Lease:
        self.entered.set()
        await self.gate.wait()
        if self.away:
            raise DependencyUnavailableError("the database is away")
        self.asked.append(bucket)
        return await super().lease(account, bucket, ask)

    async def hold(self, account: str, bucket: str, seconds: float) -> None:
        if self.away:
            raise DependencyUnavailableError("the database is away")
        self.held.append((bucket, seconds))
        await super().hold(account, bucket, seconds)


class Place:
    """Budgets of several replicas on one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.windows = CountingWindows(self.clock)

    def replica(self, share: float = 1.0) -> Budget:
        return Budget("acc-1", self.windows, self.clock, share)

    def later(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


def charges(route: str, cost: int = 1) -> tuple[Charge, ...]:
    method, template = route.split()
    return charges_of(method, template, {"id": 7}, cost)


async def take(budget: Budget, route: str, times: int = 1, cost: int = 1) -> int:
    """Try to take calls one after the other; return how many went."""
    return sum([not await budget.take(route, charges(route, cost)) for _ in range(times)])


async def test_an_account_without_rate_headers_is_not_limited() -> None:
    budget = Place().replica()

    assert await take(budget, UPDATE, 500) == 500


async def test_a_plan_is_learnt_from_the_first_answer_and_kept_by_all() -> None:
    place = Place()
    first, second = place.replica(), place.replica()
    assert await take(first, SHOW) == 1
    first.learn(SHOW, PLAN, charges(SHOW))

    assert await take(first, SHOW, 100) + await take(second, SHOW, 900) <= 650
    assert await second.take(SHOW, charges(SHOW)) == 41
    place.later(42)
    assert await take(second, SHOW, 100) == 100


async def test_most_calls_ask_nobody() -> None:
    place = Place()
    budget = place.replica()
    await take(budget, SHOW)
    budget.learn(SHOW, PLAN, charges(SHOW))
    place.windows.asked.clear()

    assert await take(budget, SHOW, 300) == 300
    assert len(place.windows.asked) <= 10


async def test_one_question_answers_everybody_who_waits() -> None:
    place = Place()
    budget = place.replica()

    place.windows.gate.clear()
    callers = [asyncio.create_task(budget.take(SHOW, charges(SHOW))) for _ in range(50)]
    await place.windows.entered.wait()
    place.windows.gate.set()

    assert await asyncio.gather(*callers) == [0.0] * 50
    assert place.windows.asked == ["account"]


async def test_an_empty_bucket_is_asked_about_once_a_second() -> None:
    place = Place()
    budget = place.replica()
    await take(budget, UPDATE)
    budget.learn(UPDATE, PLAN, charges(UPDATE))
    assert await take(budget, UPDATE, 200) == 100
    place.windows.asked.clear()

    assert await take(budget, UPDATE, 50) == 0
    assert place.windows.asked.count("tickets-update") <= 1
    place.later(1)
    assert await take(budget, UPDATE, 50) == 0
    assert place.windows.asked.count("tickets-update") <= 2


async def test_a_full_endpoint_takes_nothing_from_the_account() -> None:
    place = Place()
    budget = place.replica()
    await take(budget, UPDATE)
    budget.learn(UPDATE, PLAN, charges(UPDATE))
    await take(budget, UPDATE, 500)

    assert place.windows.rows["acc-1", "account"].used < 50 + 100 + 35 * 2


async def test_a_header_of_an_endpoint_wins_over_the_page_of_limits() -> None:
    place = Place()
    budget = place.replica()
    await take(budget, UPDATE)
    sandbox = {**PLAN, "zendesk-rate-limit-tickets-update": "total=20; remaining=19; resets=30"}
    budget.learn(UPDATE, sandbox, charges(UPDATE))

    assert await take(budget, UPDATE, 100) == 19


async def test_an_endpoint_that_only_zendesk_knows_is_kept_to() -> None:
    place = Place()
    budget = place.replica()
    route = "GET tickets"
    await take(budget, route)
    budget.learn(
        route,
        {**PLAN, "zendesk-ratelimit-tickets-index": "total=100; remaining=3; resets=17"},
        charges(route),
    )

    assert await take(budget, route, 50) == 3
    assert await take(budget, SHOW, 50) == 50
    place.later(18)
    assert await take(budget, route, 50) == 50


async def test_each_view_has_a_bucket_of_its_own() -> None:
    place = Place()
    budget = place.replica()
    await take(budget, SHOW)
    budget.learn(SHOW, PLAN, charges(SHOW))

    async def execute(view: int) -> int:
        due = charges_of("GET", "views/{id}/execute", {"id": view})
        return sum([not await budget.take("GET views/{id}/execute", due) for _ in range(9)])

    assert [await execute(1), await execute(2)] == [5, 5]


async def test_what_is_refused_is_held_back_on_every_replica() -> None:
    place = Place()
    first, second = place.replica(), place.replica()
    held = await first.refused(UPDATE, {}, charges(UPDATE), 20, jobs=False)
    await take(second, SHOW)
    second.learn(SHOW, PLAN, charges(SHOW))

    assert held
    assert await first.take(UPDATE, charges(UPDATE)) == 20
    assert await second.take(UPDATE, charges(UPDATE)) == 20
    assert await take(second, SHOW) == 1
    place.later(21)
    assert await take(first, UPDATE) == await take(second, UPDATE) == 1


async def test_headers_say_which_limit_it_was() -> None:
    place = Place()
    budget = place.replica()
    spent = {
        **PLAN,
        "ratelimit-remaining": "0",
        "zendesk-ratelimit-tickets-update": "total=100; remaining=50",
    }

    await budget.refused(UPDATE, spent, charges(UPDATE), 20, jobs=False)

    assert place.windows.held == [("account", 20)]


async def test_a_refusal_without_any_word_holds_the_account() -> None:
    place = Place()

    await place.replica().refused(SHOW, {}, charges(SHOW), 20, jobs=False)

    assert place.windows.held == [("account", 20)]


async def test_one_tickets_own_limit_holds_nobody_else() -> None:
    place = Place()
    budget = place.replica()
    own = {**PLAN, "zendesk-ratelimit-per-ticket-updates": "total=30; remaining=0; resets=300"}
    budget.learn(UPDATE, own, charges(UPDATE))

    assert not await budget.refused(UPDATE, own, charges(UPDATE), 300, jobs=False)
    assert place.windows.held == []
    assert await take(budget, UPDATE, 20) == 20


async def test_too_many_jobs_hold_back_calls_that_start_jobs() -> None:
    place = Place()
    budget = place.replica()
    await budget.refused(MANY, {}, charges(MANY), 5, jobs=True)

    assert await budget.take(MANY, charges(MANY)) == 5
    assert await take(budget, UPDATE) == 1


async def test_a_hundred_refusals_at_once_are_told_once() -> None:
    place = Place()
    budget = place.replica()

    await asyncio.gather(*(budget.refused(SHOW, {}, charges(SHOW), 20, jobs=False) for _ in range(100)))

    assert len(place.windows.held) == 1


async def test_a_batch_counts_as_many_until_zendesk_says_that_it_counts_as_one() -> None:
    place = Place()
    wary, told = place.replica(), Budget("acc-2", place.windows, place.clock)
    for budget in (wary, told):
        await take(budget, SHOW)
        budget.learn(SHOW, PLAN, charges(SHOW))
    assert await take(wary, MANY, 3, cost=40) == 2

    assert await take(told, MANY, 1, cost=40) == 1
    one = {**PLAN, "zendesk-rate-limit-tickets-update": "total=100; remaining=99; resets=40"}
    told.learn(MANY, one, charges(MANY, 40))
    assert await take(told, MANY, 50, cost=40) == 50
    many = {**PLAN, "zendesk-rate-limit-tickets-update": "total=100; remaining=20; resets=40"}
    wary.learn(MANY, many, charges(MANY, 40))
    place.later(2)
    assert await take(wary, MANY, 1, cost=40) == 0


async def test_calls_go_on_while_the_store_is_away() -> None:
    place = Place()
    budget = place.replica()
    place.windows.away = True

    assert await take(budget, UPDATE, 50) == 50
    assert await budget.refused(UPDATE, {}, charges(UPDATE), 20, jobs=False)
    assert await budget.take(UPDATE, charges(UPDATE)) == 20


async def test_an_unused_lease_goes_back_with_the_next_question() -> None:
    place = Place()
    idle, busy = place.replica(), place.replica()
    for budget in (idle, busy):
        await take(budget, UPDATE)
        budget.learn(UPDATE, PLAN, charges(UPDATE))
    await take(idle, UPDATE)
    place.later(6)
    await take(idle, UPDATE)
    place.later(6)
    await take(idle, UPDATE)

    assert await take(busy, UPDATE, 200) >= 100 - 3 - 5
