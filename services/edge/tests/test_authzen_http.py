"""What is the same for every AuthZEN endpoint (facts: policy §5.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from libs.kernel.errors import DependencyUnavailableError, OverloadedError
from services.edge.tests.house import key, person
from services.edge.tests.naive_policy import House

PATHS = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
]
WHOLE: dict[str, Any] = {
    "subject": {"type": "user", "id": "10002"},
    "action": {"name": "read"},
    "resource": {"type": "product", "id": "p1"},
}
JSON = {"content-type": "application/json"}
every_path = pytest.mark.parametrize("path", PATHS)


@every_path
async def test_every_endpoint_answers(house: House, path: str) -> None:
    answer = await house.http.post(path, json=WHOLE, headers=key())

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "member"),
    [
        (path, member)
        for path in PATHS
        for member in ("subject", "action", "resource")
        if (path, member) != ("/access/v1/search/action", "action")  # there it is what is searched
    ],
)
async def test_a_missing_member_is_named(house: House, path: str, member: str) -> None:
    for value in (None, "gone"):
        body = WHOLE | {member: None} if value is None else {k: v for k, v in WHOLE.items() if k != member}
        answer = await house.http.post(path, json=body, headers=key())
        assert (answer.status_code, answer.text) == (400, f"{member} is required")


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("subject", "alice", "subject must be an object"),
        ("subject", {"id": "1"}, "subject.type is required"),
        ("subject", {"type": "user"}, "subject.id is required"),
        ("subject", {"type": "user", "id": ""}, "subject.id is required"),
        ("subject", {"type": "user", "id": 10002}, "subject.id must be a string"),
        ("subject", {"type": "user", "id": "1", "properties": []}, "subject.properties must be an object"),
        ("action", {"name": 1}, "action.name must be a string"),
        ("action", {}, "action.name is required"),
        ("action", {"name": "read", "properties": 1}, "properties must be an object"),
        ("resource", {"type": True, "id": "p1"}, "resource.type must be a string"),
        ("resource", {"type": "product"}, "resource.id is required"),
        ("context", "x", "context must be an object"),
        ("context", {"consistency_token": 7}, "context.consistency_token must be a string"),
        ("context", {"consistency_token": "forged"}, "`context.consistency_token` is none of ours"),
    ],
)
async def test_a_member_of_a_wrong_form_is_named(
    house: House, member: str, value: object, message: str
) -> None:
    answer = await house.http.post(PATHS[0], json=WHOLE | {member: value}, headers=key())

    assert answer.status_code == 400
    assert message in answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@every_path
async def test_unknown_members_are_ignored_at_any_depth(house: House, path: str) -> None:
    body = {name: {**value, "more": {"x": [1]}} for name, value in WHOLE.items()} | {"other": {"y": None}}
    answer = await house.http.post(path, json=body, headers=key())

    plain = await house.http.post(path, json=WHOLE, headers=key())
    assert answer.status_code == 200
    first, second = answer.json(), plain.json()
    for one in (first, second):
        one.get("context", {}).pop("decision_id", None)
    assert first == second


@every_path
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b"\xff{}",
        b"\xef\xbb\xbf{}",
        b'{"subject":{"type":"user","type":"user","id":"1"}}',
        b'{"context":{"n":NaN}}',
        b'{"context":{"n":1e400}}',
        b'{"context":{"n":9007199254740993}}',
        b'{"context":{"n":1' + b"0" * 400 + b"}}",
        b'{"context":{"t":"\\ud800"}}',
        b'{"context":{"\\udfff":1}}',
        b'{"context":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"context":' + b'{"a":' * 900 + b"1" + b"}" * 901,
        b"[" * 20_000,
    ],
)
async def test_what_is_no_i_json_object_is_refused(house: House, path: str, content: bytes) -> None:
    answer = await house.http.post(path, content=content, headers=key() | JSON)

    assert answer.status_code == 400
    assert "\n" not in answer.text
    assert house.policy.requests == []


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
async def test_another_content_type_is_a_bad_request(house: House, kind: str | None) -> None:
    headers = key() | ({"content-type": kind} if kind else {})
    answer = await house.http.post(PATHS[0], content=json.dumps(WHOLE), headers=headers)

    assert answer.status_code == 400


async def test_a_charset_is_fine(house: House) -> None:
    headers = key() | {"content-type": "Application/JSON; charset=utf-8"}
    answer = await house.http.post(PATHS[0], content=json.dumps(WHOLE), headers=headers)

    assert answer.status_code == 200


@every_path
async def test_a_body_that_is_too_large_is_not_read(house: House, path: str) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(10_000):
            sent += 1
            yield b" " * 1024

    answer = await house.http.post(path, content=endless(), headers=key() | JSON)

    assert answer.status_code == 413
    assert sent < 100  # KiB


@every_path
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
async def test_another_method_is_not_allowed(house: House, path: str, method: str) -> None:
    answer = await house.http.request(method, path, headers=key() | {"x-request-id": "r1"})

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["x-request-id"] == "r1"


@every_path
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nothing"},
        {"authorization": "Basic key of plain"},
        {"authorization": "key of plain"},
        {"authorization": "Bearer installation"},
        {"x-setlist-session": "10001"},
        {"authorization": "Bearer installation", "x-setlist-session": "dead"},
        {"authorization": "Bearer key of plain", "x-setlist-session": "10001"},
    ],
)
async def test_who_is_not_known_gets_nothing(house: House, path: str, headers: dict[str, str]) -> None:
    answer = await house.http.post(path, content=b"not even JSON", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="')
    assert house.policy.requests == []


async def test_a_key_opens_one_account(house: House) -> None:
    for point, status in (("plain", 200), ("stranger", 403)):
        answer = await house.http.post(f"/accounts/acc-1{PATHS[0]}", json=WHOLE, headers=key(point))
        assert answer.status_code == status
    await house.http.post(PATHS[0], json=WHOLE, headers=key("stranger"))
    assert [r.parent for r in house.policy.requests] == ["accounts/acc-1", "accounts/acc-2"]


@pytest.mark.parametrize("sent", ["abc", 'a b;c="d"', "%0d%0a", "\xe9\xff", "x" * 2000])
async def test_a_request_id_goes_back_as_it_came(house: House, sent: str) -> None:
    raw = sent.encode("latin-1")
    authorization = (b"authorization", key()["authorization"].encode())
    good = await house.http.post(PATHS[0], json=WHOLE, headers=[authorization, (b"x-request-id", raw)])
    bad = await house.http.post("/access/v1/nothing", headers=[(b"x-request-id", raw)])

    for answer, status in ((good, 200), (bad, 404)):
        assert answer.status_code == status
        assert dict(answer.headers.raw)[b"x-request-id"] == raw


async def test_no_unknown_path_is_silent(house: House) -> None:
    answer = await house.http.post("/access/v2/evaluation", json=WHOLE, headers=key())

    assert (answer.status_code, answer.text) == (404, "there is no such endpoint")


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (OverloadedError("full", retry_after_seconds=3.0), 429, "full"),
        (DependencyUnavailableError("the database is at 10.0.0.7"), 503, "treat this as a deny"),
        (RuntimeError("secret"), 500, "internal error"),
    ],
)
@every_path
async def test_faults_of_ours_tell_nothing(
    house: House, path: str, failure: Exception, status: int, text: str
) -> None:
    house.policy.failing = failure
    answer = await house.http.post(path, json=WHOLE, headers=key() | {"x-request-id": "r1"})

    assert answer.status_code == status
    assert text in answer.text
    assert "10.0.0.7" not in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "r1"
    assert ("retry-after" in answer.headers) == (status == 429)


async def test_input_cannot_break_the_line(house: House) -> None:
    answer = await house.http.post(
        "/access/v1/evaluations",
        json=WHOLE | {"evaluations": [{}], "options": {"evaluations_semantic": "a\nb"}},
        headers=person("10001"),
    )

    assert answer.status_code == 400
    assert "\n" not in answer.text
