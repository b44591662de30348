"""Pages by cursor and by number, both ways, whatever happens between them."""

from __future__ import annotations

import base64
import json

from tools.zendesk_simulator.paging import cursor_of, number_bytes
from tools.zendesk_simulator.tests.machine import Machine


def test_cursors_are_written_as_the_live_service_writes_them() -> None:
    assert number_bytes(9_000_000_000_123) == "aXuQzXkvCAAA"
    assert cursor_of(9_000_000_000_123) == "eyJvIjoiaWQiLCJ2IjoiYVh1UXpYa3ZDQUFBIn0="


async def _page(machine: Machine, query: str) -> dict[str, object]:
    answer = await machine.call("GET", f"tickets?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def _ids(page: dict[str, object]) -> list[int]:
    return [t["id"] for t in page["tickets"]]  # type: ignore[attr-defined]  # JSON


async def test_forwards_and_backwards(machine: Machine) -> None:
    ids = [await machine.ticket() for _ in range(7)]

    first = await _page(machine, "page[size]=3")
    meta = first["meta"]
    assert isinstance(meta, dict)
    assert (_ids(first), meta["has_more"]) == (ids[:3], True)
    assert json.loads(base64.b64decode(meta["before_cursor"]))["o"] == "id"  # filled on page 1 too
    second = await _page(machine, f"page[size]=3&page[after]={meta['after_cursor']}")
    back = await _page(machine, f"page[size]=3&page[before]={second['meta']['before_cursor']}")  # type: ignore[index]  # JSON
    none = await _page(machine, f"page[size]=3&page[before]={meta['before_cursor']}")

    assert (_ids(second), _ids(back), _ids(none)) == (ids[3:6], ids[:3], [])


async def test_a_cursor_outlives_its_row(machine: Machine) -> None:
    ids = [await machine.ticket() for _ in range(5)]
    first = await _page(machine, "page[size]=2")
    await machine.call("DELETE", f"tickets/{ids[1]}")

    second = await _page(machine, f"page[size]=2&page[after]={first['meta']['after_cursor']}")  # type: ignore[index]  # JSON

    assert _ids(second) == ids[2:4]


async def test_the_newest_first_by_id(machine: Machine) -> None:
    ids = [await machine.ticket() for _ in range(5)]

    first = await _page(machine, "page[size]=2&sort=-id")
    second = await _page(machine, f"page[size]=2&sort=-id&page[after]={first['meta']['after_cursor']}")  # type: ignore[index]  # JSON

    assert _ids(first) + _ids(second) == ids[:0:-1]


async def test_with_both_styles_the_old_sort_is_dropped(machine: Machine) -> None:
    ids = [await machine.ticket() for _ in range(3)]

    assert _ids(await _page(machine, "page[size]=3&sort_by=id&sort_order=desc")) == ids
    assert _ids(await _page(machine, "sort_by=id&sort_order=desc")) == ids[::-1]


async def test_links_keep_the_question(machine: Machine) -> None:
    for _ in range(3):
        await machine.ticket()

    page = await _page(machine, "include=users&per_page=2")

    assert page["next_page"] == "https://acme.zendesk.com/api/v2/tickets.json?include=users&page=2&per_page=2"
    assert (page["count"], page["previous_page"]) == (3, None)
    assert {u["role"] for u in page["users"]} == {"end-user"}  # type: ignore[attr-defined]  # JSON
