"""An export gives each change once: over ties, the hidden minute, dead cursors and changes while it is read."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from libs.zendesk.errors import RecordInvalidError
from libs.zendesk.exports import Checkpoint, Export, ExportPage, TimedExport
from libs.zendesk.models import Ticket
from libs.zendesk.models.json import Json
from libs.zendesk.tests.simulated import ADMIN, AGENT, REQUESTER, Zendesk, simulated
from libs.zendesk.tokens import StaticToken
from libs.zendesk.transport import Transport

START = Checkpoint(time=1)
Row = tuple[int, int]


@pytest_asyncio.fixture
async def zendesk() -> AsyncIterator[Zendesk]:
    async with simulated() as one:
        yield one


def row_of(row: Json) -> Row:
    """Keep a row's id and the second of its change."""
    return int(row["id"]), int(row["generated_timestamp"])


async def export(
    zendesk: Zendesk, kind: str, *, settled: bool = True, size: int = 2, by_time: bool = False
) -> Export[Row] | TimedExport[Row]:
    transport = Transport(
        zendesk.base,
        StaticToken(await zendesk.token()),
        zendesk.http,
        clock=zendesk.clock,
        sleep=zendesk.time.sleep,
    )
    params = {"per_page": size}
    if by_time:
        return TimedExport(transport, f"incremental/{kind}", kind, row_of, settled=settled, params=params)
    return Export(transport, f"incremental/{kind}/cursor", kind, row_of, settled=settled, params=params)


async def read(
    stream: Export[Row] | TimedExport[Row], checkpoint: Checkpoint = START, *, dead: bool = False
) -> tuple[list[Row], Checkpoint]:
    """Read to the end of the stream; `dead`: every cursor dies before it is used."""
    rows: list[Row] = []
    while True:
        if dead and checkpoint.cursor:
            checkpoint = Checkpoint("nonsense", checkpoint.time, checkpoint.given)
        page: ExportPage[Row] = await stream.page(Checkpoint.decode(checkpoint.encode()))
        rows += page.rows
        checkpoint = page.checkpoint
        if page.end_of_stream:
            return rows, checkpoint


def later(zendesk: Zendesk, seconds: float) -> None:
    zendesk.clock.advance(timedelta(seconds=seconds))


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("dead", [False, True])
async def test_ties_are_given_once(zendesk: Zendesk, by_time: bool, dead: bool) -> None:
    seconds = [1, 2, 7, 1, 3]
    tickets = []
    for count in seconds:
        tickets += await zendesk.tickets(*[{}] * count)
        later(zendesk, 1)
    later(zendesk, 120)

    rows, end = await read(await export(zendesk, "tickets", size=8, by_time=by_time), dead=dead)

    assert sorted(i for i, _ in rows) == tickets
    assert await read(await export(zendesk, "tickets", size=8, by_time=by_time), end, dead=dead) == ([], end)


@pytest.mark.parametrize("by_time", [False, True])
async def test_one_second_that_is_larger_than_a_page(zendesk: Zendesk, by_time: bool) -> None:
    tickets = await zendesk.tickets(*[{}] * 9)
    later(zendesk, 200)

    rows, _ = await read(await export(zendesk, "tickets", by_time=by_time))

    assert sorted(i for i, _ in rows) == tickets


async def test_the_last_minute_comes_later_and_once(zendesk: Zendesk) -> None:
    stream = await export(zendesk, "tickets")
    old = await zendesk.tickets({}, {}, {})
    later(zendesk, 50)
    young = await zendesk.tickets({}, {})
    first, checkpoint = await read(stream)
    later(zendesk, 15)
    second, checkpoint = await read(stream, checkpoint)
    later(zendesk, 100)
    third, checkpoint = await read(stream, checkpoint)

    assert first == []
    assert [i for i, _ in second] == old
    assert [i for i, _ in third] == young
    assert (await read(stream, checkpoint))[0] == []


async def test_a_cursor_goes_on_where_a_walk_by_time_ended(zendesk: Zendesk) -> None:
    first = await zendesk.tickets(*[{}] * 5)
    later(zendesk, 90)
    rows, checkpoint = await read(await export(zendesk, "tickets", by_time=True))
    second = await zendesk.tickets(*[{}] * 5)
    later(zendesk, 90)
    more, _ = await read(await export(zendesk, "tickets"), checkpoint)

    assert sorted(i for i, _ in rows) == first
    assert [i for i, _ in more] == second


