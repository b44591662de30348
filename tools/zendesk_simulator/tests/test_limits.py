"""Rate limits per plan and endpoint, in windows of the account's clock, told in both generations of headers."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx2
import pytest

from libs.kernel.clock import ManualClock
from tools.zendesk_simulator.errors import Refusal
from tools.zendesk_simulator.limits import LIMITS, PLANS, spend
from tools.zendesk_simulator.state import Account
from tools.zendesk_simulator.tests.machine import Machine


def account(plan: str) -> tuple[Account, ManualClock]:
    """Return an account of a plan and its clock, at the begin of a minute."""
    clock = ManualClock()
    return Account("acme", clock, plan, 0.0), clock


def until_refused(made: Account, method: str, path: str, *, user: int = 1, page: int = 1) -> int:
    """Return how many calls passed before the first 429."""
    refused: Refusal | None = None
    count = -1
    while refused is None and count < 100_000:
        count += 1
        try:
            spend(made, method, path, user, page)
        except Refusal as refusal:
            refused = refusal
    assert refused is not None
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    return count


@pytest.mark.parametrize(("plan", "most"), [p for p in PLANS.items() if p[1]])
def test_an_account_has_so_many_calls_a_minute(plan: str, most: int) -> None:
    made, clock = account(plan)

    assert until_refused(made, "GET", "groups") == most
    clock.advance(timedelta(seconds=60))

    assert until_refused(made, "GET", "groups") == most


# (method, path, plan, calls, seconds until there are calls again), as in the table of the facts
TABLE = [
    ("PUT", "tickets/update_many", "enterprise_plus", 100, 60),
    ("PUT", "tickets/update_many", "high_volume", 300, 60),
    ("PUT", "tickets/update_many", "sandbox", 20, 60),
    ("PUT", "tickets/5", "enterprise_plus", 30, 600),
    ("GET", "views/7/execute", "enterprise_plus", 5, 60),
    ("GET", "views/7/count", "enterprise_plus", 5, 60),
    ("POST", "views/preview", "enterprise_plus", 5, 60),
    ("GET", "views/count_many", "enterprise_plus", 6, 300),
    ("GET", "incremental/tickets/cursor", "enterprise_plus", 10, 60),
    ("GET", "incremental/routing/attributes", "high_volume", 30, 60),
    ("GET", "incremental/tickets/sample", "enterprise_plus", 10, 1200),
    ("GET", "search/export", "enterprise_plus", 100, 60),
    ("PUT", "users/5", "enterprise_plus", 1, 1),
    ("POST", "users/create_or_update", "enterprise_plus", 1, 1),
    ("GET", "deleted_tickets", "enterprise_plus", 10, 60),
    ("DELETE", "tickets/5", "enterprise_plus", 400, 60),
    ("DELETE", "deleted_tickets/5", "enterprise_plus", 1000, 60),
    ("DELETE", "deleted_tickets/destroy_many", "enterprise_plus", 300, 60),
    ("DELETE", "deleted_users/5", "enterprise_plus", 700, 600),
    ("GET", "tickets/5/audits", "enterprise_plus", 500, 60),
    ("GET", "webhooks/5/invocations", "enterprise_plus", 100, 60),
    ("POST", "apps/notify", "enterprise_plus", 100, 60),
]


@pytest.mark.parametrize(("method", "path", "plan", "most", "seconds"), TABLE)
def test_an_endpoint_has_its_own_limit_and_window(
    method: str, path: str, plan: str, most: int, seconds: int
) -> None:
    made, clock = account(plan)

    assert until_refused(made, method, path) == most
    clock.advance(timedelta(seconds=seconds - 1))
    if seconds > 1:
        assert until_refused(made, method, path) == 0
    clock.advance(timedelta(seconds=1))

    assert until_refused(made, method, path) == most


def test_tickets_count_apart_by_user_and_ticket_and_views_by_user_and_view() -> None:
    made, _ = account("enterprise_plus")
    assert until_refused(made, "PUT", "tickets/5", user=1) == 30

    assert until_refused(made, "PUT", "tickets/6", user=1) == 30
    assert until_refused(made, "PUT", "tickets/5", user=2) == 30
    # 93 of the 100 a minute are spent: three refused calls count too
    assert until_refused(made, "PUT", "tickets/7", user=3) == 7
    assert until_refused(made, "GET", "views/7/count", user=1) == 5
    assert until_refused(made, "GET", "views/7/execute", user=1) == 0
    assert until_refused(made, "GET", "views/7/execute", user=2) == 5
    assert until_refused(made, "GET", "views/8/execute", user=1) == 5


def test_a_user_is_changed_five_times_a_minute_though_one_a_second_is_allowed() -> None:
    made, clock = account("enterprise_plus")

    for _ in range(5):
        spend(made, "PUT", "users/5")
        clock.advance(timedelta(seconds=1))
    with pytest.raises(Refusal) as caught:
        spend(made, "PUT", "users/5")

    assert caught.value.headers["retry-after"] == "55"
    clock.advance(timedelta(seconds=1))
    spend(made, "PUT", "users/6")


def test_deep_pages_are_dearer() -> None:
    made, _ = account("enterprise_plus")

    assert until_refused(made, "GET", "tickets", page=501) == 50
    assert until_refused(made, "GET", "deleted_tickets", page=101) == 5
    spend(made, "GET", "tickets", page=500)
    trial, _ = account("trial")
    assert until_refused(trial, "GET", "tickets") == 100


def test_lists_of_views_cost_no_execution() -> None:
    made, _ = account("enterprise_plus")

    for path in ("views", "views/7", "views/7/tickets", "views/active"):
        for _ in range(20):
            assert not any("views" in name for name in spend(made, "GET", path))


def test_an_account_without_limits_tells_none() -> None:
    made, _ = account("unlimited")

    assert [spend(made, "PUT", "tickets/5") for _ in range(500)] == [{}] * 500


def test_every_endpoint_spells_its_header_as_zendesk_does() -> None:
    for limit in LIMITS:
        assert re.fullmatch(r"zendesk-rate-?limit", limit.header)
        assert re.fullmatch(r"[a-z-]+", limit.name)


async def test_the_headers_tell_what_is_left(machine: Machine) -> None:
    await machine.control("PUT", "", {"plan": "enterprise"})
    machine.clock.advance(timedelta(seconds=43))
    ticket, token = await machine.ticket(), await machine.token()

    answer = await machine.call("PUT", f"tickets/{ticket}", {"ticket": {"priority": "low"}}, token=token)

    headers = answer.headers
    assert (headers["x-rate-limit"], headers["x-rate-limit-remaining"]) == ("700", "699")
    for spelling in ("rate-limit", "ratelimit"):
        first = headers.get(f"{spelling}-limit") or headers[spelling]
        assert (first, headers[f"{spelling}-remaining"], headers[f"{spelling}-reset"]) == ("700", "699", "17")
    assert headers["zendesk-rate-limit-tickets-update"] == "total=100; remaining=99; resets=17"
    assert headers["zendesk-ratelimit-per-ticket-updates"].startswith("total=30; remaining=29; resets=")


async def test_over_the_limit_is_text_with_retry_after_and_the_headers(machine: Machine) -> None:
    await machine.control("PUT", "", {"plan": "support_essential"})
    token = await machine.token()
    answers: list[httpx2.Response] = [await machine.call("GET", "groups", token=token) for _ in range(11)]

    assert [a.status_code for a in answers] == [200] * 10 + [429]
    assert answers[-1].headers["retry-after"] == "60"
    assert answers[-1].headers["x-rate-limit-remaining"] == "0"
    assert answers[-1].text == "Number of allowed API requests per minute exceeded"


async def test_a_dead_token_costs_nothing(machine: Machine) -> None:
    await machine.control("PUT", "", {"plan": "support_essential"})

    for _ in range(20):
        assert (await machine.call("GET", "groups", token="dead")).status_code == 401

    assert (await machine.call("GET", "groups")).status_code == 200
