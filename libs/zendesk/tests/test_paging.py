"""A walk through a list gives each row once, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from libs.zendesk.errors import CursorExpiredError, ForbiddenError, ZendeskUnavailableError
from libs.zendesk.models import Organization
from libs.zendesk.paging import NumberedPages, Pages, Position
from libs.zendesk.tests.answering import MovingTime, client, refusal
from libs.zendesk.tests.simulated import Zendesk, simulated
from libs.zendesk.tokens import StaticToken
from libs.zendesk.transport import Transport

SIZE = 3


class Listed:
    """A list of ids by cursor and by number, which tests change under the walker."""

    def __init__(self, *ids: int) -> None:
        self.ids = list(ids)
        self.pages = 0
        self.before: Callable[[int], httpx2.Response | None] = lambda _: None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.pages += 1
        if (answer := self.before(self.pages)) is not None:
            return answer
        query = request.url.params
        return httpx2.Response(
            200, json=self._cursor(query) if "page[size]" in query else self._number(query)
        )

    def _cursor(self, query: httpx2.QueryParams) -> dict[str, Any]:
        after = int(query.get("page[after]", "0"))
        rest = [i for i in self.ids if i > after]
        rows, more = rest[:SIZE], len(rest) > SIZE
        meta = {"has_more": more, "after_cursor": str(rows[-1]) if rows else None, "before_cursor": None}
        return {"organizations": [{"id": i} for i in rows], "meta": meta}

    def _number(self, query: httpx2.QueryParams) -> dict[str, Any]:
        end = int(query.get("page", "1")) * SIZE
        rows = [{"id": i} for i in self.ids[end - SIZE : end]]
        return {
            "organizations": rows,
            "count": len(self.ids),
            "next_page": "x" if end < len(self.ids) else None,
        }

    def walk(self, kind: type[Pages[Any]] = Pages, start: Position | None = None) -> Pages[Organization]:
        """Begin a walk."""
        time = MovingTime()
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        transport = Transport("https://acme.zendesk.com", StaticToken("t"), http, sleep=time.sleep)
        return kind(transport, "organizations", "organizations", Organization.of, start=start)


async def ids_of(pages: Pages[Organization]) -> list[int]:
    return [row.id async for row in pages]


@pytest.mark.parametrize("kind", [Pages, NumberedPages])
@pytest.mark.parametrize("count", [0, 1, SIZE, SIZE + 1, 4 * SIZE])
async def test_every_row_is_given_once_and_in_order(kind: type[Pages[Any]], count: int) -> None:
    listed = Listed(*range(1, count + 1))

    assert await ids_of(listed.walk(kind)) == list(range(1, count + 1))


@pytest.mark.parametrize("kind", [Pages, NumberedPages])
@pytest.mark.parametrize("stop", range(1, 10))
async def test_a_walk_begins_again_behind_any_row(kind: type[Pages[Any]], stop: int) -> None:
    listed = Listed(*range(1, 11))
    first = listed.walk(kind)
    seen: list[int] = []
    while len(seen) < stop:
        seen.append((await anext(first)).id)
    kept = first.position.encode()

    rest = await ids_of(listed.walk(kind, Position.decode(kept)))

    assert seen + rest == list(range(1, 11))


async def test_a_row_whose_work_failed_comes_again() -> None:
    listed, kept = Listed(1, 2, 3, 4, 5), Position()
    done: list[int] = []

    async def work(broken: int) -> None:
        nonlocal kept
        pages = listed.walk(start=kept)
        async for row in pages:
            if row.id == broken:
                raise LookupError
            done.append(row.id)
            kept = pages.position

    for broken in (2, 5, 0):
        if broken:
            with pytest.raises(LookupError):
                await work(broken)
        else:
            await work(broken)

    assert done == [1, 2, 3, 4, 5]


async def test_the_same_walk_goes_on_after_an_error() -> None:
    listed = Listed(*range(1, 8))
    listed.before = lambda page: refusal(403) if page == 2 else None
    pages = listed.walk()
    seen = [(await anext(pages)).id for _ in range(3)]

    with pytest.raises(ForbiddenError):
        await anext(pages)
    assert seen + await ids_of(pages) == list(range(1, 8))


async def test_rows_that_come_and_go_neither_repeat_nor_hide_others() -> None:
    listed = Listed(10, 20, 30, 40, 50, 60, 70)
    first = listed.walk()
    seen = [(await anext(first)).id for _ in range(2)]
    listed.ids = [5, 15, 20, 30, 40, 50, 60, 70]  # 10 went, 5 and 15 came

    seen += await ids_of(listed.walk(start=first.position))

    assert [i for i in seen if i in (30, 40, 50, 60, 70)] == [30, 40, 50, 60, 70]
    assert len(seen) == len(set(seen))


async def test_a_list_by_number_that_shrinks_loses_nothing_that_stays() -> None:
    listed = Listed(*range(1, 13))

    def restored(page: int) -> None:
        if page == 2:
            listed.ids = [i for i in listed.ids if i not in (1, 2, 3)]  # the rest moves up one page

    listed.before = restored
    seen = await ids_of(listed.walk(NumberedPages))

    assert set(range(4, 13)) <= set(seen)
    assert len(seen) == len(set(seen))


async def test_a_list_by_number_that_always_shrinks_ends() -> None:
    listed = Listed(*range(1, 100))

    def gone(_: int) -> None:
        listed.ids.pop()

    listed.before = gone

    seen = await ids_of(listed.walk(NumberedPages))

    assert len(seen) == len(set(seen))
    assert listed.pages < 60


async def test_a_cursor_that_stands_still_is_an_error_and_no_loop() -> None:
    same = {"organizations": [{"id": 1}], "meta": {"has_more": True, "after_cursor": "c"}}
    listed = Listed()
    listed.before = lambda _: httpx2.Response(200, json=same)

    with pytest.raises(ZendeskUnavailableError) as caught:
        await ids_of(listed.walk())

    assert caught.value.error == "CursorStandsStill"


async def test_a_list_that_goes_on_by_number_unasked_is_not_cut_off_in_silence() -> None:
    listed = Listed()
    listed.before = lambda _: httpx2.Response(
        200, json={"organizations": [{"id": 1}], "next_page": "https://x"}
    )

    with pytest.raises(ZendeskUnavailableError) as caught:
        await ids_of(listed.walk())

    assert caught.value.error == "PagedByNumber"


async def test_a_dead_cursor_is_told_apart_from_other_refusals() -> None:
    listed = Listed(1, 2, 3, 4)
    dead = httpx2.Response(400, json={"error": "InvalidCursor", "description": "Invalid cursor"})
    listed.before = lambda page: dead if page > 1 else None
    pages = listed.walk()

    with pytest.raises(CursorExpiredError):
        await ids_of(pages)
    with pytest.raises(CursorExpiredError):
        await ids_of(listed.walk(start=pages.position))


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", "nonsense"])
def test_a_position_is_read_strictly(text: str) -> None:
    with pytest.raises(ValueError):
        Position.decode(text)


@pytest_asyncio.fixture
async def zendesk() -> AsyncIterator[Zendesk]:
    async with simulated() as one:
        yield one


async def test_a_long_list_of_the_simulator_is_walked_in_parts(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    tickets = await zendesk.tickets(*[{"status": "solved", "assignee_id": 2, "group_id": 20}] * 230)
    for ticket in tickets:
        await admin.ticket_deletion.trash(ticket)
    seen: list[int] = []
    start: Position | None = None
    while len(seen) < 230:
        walk = admin.ticket_deletion.trashed(start=start)
        seen += [(await anext(walk)).id for _ in range(23)]
        start = Position.decode(walk.position.encode())

    assert seen == tickets


async def test_a_cursor_that_the_simulator_does_not_know(zendesk: Zendesk) -> None:
    admin = await zendesk.client()

    with pytest.raises(CursorExpiredError):
        await admin.organizations.all(start=Position("nonsense")).all()


async def test_no_walk_asks_for_more_pages_than_there_are() -> None:
    listed = Listed(*range(1, 7))

    await ids_of(listed.walk())

    assert listed.pages == 2
    assert client(lambda _: refusal(500)).organizations.all().position == Position()
