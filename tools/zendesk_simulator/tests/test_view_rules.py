"""What views hold: conditions, order, pages, who sees them."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, GROUP, REQUESTER, Machine

OPEN_ONES = {"field": "status", "operator": "less_than", "value": "solved"}


async def _view(machine: Machine, *conditions: dict[str, Any], **more: Any) -> int:
    view = {"title": "V", "all": [OPEN_ONES, *conditions], **more}
    answer = await machine.call("POST", "views", {"view": view})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["view"]["id"])


async def _in(machine: Machine, view: int, *, user: int = ADMIN, query: str = "") -> list[int]:
    answer = await machine.call("GET", f"views/{view}/tickets{query}", user=user)
    return [t["id"] for t in answer.json()["tickets"]]


def _condition(field: str, operator: str, value: object) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        (_condition("priority", "greater_than", "normal"), True),
        (_condition("priority", "is", ""), False),
        (_condition("assignee_id", "is", "current_user"), True),
        (_condition("assignee_id", "is_not", str(AGENT)), False),
        (_condition("group_id", "is", "current_groups"), True),
        (_condition("requester_id", "is", str(REQUESTER)), True),
        (_condition("current_tags", "includes", "cold hot"), True),
        (_condition("current_tags", "not_includes", "hot"), False),
        (_condition("subject_includes_word", "is", "burns"), True),
        (_condition("subject_includes_word", "is", "burn"), False),
        (_condition("ticket_is_public", "is", "private"), False),
        (_condition("updated_at", "greater_than", "1"), True),
        (_condition("updated_at", "less_than", "1"), False),
        (_condition("OPEN", "greater_than", "1"), True),
        (_condition("PENDING", "less_than", "99"), False),
    ],
)
async def test_conditions(machine: Machine, condition: dict[str, Any], *, fits: bool) -> None:
    ticket = await machine.ticket(priority="high", assignee_id=AGENT, tags=["hot"], subject="printer burns")
    machine.clock.advance(timedelta(hours=3))
    view = await _view(machine, condition)

    assert await _in(machine, view, user=AGENT) == ([ticket] if fits else [])


async def test_a_view_follows_its_tickets(machine: Machine) -> None:
    view = await _view(machine, _condition("priority", "is", "high"))
    first, second = await machine.ticket(priority="high"), await machine.ticket()
    assert await _in(machine, view) == [first]

    await machine.call("PUT", f"tickets/{second}", {"ticket": {"priority": "high"}})
    await machine.call("DELETE", f"tickets/{first}")

    assert await _in(machine, view) == [second]
    await machine.call("PUT", f"deleted_tickets/{first}/restore")
    assert await _in(machine, view) == [first, second]


async def test_the_order_is_the_views_unless_one_is_asked_for(machine: Machine) -> None:
    view = await _view(machine, output={"columns": ["nice_id"], "sort_by": "priority", "sort_order": "desc"})
    low, high = await machine.ticket(priority="low"), await machine.ticket(priority="high")
    grouped = await _view(
        machine, output={"columns": ["nice_id"], "group_by": "priority", "sort_by": "nice_id"}
    )
    again = await machine.ticket(priority="low")

    assert await _in(machine, view) == [high, low, again] or await _in(machine, view) == [high, again, low]
    assert await _in(machine, view, query="?sort_by=nice_id&sort_order=desc") == [again, high, low]
    assert await _in(machine, grouped) == [low, again, high]


async def test_cursors_of_views_hold_a_row_offset(machine: Machine) -> None:
    view = await _view(machine)
    ids = [await machine.ticket() for _ in range(5)]
    first = (await machine.call("GET", f"views/{view}/tickets?page[size]=2")).json()
    assert (first["meta"]["before_cursor"], first["links"]["prev"]) == (None, None)
    cursor = json.loads(base64.b64decode(first["meta"]["after_cursor"]))
    assert base64.b64decode(cursor["sort"]).endswith(b"nice_id asc")
    assert base64.b64decode(cursor["offset"]) == b"i\x02" + b"\x00" * 7

    await machine.call("DELETE", f"tickets/{ids[0]}")  # everything moves up: a row is skipped
    second = (
        await machine.call(
            "GET", f"views/{view}/tickets?page[size]=2&page[after]={first['meta']['after_cursor']}"
        )
    ).json()

    assert [t["id"] for t in second["tickets"]] == ids[3:]
    assert second["links"]["prev"] is not None


async def test_restricted_views_are_seen_by_their_group(machine: Machine) -> None:
    other = (await machine.call("POST", "groups", {"group": {"name": "Other"}})).json()["group"]["id"]
    mine = await _view(machine, restriction={"type": "Group", "id": GROUP, "ids": [GROUP]})
    theirs = await _view(machine, restriction={"type": "Group", "id": other, "ids": [other]})

    listed = (await machine.call("GET", "views", user=AGENT)).json()["views"]

    assert {v["id"] for v in listed} >= {mine}
    assert theirs not in {v["id"] for v in listed}
    assert (await machine.call("GET", f"views/{theirs}/tickets", user=AGENT)).status_code == 404
    shared = {"view": {"title": "Mine", "all": [OPEN_ONES]}}
    assert (await machine.call("POST", "views", shared, user=AGENT)).status_code == 403


async def test_more_than_twenty_counts_are_too_many(machine: Machine) -> None:
    ids = ",".join(map(str, range(21)))

    answer = await machine.call("GET", f"views/count_many?ids={ids}")

    assert (answer.status_code, answer.json()["max_count"]) == (400, 20)


async def test_definitions_name_the_accounts_own_things(machine: Machine) -> None:
    views = (await machine.call("GET", "views/definitions")).json()["definitions"]
    triggers = (await machine.call("GET", "triggers/definitions")).json()["definitions"]

    groups = next(c for c in views["conditions_all"] if c["subject"] == "group_id")
    assert {"value": str(GROUP), "title": "Support", "enabled": True} in groups["values"]
    assert "update_type" not in {c["subject"] for c in views["conditions_all"]}
    assert "update_type" in {c["subject"] for c in triggers["conditions_all"]}
    assert "notification_webhook" in {a["subject"] for a in triggers["actions"]}
