"""Seed 002's endpoints against the real policy service: every example, byte for byte in JSON's sense."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.edge.tests.house import person
from services.policy.tests.world import cases
from tests.contract.policy_over_http import ACCOUNT, OWNER, Served, served_policy

PATHS = {
    "object": "/api/sunshine/objects/types/product/permissions",
    "relationship": f"/api/sunshine/relationships/types/{OWNER}/permissions",
}
ADMIN, AGENT, CUSTOM, END_USER = (person(user) for user in ("10001", "10002", "10004", "10003"))
PATCH = ADMIN | {"content-type": "application/merge-patch+json"}
STATUSES = {"OK": 200, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "UNAUTHENTICATED": 401}
Case = dict[str, Any]


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_policy(tmp_path) as one:
        yield one


@pytest.mark.parametrize("case", cases("seed_examples.yaml"), ids=lambda case: case["name"])
async def test_examples_of_the_seed(served: Served, case: Case) -> None:
    path = PATHS[case["kind"]]
    if "request" in case:
        answer = await served.http.patch(path, content=case["request"], headers=PATCH)
        if "faults" in case:
            errors = answer.json()["errors"]
            assert answer.status_code == 422
            assert [e["message"].split(" ")[0] for e in errors] == case["faults"]
        else:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.json() == json.loads(case["patched"])
    shown = await served.http.get(path, headers=AGENT)
    assert (shown.status_code, shown.json()) == (200, json.loads(case["shown"]))


async def test_s1_in_a_lenient_account(served: Served) -> None:
    (strict, *_) = cases("seed_examples.yaml")
    await served.use.settings.update(ACCOUNT, {"lenient_patches": True})
    answer = await served.http.patch(PATHS["object"], content=strict["request"], headers=PATCH)

    assert answer.status_code == 200
    assert answer.headers["x-zendesk-api-warn"] == "ignored unknown members: /data/rbac/agent/end_user"
    assert answer.json()["data"]["rbac"]["agent"] == {
        "create": True,
        "delete": False,
        "read": True,
        "update": False,
    }


@pytest.mark.parametrize("case", cases("callers.yaml"), ids=str)
async def test_t22_who_may(served: Served, case: Case) -> None:
    who = {"admin": ADMIN, "agent": AGENT, "end_user": END_USER, "nobody": {}}[case["role"]]
    if "custom_role_id" in case:
        who = CUSTOM
    patch = {"content-type": "application/merge-patch+json"}
    for kind, path in PATHS.items():
        ghost = path.replace("product" if kind == "object" else OWNER, "ghost")
        for target, show, update in (
            (path, "show", "update"),
            (ghost, "show_unknown", "update_unknown"),
        ):
            shown = await served.http.get(target, headers=who)
            assert shown.status_code == STATUSES[case[show]]
            changed = await served.http.patch(target, content='{"data":{}}', headers=who | patch)
            assert changed.status_code == STATUSES[case[update]]


async def test_etags_guard_a_change(served: Served) -> None:
    path = PATHS["object"]
    etag = (await served.http.get(path, headers=ADMIN)).headers["etag"]
    body = '{"data":{"rbac":{"agent":{"delete":false}}}}'

    for condition, status in (
        (f"W/{etag}", 412),
        ('"x"', 412),
        (f'"x", {etag}', 200),
        (etag, 412),
        ("*", 200),
    ):
        answer = await served.http.patch(path, content=body, headers=PATCH | {"if-match": condition})
        assert answer.status_code == status, condition
    same = await served.http.get(path, headers=ADMIN | {"if-none-match": answer.headers["etag"]})
    assert same.status_code == 304


async def test_two_faults_are_two_entries_and_nothing_is_written(served: Served) -> None:
    body = {"data": {"rbac": {"agent": {"read": 1}}, "rebac": {OWNER: {"agent": {"create": True}}}}}
    answer = await served.http.patch(PATHS["object"], json=body, headers=ADMIN)

    pointers = {e["message"].split(" ")[0] for e in answer.json()["errors"]}
    assert pointers == {"/data/rbac/agent/read", f"/data/rebac/{OWNER}/agent/create"}
    shown = await served.http.get(PATHS["object"], headers=ADMIN)
    assert shown.headers["etag"] == '"1"'