async def test_a_user_who_changes_again_in_the_second_that_was_read(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    later(zendesk, 200)
    checkpoint = START
    states: list[bool] = []

    async def poll() -> None:
        nonlocal checkpoint
        page = await admin.users.changed(checkpoint)
        checkpoint = page.checkpoint
        states.extend(u.suspended for u in page.rows if u.id == REQUESTER)

    await poll()
    states.clear()
    suspend = {"user": {"suspended": True}}, {"user": {"suspended": False}}, {"user": {"suspended": True}}
    headers = {"authorization": f"Bearer {await zendesk.token()}"}
    for body in suspend:  # all in one second, and read in between
        answer = await zendesk.http.put(f"/api/v2/users/{REQUESTER}", json=body, headers=headers)
        assert answer.status_code == 200
        await poll()
    assert states == []
    later(zendesk, 62)
    await poll()
    await poll()

    assert states == [True]


async def test_users_are_given_once_though_half_a_page_is_too_young(zendesk: Zendesk) -> None:
    later(zendesk, 100)
    headers = {"authorization": f"Bearer {await zendesk.token()}"}
    for user in (AGENT, ADMIN):
        later(zendesk, 45)
        await zendesk.http.put(f"/api/v2/users/{user}", json={"user": {"notes": "x"}}, headers=headers)
    stream = await export(zendesk, "users", settled=False, size=100)
    seen: list[int] = []
    checkpoint = START
    for _ in range(6):
        rows, checkpoint = await read(stream, checkpoint)
        seen += [i for i, _ in rows]
        later(zendesk, 20)

    assert seen == [REQUESTER, AGENT, ADMIN]


async def test_a_dead_cursor_without_a_time_is_told(zendesk: Zendesk) -> None:
    with pytest.raises(RecordInvalidError):
        await (await export(zendesk, "tickets")).page(Checkpoint("nonsense"))


async def test_a_start_that_is_too_late_is_moved_back_and_gives_nothing_older(zendesk: Zendesk) -> None:
    old = await zendesk.tickets({})
    later(zendesk, 100)
    start = Checkpoint(time=int(zendesk.clock.now().timestamp()))
    young = await zendesk.tickets({})
    stream = await export(zendesk, "tickets")
    rows, checkpoint = await read(stream, start)
    assert rows == []
    later(zendesk, 200)

    assert [i for i, _ in (await read(stream, checkpoint))[0]] == young != old


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by_time", [False, True])
async def test_no_change_is_left_out_or_given_twice(zendesk: Zendesk, seed: int, by_time: bool) -> None:
    luck = random.Random(seed)
    stream = await export(zendesk, "tickets", size=luck.choice([1, 2, 5, 100]), by_time=by_time)
    tickets = await zendesk.tickets(*[{}] * 8)
    seen: list[Row] = []
    checkpoint = START
    for _ in range(40):
        match luck.randrange(6):
            case 0:
                tickets += await zendesk.tickets({})
            case 1 | 2:
                chosen = luck.sample(tickets, 3)
                await zendesk.change(
                    *({"id": i, "subject": str(luck.random()), "author_id": ADMIN} for i in chosen)
                )
            case 3 | 4:
                later(zendesk, luck.choice([0.4, 1, 7, 65]))
            case 5:
                if checkpoint.cursor and luck.random() < 0.3:
                    checkpoint = Checkpoint("nonsense", checkpoint.time, checkpoint.given)
                page = await stream.page(checkpoint)
                seen += page.rows
                checkpoint = page.checkpoint
    later(zendesk, 130)
    rows, _ = await read(stream, checkpoint)
    seen += rows
    dump = (await zendesk.http.get("/_control/acme/dump")).json()["tickets"]

    assert len(seen) == len(set(seen))
    assert {max(at for i, at in seen if i == ticket) for ticket in tickets}
    assert {i: max(at for j, at in seen if j == i) for i in tickets} == {
        t["id"]: t["generated_timestamp"] for t in dump
    }


async def test_skills_are_a_log_that_is_read_on(zendesk: Zendesk) -> None:
    admin = await zendesk.client()
    headers = {"authorization": f"Bearer {await zendesk.token()}"}

    async def post(path: str, **body: object) -> str:
        answer = await zendesk.http.post(f"/api/v2/{path}", json=body, headers=headers)
        return str(next(iter(answer.json().values()))["id"])

    attribute = await post("routing/attributes", attribute={"name": "Language"})
    path = f"routing/attributes/{attribute}/values"
    values = [await post(path, attribute_value={"name": name}) for name in ("French", "Thai")]
    checkpoint, seen = Checkpoint(), []
    for chosen in (values[:1], values, values[1:]):
        await admin.routing.set_agent_skills(AGENT, chosen)
        later(zendesk, 61)
        while True:
            page = await admin.routing.changes(checkpoint)
            seen += [(c.type, c.attribute_value_id) for c in page.rows if c.instance_id == AGENT]
            checkpoint = page.checkpoint
            if page.end_of_stream:
                break

    assert seen == [
        ("associate_agent", values[0]),
        ("associate_agent", values[1]),
        ("unassociate_agent", values[0]),
    ]


async def test_rows_without_a_generated_timestamp_are_rather_given_twice_than_left_out() -> None:
    """`updated_at` does not move with changes of the system, so it proves nothing about what was given."""
    rows: list[Json] = [
        {
            "id": 1,
            "status": "open",
            "created_at": "2026-01-05T08:00:00Z",
            "updated_at": "2026-01-05T08:00:00Z",
        }
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if "cursor" in request.url.params:
            return httpx2.Response(400, json={"error": "InvalidValue"})
        return httpx2.Response(200, json={"tickets": rows, "after_cursor": "c", "end_of_stream": True})

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    transport = Transport("https://acme.zendesk.com", StaticToken("t"), http)
    stream: Export[Any] = Export(transport, "incremental/tickets/cursor", "tickets", Ticket.of, settled=True)
    first = await stream.page(START)
    again = await stream.page(first.checkpoint)

    assert [t.id for t in first.rows] == [1]
    assert again.rows == ()
    rows[0]["updated_at"] = "2026-01-05T07:59:00Z"
    assert [t.id for t in (await stream.page(again.checkpoint)).rows] == [1]


@pytest.mark.parametrize("text", ["", "{}", "[]", '["c"]', '["c", "t"]', '["c", 1, ["x"]]', "cursor=="])
def test_a_checkpoint_is_read_strictly(text: str) -> None:
    with pytest.raises(ValueError):
        Checkpoint.decode(text)
