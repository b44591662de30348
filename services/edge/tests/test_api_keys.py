"""Keys of programs that set statuses and limits: which are known, and how often they may ask."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId
from services.edge.http.api_keys import ApiKey, ApiKeys, KeyLimits, read_api_keys
from services.edge.main import build_app
from services.edge.settings import EdgeSettings

HASH = hashlib.sha256(b"key of wfm").hexdigest()
ENTRY = {"name": "wfm", "account": "acc-1", "key_sha256": HASH}
KEY = {"X-API-Key": "key of wfm"}
ONE, OTHER = (ApiKey(name, AccountId("acc-1"), name.encode()) for name in ("one", "other"))
ROUTES = [
    ("GET", "/zendesk/user_statuses/current"),
    ("GET", "/zendesk/users/1/statuses/current"),
    ("POST", "/zendesk/user_statuses/create_many"),
    ("GET", "/zendesk/incremental/user_statuses"),
    ("GET", "/zendesk/users"),
    ("PUT", "/zendesk/users?ids=1"),
]


def written(folder: Path, value: object) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps(value))
    return path


@pytest_asyncio.fixture
async def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def edge(tmp_path: Path, clock: ManualClock) -> Any:
    """The edge with one key, before no service: whoever comes through is told that auth is missing."""
    app = build_app(EdgeSettings(api_keys_file=written(tmp_path, [ENTRY])))
    async with app.router.lifespan_context(app):
        app.state.api_keys = ApiKeys(app.state.api_keys.keys, KeyLimits(clock))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://edge") as http:
            yield http


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    other = {**ENTRY, "name": "new-wfm", "key_sha256": "0" * 64}

    assert read_api_keys(None) == []
    assert read_api_keys(written(tmp_path, [ENTRY, other])) == [
        ApiKey("wfm", AccountId("acc-1"), bytes.fromhex(HASH)),
        ApiKey("new-wfm", AccountId("acc-1"), bytes(32)),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "holds no JSON array"),
        ([[]], "entry 0: is no object with name, account and key_sha256"),
        ([{**ENTRY, "trusted": True}], "entry 0: is no object with name, account and key_sha256"),
        ([ENTRY, {**ENTRY, "name": "Two"}], "entry 1: name must match"),
        ([{**ENTRY, "account": 1}], "entry 0: account must match"),
        ([{**ENTRY, "key_sha256": HASH.upper()}], "entry 0: key_sha256 must match"),
        ([ENTRY, {**ENTRY, "name": "two"}], "two entries have the same key"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_without_its_hashes(
    tmp_path: Path, value: object, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        read_api_keys(written(tmp_path, value))

    assert HASH not in str(refused.value)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-API-Key", "")],
        [("X-API-Key", "another")],
        [("X-API-Key", HASH)],
        [("Authorization", "Bearer key of wfm")],
        [("X-API-Key", "key of wfm"), ("X-API-Key", "another")],
    ],
)
async def test_nobody_gets_in_without_a_key(
    edge: httpx2.AsyncClient, method: str, path: str, headers: list[tuple[str, str]]
) -> None:
    answer = await edge.request(method, path, headers=headers, content=b"not even JSON")

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("ApiKey")


async def test_a_key_is_of_no_use_elsewhere(edge: httpx2.AsyncClient) -> None:
    for method, path in (("GET", "/v1/agents"), ("POST", "/access/v1/evaluation")):
        headers = {**KEY, "authorization": "Bearer key of wfm"}
        assert (await edge.request(method, path, headers=headers)).status_code == 401


async def test_too_many_are_told_when_to_come_again(edge: httpx2.AsyncClient, clock: ManualClock) -> None:
    statuses = [(await edge.get("/zendesk/users", headers=KEY)).status_code for _ in range(10)]
    eleventh = await edge.get("/zendesk/users", headers=KEY)
    clock.advance(timedelta(seconds=1))
    later = await edge.get("/zendesk/users", headers=KEY)

    assert (set(statuses), later.status_code) == ({503}, 503)
    assert (eleventh.status_code, eleventh.json()["reason"]) == (429, "RATE_LIMITED")
    assert eleventh.headers["retry-after"] == "1"


def test_no_second_and_no_day_has_more_than_its_share() -> None:
    clock = ManualClock(datetime(2026, 1, 5, 23, 59, 50, tzinfo=UTC))
    limits = KeyLimits(clock, per_second=2, per_day=5)

    taken = []
    for _ in range(24):  # every quarter of a second, until four seconds before midnight
        taken.append(limits.take(ONE) is None)
        clock.advance(timedelta(seconds=0.25))

    assert [n for n, one in enumerate(taken) if one] == [0, 1, 4, 5, 8]
    assert limits.take(ONE) == timedelta(seconds=4)
    assert limits.take(OTHER) is None
    clock.advance(timedelta(seconds=4))
    assert limits.take(ONE) is None
    assert limits.take(ONE) is None
    assert limits.take(ONE) == timedelta(seconds=1)


def test_a_clock_that_steps_back_locks_nobody_out() -> None:
    clock = ManualClock()
    limits = KeyLimits(clock, per_second=1)
    assert limits.take(ONE) is None
    clock.advance(timedelta(hours=-1))

    assert limits.take(ONE) is None
    assert limits.take(ONE) == timedelta(seconds=1)
