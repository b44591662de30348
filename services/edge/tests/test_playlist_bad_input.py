"""What programs ask for in a wrong way is refused by the edge itself, by name: no service stands behind it here."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId
from services.edge.http.api_keys import ApiKey, ApiKeys, KeyLimits
from services.edge.main import build_app
from services.edge.settings import EdgeSettings

CREATE, ENDED, USERS = (
    "/zendesk/user_statuses/create_many",
    "/zendesk/incremental/user_statuses",
    "/zendesk/users",
)
KEY = {"X-API-Key": "key of wfm"}
GOOD = {"user_id": 5, "status": "away"}


@pytest_asyncio.fixture
async def edge() -> AsyncIterator[httpx2.AsyncClient]:
    app = build_app(EdgeSettings())
    async with app.router.lifespan_context(app):
        key = ApiKey("wfm", AccountId("acc-1"), hashlib.sha256(b"key of wfm").digest())
        app.state.api_keys = ApiKeys([key], KeyLimits(SystemClock()))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://edge", headers=KEY) as http:
            yield http


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user_statuses"),
        ({"user_statuses": []}, "user_statuses"),
        ({"user_statuses": {"user_id": 5}}, "user_statuses"),
        ({"user_statuses": [GOOD] * 1001}, "user_statuses"),
        ({"user_statuses": [GOOD], "notify": True}, "notify"),
        ({"user_statuses": [GOOD], "notify_app": 1}, "notify_app"),
        ({"user_statuses": [GOOD, 5]}, "user_statuses[1]"),
        ({"user_statuses": [{"user_id": 5}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "until": 1}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "user_id": "5"}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "user_id": True}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "user_id": 5.5}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "user_id": 0}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "user_id": 2**63}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "status": "On Line"}]}, "user_statuses[0]"),
        ({"user_statuses": [{**GOOD, "status": None}]}, "user_statuses[0]"),
    ],
)
async def test_statuses_that_cannot_be_set_are_named(
    edge: httpx2.AsyncClient, body: object, field: str
) -> None:
    answer = await edge.post(CREATE, json=body)

    assert (answer.status_code, answer.json()["reason"]) == (422, "INVALID_REQUEST")
    assert [f["field"] for f in answer.json()["fields"]] == [field]


@pytest.mark.parametrize("path", [CREATE, f"{USERS}?ids=1"])
@pytest.mark.parametrize(
    "content", [b"[]", b"{", b"\xff", b'{"a": 1, "a": 2}', b'{"a": NaN}', b'"' + b"x" * 300_000 + b'"']
)
async def test_a_body_that_cannot_be_read_is_a_bad_request(
    edge: httpx2.AsyncClient, path: str, content: bytes
) -> None:
    method = "POST" if path == CREATE else "PUT"
    answer = await edge.request(method, path, content=content)

    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("start_time=yesterday", "start_time"),
        ("start_time=-5", "start_time"),
        ("start_time=1e9", "start_time"),
        ("start_time=999999999999", "start_time"),
        ("start_time=٣", "start_time"),
        ("cursor=", "cursor"),
        ("start_time=1&cursor=a", "cursor"),
        ("start_time=1&start_time=2", "start_time"),
        ("per_page=5", "per_page"),
    ],
)
async def test_a_history_begins_somewhere_or_is_refused(
    edge: httpx2.AsyncClient, query: str, field: str
) -> None:
    answer = await edge.get(f"{ENDED}?{query}")

    assert answer.status_code == 400
    assert [f["field"] for f in answer.json()["fields"]] == [field]


@pytest.mark.parametrize(
    "query",
    ["", "ids=", "ids=a", "ids=1,,2", "ids=0", "ids=-1", f"ids={2**63}", "ids=1,1", "ids=1&ids=1", "ids=1&x=2",
     "ids=" + ",".join(str(n) for n in range(1, 102))],
)  # fmt: skip
async def test_users_are_named_by_ids_once_and_not_too_many(edge: httpx2.AsyncClient, query: str) -> None:
    answer = await edge.put(f"{USERS}?{query}", json={"user": {"inbox_limit": 1}})

    assert answer.status_code == 400
    assert [f["field"] for f in answer.json()["fields"]] == ["ids"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["user"]),
        ({"user": {}}, ["user"]),
        ({"user": []}, ["user"]),
        ({"inbox_limit": 5}, ["inbox_limit", "user"]),
        ({"user": {"inbox_limit": 0}}, ["user.inbox_limit"]),
        ({"user": {"inbox_limit": 10_001}}, ["user.inbox_limit"]),
        ({"user": {"daily_limit": "5"}}, ["user.daily_limit"]),
        ({"user": {"daily_limit": True}}, ["user.daily_limit"]),
        ({"user": {"idle_timeout": 29}}, ["user.idle_timeout"]),
        ({"user": {"idle_timeout": 1441}}, ["user.idle_timeout"]),
        ({"user": {"idle_timeout": 30.5}}, ["user.idle_timeout"]),
        ({"user": {"idle_timeout_enabled": None}}, ["user.idle_timeout_enabled"]),
        ({"user": {"schedule_id": "7"}}, ["user.schedule_id"]),
        ({"user": {"manager_id": 5}}, ["user.manager_id"]),
        ({"user": {"id": 5, "idle_status": "away"}}, ["user.id", "user.idle_status"]),
        ({"user": {"colour": 5}}, ["user.colour"]),
    ],
)
async def test_values_that_cannot_be_set_are_named_with_the_reason(
    edge: httpx2.AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    answer = await edge.put(f"{USERS}?ids=1", json=body)

    assert (answer.status_code, answer.json()["reason"]) == (422, "INVALID_REQUEST")
    assert [f["field"] for f in answer.json()["fields"]] == fields


@pytest.mark.parametrize("user", ["0", str(2**63), "9" * 40])
async def test_a_number_that_is_no_user_is_not_found(edge: httpx2.AsyncClient, user: str) -> None:
    assert (await edge.get(f"/zendesk/users/{user}/statuses/current")).status_code == 404
    assert (await edge.get("/zendesk/users/me/statuses/current")).status_code == 404


async def test_what_is_well_asked_goes_on(edge: httpx2.AsyncClient) -> None:
    body = {"user_statuses": [GOOD], "notify_app": False}
    users = {
        "user": {"inbox_limit": None, "idle_timeout": 30, "idle_timeout_enabled": True, "schedule_id": None}
    }
    for answer in (
        await edge.post(CREATE, json=body),
        await edge.get(f"{ENDED}?start_time="),
        await edge.get(f"{ENDED}?start_time=1567776000"),
        await edge.put(f"{USERS}?ids=1,2", json=users),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (503, "DEPENDENCY_UNAVAILABLE")
