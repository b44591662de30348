"""What changed in a view, without reading all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import pytest_asyncio

from libs.zendesk.tests.answering import TICKET, client
from libs.zendesk.tests.simulated import AGENT, BILLING, SUPPORT, Zendesk, simulated

MANY = 250
NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
UNSOLVED = {"field": "status", "operator": "less_than", "value": "solved"}


@pytest_asyncio.fixture
async def zendesk() -> AsyncIterator[Zendesk]:
    """250 tickets, in a view without groups and in one with them."""
    views = [
        {"title": "Plain", "all": [UNSOLVED]},
        {"title": "Grouped", "all": [UNSOLVED], "output": {"group_by": "group", "columns": ["group"]}},
    ]
    async with simulated(views=views) as one:
        await one.tickets(*[{"group_id": SUPPORT if n % 2 else BILLING} for n in range(MANY)])
        yield one


async def since(zendesk: Zendesk, view: int, instant: datetime) -> tuple[list[int], bool, int]:
    """Return what changed in a view, whether that is all of it, and how many pages it took."""
    route = "GET views/{id:int}/tickets"
    before = await zendesk.asked(route)
    tickets, whole = await (await zendesk.client()).tickets.of_view_since(view, instant)
    return [t.id for t in tickets], whole, await zendesk.asked(route) - before


async def test_what_changed_is_on_the_first_pages(zendesk: Zendesk) -> None:
    plain, grouped = await (await zendesk.client()).views.active()
    assert (plain.grouped, grouped.grouped) == (False, True)
    zendesk.clock.advance(timedelta(minutes=5))
    (new,) = await zendesk.tickets({"group_id": SUPPORT})

    found, whole, pages = await since(zendesk, plain.id, zendesk.clock.now() - timedelta(minutes=1))

    assert (found, whole, pages) == ([new], False, 1)


@pytest.mark.parametrize("minutes", [1, 10])
async def test_what_fits_one_page_is_all(zendesk: Zendesk, minutes: int) -> None:
    (plain, _) = await (await zendesk.client()).views.active()
    asking = await zendesk.client()
    solved = {"status": "solved", "assignee_id": AGENT}
    held = await asking.tickets.of_view(plain.id)
    await zendesk.change(*({"id": t.id, **solved} for t in held if t.id % 3))
    zendesk.clock.advance(timedelta(minutes=5))

    found, whole, pages = await since(zendesk, plain.id, zendesk.clock.now() - timedelta(minutes=minutes))

    assert sorted(found) == sorted(t.id for t in await asking.tickets.of_view(plain.id))
    assert (whole, pages) == (True, 1)


async def test_an_answer_in_another_order_is_read_to_its_end() -> None:
    minutes = [[30, 5], [45, 20], [50]]

    def answer(request: httpx2.Request) -> httpx2.Response:
        page = int(request.url.params.get("page[after]", "0"))
        assert (request.url.params["sort_by"], request.url.params["sort_order"]) == ("updated", "desc")
        rows = [TICKET | {"id": m, "updated_at": f"2026-01-05T09:{m:02}:00Z"} for m in minutes[page]]
        meta = {"has_more": page < 2, "after_cursor": str(page + 1)}
        return httpx2.Response(200, json={"tickets": rows, "meta": meta})

    async def found(instant: datetime) -> tuple[list[int], bool]:
        tickets, whole = await client(answer).tickets.of_view_since(7, instant)
        return [t.id for t in tickets], whole

    assert await found(NINE + timedelta(minutes=3)) == ([30, 5, 45, 20, 50], True)
    assert await found(NINE + timedelta(minutes=10)) == ([30], False)
