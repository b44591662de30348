"""Our own share of a plan: background work waits first, changes last, and other apps have the rest."""

from __future__ import annotations

import httpx2
import pytest
import structlog
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from libs.zendesk.budget import Budget
from libs.zendesk.errors import ZendeskUnavailableError
from libs.zendesk.tests.answering import MovingTime, client
from libs.zendesk.tests.test_budget import PLAN, SHOW, UPDATE, Place, charges, take
from libs.zendesk.windows import MemoryWindows

VIEW = "GET views/{id}/tickets"
ASK_MANY = 1000


async def informed(place: Place, share: float) -> Budget:
    """Return a budget that knows its account's plan (700 a minute) and has spent one call of it."""
    budget = place.replica(share)
    assert await take(budget, SHOW) == 1
    budget.learn(SHOW, {**PLAN, "ratelimit-remaining": "699"}, charges(SHOW))
    return budget


async def test_no_more_than_the_share_is_taken_by_all_replicas_together() -> None:
    place = Place()
    first = await informed(place, 0.5)
    second = place.replica(0.5)

    assert await take(first, SHOW, ASK_MANY) + await take(second, SHOW, ASK_MANY) <= 350
    assert await take(second, SHOW) == 0


async def test_background_work_waits_first_and_leaves_the_rest_to_changes() -> None:
    place = Place()
    budget = await informed(place, 0.1)

    assert await take(budget, VIEW, ASK_MANY) == 35
    assert await budget.take(VIEW, charges(VIEW)) > 0
    assert await take(budget, UPDATE, ASK_MANY) == 35
    place.later(61)
    assert await take(budget, VIEW) == 1


async def test_changes_leave_nothing_to_background_work_when_they_take_all() -> None:
    budget = await informed(Place(), 0.1)

    assert await take(budget, UPDATE, ASK_MANY) == 70
    assert await take(budget, VIEW, ASK_MANY) == 0


async def test_what_other_apps_took_is_not_there_for_us_either() -> None:
    place = Place()
    budget = await informed(place, 0.5)
    budget.learn(SHOW, {**PLAN, "ratelimit-remaining": "3"}, charges(SHOW))

    assert await take(budget, SHOW, 10) == 3


async def test_whose_calls_are_spent_is_logged_once_a_window() -> None:
    place = Place()
    budget = await informed(place, 0.1)
    with structlog.testing.capture_logs() as lines:
        await take(budget, VIEW, ASK_MANY)
        place.later(2)
        await take(budget, VIEW, ASK_MANY)

    assert [(line["event"], line["account"], line["bucket"]) for line in lines] == [
        ("no calls are left", "acc-1", "own-background")
    ]


async def test_a_small_plan_leaves_one_call_at_least() -> None:
    place = Place()
    budget = place.replica(0.01)
    await take(budget, SHOW)
    budget.learn(SHOW, {"x-rate-limit": "10", "x-rate-limit-remaining": "9"}, charges(SHOW))

    assert await take(budget, VIEW, ASK_MANY) == 1
    place.later(61)
    assert await take(budget, UPDATE, ASK_MANY) == 1


async def test_the_whole_plan_is_counted_once() -> None:
    place = Place()
    budget = await informed(place, 1.0)

    await take(budget, VIEW, 10)

    assert set(place.windows.asked) == {"account"}


async def test_calls_are_measured_by_route_and_status_and_the_account_is_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    time, alive = MovingTime(), True

    def answer(request: httpx2.Request) -> httpx2.Response:
        if not alive:
            raise httpx2.ReadError("cut")
        return httpx2.Response(200, json={"views": []}, headers=PLAN)

    budget = Budget("acc-1", MemoryWindows(time.clock), time.clock, 0.5)
    zendesk = client(answer, time=time, budget=budget)
    for _ in range(3):
        await zendesk.views.show_many([7])
    assert zendesk.measures.minute(at_rest=True) == 3
    alive = False
    with pytest.raises(ZendeskUnavailableError):
        await zendesk.views.show_many([7])
    failed = zendesk.measures.minute(at_rest=False)

    read = reader.get_metrics_data()
    assert read is not None
    found = {
        metric.name: [(dict(point.attributes or {}), point) for point in metric.data.data_points]
        for resource in read.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    provider.shutdown()
    assert "acc-1" not in repr(found)
    route = "GET views/show_many"
    assert [(a, getattr(p, "value", 0)) for a, p in found["zendesk.client.calls"]] == [
        ({"route": route, "status": 200}, 3),
        ({"route": route, "status": 0}, failed),
    ]
    assert [(a, getattr(p, "sum", 0)) for a, p in found["zendesk.client.account.calls"]] == [
        ({"at_rest": True}, 3),
        ({"at_rest": False}, failed),
    ]
    left = {a["bucket"]: getattr(p, "max", 0) for a, p in found["zendesk.client.budget.left"]}
    assert left.keys() == {"account", "own", "own-background"}
    assert all(0.8 < part < 1 for part in left.values())
