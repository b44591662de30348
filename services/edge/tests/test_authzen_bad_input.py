"""Whatever is sent to AuthZEN is answered in its form: never a fault of ours, never a permit of what is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.edge.tests.house import key
from services.edge.tests.naive_policy import House

PATHS = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
]
NAMES = [
    "subject",
    "action",
    "resource",
    "context",
    "evaluations",
    "options",
    "page",
    "type",
    "id",
    "name",
    "properties",
    "evaluations_semantic",
    "limit",
    "token",
    "consistency_token",
    "role",
    "custom_role_id",
]
TEXTS = [
    "user",
    "10002",
    "read",
    "product",
    "p1",
    "type",
    "relationship:owner",
    "execute_all",
    "t7",
    "agent",
    "",
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
VALUES = st.recursive(
    LEAVES | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "subject": VALUES | st.just({"type": "user", "id": "10002"}),
        "action": VALUES | st.just({"name": "read"}),
        "resource": VALUES | st.just({"type": "product", "id": "p1"}),
        "context": VALUES,
        "evaluations": VALUES | st.lists(VALUES, max_size=4),
        "options": VALUES,
        "page": VALUES,
    },
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", PATHS)
@quick
@given(body=NEARLY)
async def test_any_object_is_answered(house: House, path: str, body: Any) -> None:
    answer = await house.http.post(path, json=body, headers=key("trusted"))

    assert answer.status_code in (200, 400, 413)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text
        return
    told = answer.json()
    decisions = told.get("evaluations", [told] if "decision" in told else [])
    for one in decisions:
        assert one["decision"] is (one["context"].get("reason") == "RBAC"), one
    if "results" in told:
        assert next(iter(told)) == "page"
        assert isinstance(told["page"]["next_token"], str)


@pytest.mark.parametrize("path", PATHS)
@quick
@given(
    content=st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | VALUES.map(lambda v: json.dumps(v).encode())
)
async def test_any_bytes_are_answered(house: House, path: str, content: bytes) -> None:
    headers = key() | {"content-type": "application/json"}
    answer = await house.http.post(path, content=content, headers=headers)

    assert answer.status_code in (200, 400)
