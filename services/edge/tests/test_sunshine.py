"""Seed 002's routes: which fault is told first, conditions, and what a lenient account ignores."""

from __future__ import annotations

from typing import Any

import pytest

from libs.kernel.errors import DependencyUnavailableError, OverloadedError
from services.edge.http.sunshine import MERGE_PATCH
from services.edge.tests.house import key, person
from services.edge.tests.naive_policy import House

PRODUCT = "/api/sunshine/objects/types/product/permissions"
OWNER = "/api/sunshine/relationships/types/owner/permissions"
NOWHERE = "/api/sunshine/objects/types/planet/permissions"
ADMIN, AGENT, END_USER = (person(user) for user in ("10001", "10002", "10003"))
PATCH = {"content-type": MERGE_PATCH}
BAD_TYPE = ({"content-type": "text/plain"}, b"{}")
TOO_LARGE = (PATCH, b" " * (256 * 1024 + 1))
NO_JSON = (PATCH, b"{")
STALE = (PATCH | {"if-match": '"0"'}, b'{"data":{}}')
NO_DATA = (PATCH, b"{}")
UNKNOWN = (PATCH, b'{"data":{"rback":{}}}')
FAULTS = {"415": BAD_TYPE, "413": TOO_LARGE, "400": NO_JSON, "412": STALE, "422": NO_DATA, "422b": UNKNOWN}


def told(answer: Any) -> tuple[int, str]:
    (error,) = answer.json()["errors"]
    assert error["status"] == str(answer.status_code)
    assert set(error) == {"code", "status", "title", "message"}
    return answer.status_code, error["code"]


@pytest.mark.parametrize("path", [PRODUCT, OWNER])
async def test_shown_and_changed(house: House, path: str) -> None:
    for who in (ADMIN, AGENT):
        shown = await house.http.get(path, headers=who)
        assert (shown.status_code, shown.json(), shown.headers["etag"]) == (
            200,
            {"data": {"rbac": {}}},
            '"1"',
        )
    changed = await house.http.patch(path, content=b'{"data":{"rbac":{}}}', headers=ADMIN | PATCH)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json() == {"data": {"rbac": {}, "rebac": {}}}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (PRODUCT, {}, 401),
        (NOWHERE, {}, 401),
        (PRODUCT, key(), 401),
        (PRODUCT, person("dead"), 401),
        (PRODUCT, AGENT, 403),
        (NOWHERE, AGENT, 403),
        (PRODUCT, END_USER, 403),
        ("/api/sunshine/objects/types/No Key/permissions", AGENT, 403),
        ("/api/sunshine/relationships/types/x/permissions", END_USER, 403),
        (NOWHERE, ADMIN, 404),
        ("/api/sunshine/objects/types/owner/permissions", ADMIN, 404),
        ("/api/sunshine/relationships/types/product/permissions", ADMIN, 404),
        ("/api/sunshine/objects/types/No Key/permissions", ADMIN, 404),
        ("/api/sunshine/relationships/types/x/permissions", ADMIN, 404),
    ],
)
async def test_who_and_what_come_before_the_body(
    house: House, path: str, headers: dict[str, str], status: int, fault: str
) -> None:
    more, content = FAULTS[fault]
    answer = await house.http.patch(path, content=content, headers=headers | more)

    assert told(answer)[0] == status
    assert house.policy.version == 1


@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("second", FAULTS)
async def test_the_order_of_the_rest(house: House, first: str, second: str) -> None:
    """Two faults in one request: the one that stands first in the table is told."""
    names = list(FAULTS)
    if names.index(first) > names.index(second):
        first, second = second, first
    (headers, content), (more, other) = FAULTS[first], FAULTS[second]
    content = other if first in ("415", "412") else content  # their fault is in the headers
    answer = await house.http.patch(PRODUCT, content=content, headers=ADMIN | more | headers)

    assert told(answer)[0] == int(first[:3])
    assert house.policy.version == 1


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "PURGE"])
async def test_another_method(house: House, method: str) -> None:
    for path, who, status in (
        (PRODUCT, {}, 401),
        (PRODUCT, END_USER, 403),
        (NOWHERE, END_USER, 403),
        (NOWHERE, AGENT, 404),
        (PRODUCT, AGENT, 405),
    ):
        answer = await house.http.request(method, path, headers=who)
        assert told(answer)[0] == status
    assert answer.headers["allow"] == "GET, HEAD, PATCH"


