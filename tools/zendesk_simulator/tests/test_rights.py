"""What custom roles let agents do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tools.zendesk_simulator.tests.machine import ADMIN, AGENT, GROUP, Machine


async def _role(machine: Machine, **configuration: object) -> None:
    body = {"custom_role": {"name": "R", "configuration": configuration}}
    role = (await machine.call("POST", "custom_roles", body)).json()["custom_role"]
    answer = await machine.call("PUT", f"users/{AGENT}", {"user": {"custom_role_id": role["id"]}})
    assert answer.json()["user"]["custom_role_id"] == role["id"]


@pytest.mark.parametrize(
    ("right", "method", "path", "body"),
    [
        ("manage_groups", "POST", "groups", {"group": {"name": "New"}}),
        (
            "manage_group_memberships",
            "POST",
            "group_memberships",
            {"group_membership": {"user_id": ADMIN, "group_id": 20}},
        ),
        ("manage_skills", "POST", "routing/attributes", {"attribute": {"name": "Language"}}),
        (
            "manage_triggers",
            "POST",
            "triggers",
            {"trigger": {"title": "T", "actions": [{"field": "priority", "value": "low"}]}},
        ),
        (
            "manage_user_fields",
            "POST",
            "user_fields",
            {"user_field": {"type": "text", "title": "X", "key": "x"}},
        ),
        ("manage_ticket_fields", "POST", "ticket_fields", {"ticket_field": {"type": "text", "title": "X"}}),
        ("view_deleted_tickets", "GET", "deleted_tickets", None),
    ],
)
async def test_a_right_opens_its_door(
    machine: Machine, right: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await _role(machine, **{right: False})
    shut = await machine.call(method, path, body, user=AGENT)
    await _role(machine, **{right: True})

    opened = await machine.call(method, path, body, user=AGENT)

    assert shut.status_code == 403
    assert opened.status_code in (200, 201, 422)  # 422: he is a member already; the door was open


async def test_plain_agents_manage_nothing_but_their_work(machine: Machine) -> None:
    ticket = await machine.ticket()

    assert (await machine.call("POST", "groups", {"group": {"name": "New"}}, user=AGENT)).status_code == 403
    assert (await machine.call("DELETE", f"tickets/{ticket}", user=AGENT)).status_code == 204


async def test_ticket_access_bounds_what_is_seen(machine: Machine) -> None:
    other = (await machine.call("POST", "groups", {"group": {"name": "Other"}})).json()["group"]["id"]
    mine, ours = await machine.ticket(assignee_id=AGENT), await machine.ticket()
    theirs = await machine.ticket(group_id=other)
    view = next(iter(machine.account.views))

    async def seen() -> list[list[int]]:
        answers = [
            await machine.call("GET", path, user=AGENT) for path in ("tickets", f"views/{view}/tickets")
        ]
        return [[t["id"] for t in a.json()["tickets"]] for a in answers]

    await _role(machine, ticket_access="assigned-only")
    assert await seen() == [[mine], [mine]]
    assert (await machine.call("GET", f"tickets/{ours}", user=AGENT)).status_code == 403
    await _role(machine, ticket_access="within-groups")
    assert await seen() == [[mine, ours], [mine, ours]]
    await _role(machine, ticket_access="all")
    assert await seen() == [[mine, ours, theirs], [mine, ours, theirs]]


async def test_view_access_bounds_what_views_are_made(machine: Machine) -> None:
    condition = {"field": "status", "operator": "is", "value": "new"}
    shared = {"view": {"title": "V", "all": [condition]}}
    group = {"view": {**shared["view"], "restriction": {"type": "Group", "id": GROUP, "ids": [GROUP]}}}
    own = {"view": {**shared["view"], "restriction": {"type": "User", "id": AGENT}}}

    async def made() -> list[int]:
        return [
            (await machine.call("POST", "views", b, user=AGENT)).status_code for b in (shared, group, own)
        ]

    found = {}
    for access in ("readonly", "manage-personal", "manage-group", "full"):
        await _role(machine, view_access=access)
        found[access] = await made()

    assert found == {
        "readonly": [403, 403, 403],
        "manage-personal": [403, 403, 201],
        "manage-group": [403, 201, 201],
        "full": [201, 201, 201],
    }


async def test_of_many_who_write_at_the_same_moment_one_wins(machine: Machine) -> None:
    ticket = await machine.ticket()
    token = await machine.token()
    read = (await machine.call("GET", f"tickets/{ticket}", token=token)).json()["ticket"]["updated_at"]
    machine.clock.advance(timedelta(seconds=5))

    async def write(priority: str) -> int:
        values = {"safe_update": True, "updated_stamp": read, "priority": priority}
        return (await machine.call("PUT", f"tickets/{ticket}", {"ticket": values}, token=token)).status_code

    statuses = await asyncio.gather(*(write(p) for p in ("low", "high", "urgent", "normal") * 5))

    assert sorted(statuses) == [200] + [409] * 19


async def test_targets_still_answer(machine: Machine) -> None:
    body = {
        "target": {
            "title": "T",
            "type": "url_target_v2",
            "target_url": "https://example.com",
            "password": "p",
        }
    }
    made = await machine.call("POST", "targets", body)
    target = made.json()["target"]

    assert (made.status_code, target["password"]) == (201, None)
    assert (
        await machine.call("PUT", f"targets/{target['id']}", {"target": {"active": False}})
    ).status_code == 200
    assert (await machine.call("GET", "targets")).json()["count"] == 1
    assert (await machine.call("DELETE", f"targets/{target['id']}")).status_code == 204
    assert (await machine.call("POST", "targets", body, user=AGENT)).status_code == 403
