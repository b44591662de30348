"""Under each fault of Zendesk the day ends as it does without: no ticket lost, none given twice, the queue drained."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.e2e.demo_process import free_offset
from tests.e2e.short_day import INBOX_LIMIT, ShortDay, install
from tools.demo.folder import WorkFolder
from tools.demo.house import House

pytestmark = pytest.mark.e2e
FIRST = "plain"
PAST = timedelta(days=3)
"""The house's clock only runs forward, and ends before the machine's own time."""


@dataclass(frozen=True, slots=True)
class Case:
    """One broken day.

    Attributes:
        faults: switched on once the day is under way, as the control API takes them.
        before: minutes that are played before.
        to_the_end: whether the fault stays while the queue is drained; its clock does not jump back, say.
        by_view: whether the queue is fed by a view.
        reauthorised: whether the admin must authorise the app again before the day can end; None = perhaps.
        later: hours that pass before the faults begin, so that the access token has to be refreshed.
    """

    faults: tuple[Mapping[str, Any], ...]
    before: int = 1
    later: float = 0
    to_the_end: bool = False
    by_view: bool = False
    reauthorised: bool | None = False


def _error(status: int, **more: Any) -> Case:
    return Case(({"mode": "error", "status": status, **more},))


CASES = {
    "rate limit storm": Case(({"mode": "rate_limit", "retry_after": 1, "times": 8},)),
    "rate limit storm without a header": Case(({"mode": "rate_limit", "retry_after": None, "times": 4},)),
    "500 before anything is done": _error(500, every=3),
    "500 after it was done": _error(500, when="after", every=3),
    "502 after every write was done": _error(502, when="after", method="PUT", path="tickets/", times=40),
    "503 without a header": _error(503, every=2),
    "503 with Retry-After": _error(503, retry_after=1, every=4, times=8),
    "slow bodies": Case(({"mode": "slow_body", "seconds": 1.5, "pieces": 3, "every": 5, "times": 12},)),
    "connections cut in the body": Case(({"mode": "cut", "every": 3},)),
    "every answer to a write cut": Case(
        ({"mode": "cut", "share": 0, "method": "PUT", "path": "tickets/", "times": 40},)
    ),
    "writes done after we gave up on them": Case(
        ({"mode": "delay", "seconds": 11, "method": "PUT", "path": "tickets/", "times": 3},)
    ),
    "duplicated webhooks": Case(({"mode": "duplicate_webhooks", "copies": 2},)),
    "duplicated webhooks with new ids": Case(({"mode": "duplicate_webhooks", "new_id": True},)),
    "reordered webhooks": Case(({"mode": "reorder_webhooks", "window": 60},)),
    "every second webhook lost": Case(({"mode": "lose_webhooks", "every": 2},)),
    "every webhook lost": Case(({"mode": "lose_webhooks"},)),
    "stale views": Case(({"mode": "stale_views", "seconds": 240},), by_view=True),
    "Zendesk's clock ahead": Case(({"mode": "clock_skew", "seconds": 150},), before=0, to_the_end=True),
    "Zendesk's clock behind": Case(({"mode": "clock_skew", "seconds": -150},), before=0, to_the_end=True),
    "access tokens revoked": Case(({"mode": "revoke_tokens", "refresh_too": False},), before=2),
    "living tokens refused": Case(({"mode": "refuse_tokens", "times": 2},)),
    "every token revoked": Case(({"mode": "revoke_tokens"},), before=2, reauthorised=True),
    "a refresh answer cut": Case(({"mode": "lose_refresh"},), later=3, reauthorised=True),
    "a refresh answered with an error": Case(
        ({"mode": "lose_refresh", "how": "error"},), later=3, reauthorised=True
    ),
    "everything at once": Case(
        (
            {"mode": "error", "every": 7},
            {"mode": "error", "when": "after", "status": 500, "every": 6},
            {"mode": "cut", "every": 5},
            {"mode": "rate_limit", "retry_after": 1, "every": 20, "times": 4},
            {"mode": "refuse_tokens", "every": 50, "times": 2},
            {"mode": "lose_webhooks", "every": 4},
            {"mode": "duplicate_webhooks", "every": 3},
            {"mode": "reorder_webhooks", "window": 3},
            {"mode": "half_done_job", "rows": 5, "times": 1},
            {"mode": "clock_skew", "seconds": 20},
        ),
        reauthorised=None,
    ),
    "jobs that stop half-way": Case(({"mode": "half_done_job", "rows": 5, "times": 2},)),
    "a job that never ends": Case(({"mode": "endless_job", "rows": 7, "times": 1},)),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(folder: Path) -> AsyncIterator[House]:
    """A running house; the first account in it is `FIRST`."""
    with WorkFolder(folder / "faults") as work:
        async with House(work, free_offset()) as running:
            running.clock.set(datetime.now(UTC) - PAST)
            await install(running, FIRST, first=True)
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, timeout=60.0) as client:
        yield client


async def _play(house: House, http: httpx2.AsyncClient, subdomain: str, case: Case | None) -> ShortDay:
    installation = await install(house, subdomain)
    day = await ShortDay.begin(house, subdomain, installation, http)
    try:
        if case is None:
            await day.play()
        else:
            await _break(day, case)
        await day.drain()
    finally:
        await day.close()
    return day


async def _break(day: ShortDay, case: Case) -> None:
    if case.by_view:
        await day.use_view(await day.first_view())
    await day.play(case.before)
    if case.later:
        day.house.clock.set(day.house.clock.now() + timedelta(hours=case.later))
    await day.switch_on(*case.faults)
    await day.play()
    if not case.to_the_end:
        assert await day.hits() > 0, "the fault never hit"
        await day.switch_off()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plain(house: House, http: httpx2.AsyncClient) -> ShortDay:
    """The same day without a fault."""
    return await _play(house, http, "unbroken", None)


async def test_without_a_fault_the_queue_is_drained(plain: ShortDay) -> None:
    assert plain.failures == []
    assert len(plain.tickets) > 40
    await _require_once(plain)
    assert await plain.final_state() == {t: ("solved", g, True) for t, g in plain.tickets.items()}


@pytest.mark.parametrize("name", CASES)
async def test_a_fault_changes_nothing_in_the_end(
    house: House, http: httpx2.AsyncClient, plain: ShortDay, name: str
) -> None:
    case = CASES[name]
    day = await _play(house, http, f"case-{list(CASES).index(name)}", case)
    await _require_once(day)
    assert await day.final_state() == {t: ("solved", g, True) for t, g in day.tickets.items()}
    if case.reauthorised is not None:
        assert (day.authorisations > 1) is case.reauthorised


async def _require_once(day: ShortDay) -> None:
    assert set(day.assigned) == set(day.tickets), "a ticket is lost"
    twice = {t: agents for t, agents in day.assigned.items() if len(agents) > 1}
    assert not twice, "a ticket was given twice"
    # Nobody else assigns here: a conflict would mean that something was decided on what was over.
    assert await day.writes() == {t: ["CONFIRMED"] for t in day.tickets}, (
        "our books say otherwise than Zendesk"
    )
    assert day.most_open <= INBOX_LIMIT, "an agent was given more than he may have"