async def test_headers_of_refusals(house: House) -> None:
    assert (await house.http.get(PRODUCT)).headers["www-authenticate"] == "Bearer"
    answer = await house.http.patch(PRODUCT, content=b"{}", headers=ADMIN | {"content-type": "a/b"})
    assert (told(answer), answer.headers["accept-patch"]) == ((415, "UnsupportedMediaType"), MERGE_PATCH)
    house.policy.failing = OverloadedError("full", retry_after_seconds=2.0)
    answer = await house.http.get(PRODUCT, headers=ADMIN)
    assert (told(answer), answer.headers["retry-after"]) == ((429, "TooManyRequests"), "2")
    house.policy.failing = DependencyUnavailableError("the database is at 10.0.0.7")
    answer = await house.http.get(PRODUCT, headers=ADMIN)
    assert told(answer) == (503, "ServiceUnavailable")
    assert "10.0.0.7" not in answer.text


async def test_every_fault_of_a_patch_is_an_entry(house: House) -> None:
    body = b'{"data":{"rback":{},"reback":{}}}'
    answer = await house.http.patch(PRODUCT, content=body, headers=ADMIN | PATCH)

    assert [e["message"].split()[0] for e in answer.json()["errors"]] == ["/data/rback", "/data/reback"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b'{"data":{},"data":{}}',
        b'{"data":{"rbac":{"agent":{"read":true,"read":false}}}}',
        b'{"data":' + b"[" * 17 + b"]" * 17 + b"}",
        b'{"data":' + b'{"a":' * 700 + b"1" + b"}" * 701,
        b'{"data":{"x":NaN}}',
        b'{"data":{"\\ud800":1}}',
    ],
)
async def test_what_is_no_json(house: House, content: bytes) -> None:
    answer = await house.http.patch(PRODUCT, content=content, headers=ADMIN | PATCH)

    assert told(answer) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("*", 200),
        ('"1"', 200),
        ('"0", "1"', 200),
        ('W/"1", "1"', 200),
        ('"0"', 412),
        ('"0", "2"', 412),
        ('W/"1"', 412),
        ('""', 412),
        ('"01"', 412),
        ("1", 400),
        ("", 400),
        ('"1', 400),
        ('"1" "2"', 400),
        ('*, "1"', 400),
    ],
)
async def test_if_match(house: House, value: str, status: int) -> None:
    headers = ADMIN | PATCH | {"if-match": value}
    answer = await house.http.patch(PRODUCT, content=b'{"data":{"rbac":{}}}', headers=headers)

    assert answer.status_code == status
    assert house.policy.version == 1 + (status == 200)


async def test_if_match_of_what_does_not_exist(house: House) -> None:
    headers = ADMIN | PATCH | {"if-match": "*"}
    assert (await house.http.patch(NOWHERE, content=b'{"data":{}}', headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("value", "status"),
    [('"1"', 304), ('W/"1"', 304), ("*", 304), ('"2", "1"', 304), ('"2"', 200), ("1", 400)],
)
async def test_if_none_match(house: House, value: str, status: int) -> None:
    answer = await house.http.get(PRODUCT, headers=AGENT | {"if-none-match": value})

    assert answer.status_code == status
    if status == 304:
        assert (answer.content, answer.headers["etag"]) == (b"", '"1"')


async def test_what_a_lenient_account_ignores_is_named(house: House) -> None:
    house.policy.ignored = ["/data/rbac/agent/end_user", "/data/rbac/a~1b\r\nx: y \u00e9"]
    answer = await house.http.patch(PRODUCT, content=b'{"data":{}}', headers=ADMIN | PATCH)

    assert answer.status_code == 200
    assert answer.headers["x-zendesk-api-warn"] == (
        "ignored unknown members: /data/rbac/agent/end_user, /data/rbac/a~1b%0D%0Ax%3A%20y%20%C3%A9"
    )
    house.policy.ignored = ["/" + "x" * 100] * 1000
    answer = await house.http.patch(PRODUCT, content=b'{"data":{}}', headers=ADMIN | PATCH)
    assert len(answer.headers["x-zendesk-api-warn"]) < 4100


async def test_the_largest_body_reaches_policy(house: House) -> None:
    """What is read must not grow on its way: policy takes as many characters as the edge takes bytes."""
    rows = ",".join(f'"{n}":{{"read":true}}' for n in range(10_000_000, 10_009_000))
    content = f'{{"data":{{"rbac":{{"custom":{{{rows}}}}}}}}}'.encode()
    assert 200_000 < len(content) < 256 * 1024
    answer = await house.http.patch(PRODUCT, content=content, headers=ADMIN | PATCH)

    assert answer.status_code == 200


async def test_head_is_answered_as_get(house: House) -> None:
    answer = await house.http.head(PRODUCT, headers=AGENT)

    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
