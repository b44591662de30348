"""AuthZEN against the real policy service: evaluation, evaluations and searches agree with every single check."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.decision.rows import OBJECT
from services.edge.tests.house import key, person
from services.policy.app.asked import Question
from tests.contract.policy_over_http import ACCOUNT, OWNER, USERS, Served, relate, served_policy

ACTIONS = ("create", "read", "update", "delete")
ABOUT = ("read", "show_policies", "update_policies")
RECORDS = ("p1", "p2", "p3")
IDS = [str(user.id) for user in USERS]
PATCH = {
    "rbac": {"end_user": {"read": True}, "custom": {"8237": {"update": True}}, "agent": {"delete": False}},
    "rebac": {OWNER: {"end_user": {"update": True}, "agent": {"read": True}}},
}
Body = dict[str, Any]


@pytest_asyncio.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served_policy(tmp_path_factory.mktemp("authzen")) as one:
        await one.use.types.update_permissions(ACCOUNT, OBJECT, "product", json.dumps(PATCH))
        await relate(one.use, [(10003, "p1"), (10002, "p2"), (10004, "p3"), (10001, "p3")])
        yield one


def asked(user: str, action: str, kind: str, record: str) -> Body:
    return {
        "subject": {"type": "user", "id": user},
        "action": {"name": action},
        "resource": {"type": kind, "id": record},
    }


async def post(served: Served, path: str, body: Body, point: str = "plain") -> Any:
    answer = await served.http.post(f"/access/v1/{path}", json=body, headers=key(point))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def allowed(served: Served, bodies: list[Body]) -> list[bool]:
    """Return what evaluations say, 20 at a time as this edge is set."""
    decisions = []
    for start in range(0, len(bodies), 20):
        answer = await post(served, "evaluations", {"evaluations": bodies[start : start + 20]})
        decisions += [one["decision"] for one in answer["evaluations"]]
    return decisions


async def test_evaluations_agree_with_every_check(served: Served) -> None:
    asks = list(itertools.product(IDS, ACTIONS, RECORDS))
    over_http = await allowed(served, [asked(u, a, "product", r) for u, a, r in asks])
    questions = [Question(int(u), a, "product", r) for u, a, r in asks]
    direct = await served.use.check(ACCOUNT, questions)

    assert over_http == [one.decided.allowed for one in direct]
    assert {True, False} == set(over_http)
    for (user, action, record), wanted in list(zip(asks, over_http, strict=True))[::7]:
        answer = await post(served, "evaluation", asked(user, action, "product", record))
        assert answer["decision"] is wanted


async def test_a_decision_says_why_and_can_be_found(served: Served) -> None:
    answer = await post(served, "evaluation", asked("10003", "update", "product", "p1"))
    context = answer["context"]

    assert (context["reason"], context["policy"]) == ("REBAC", OWNER)
    assert context["row"] == f"rebac/{OWNER}:end_user"
    rows, _ = await served.use.read_log(ACCOUNT, 10003, before="", limit=5)
    assert rows[0].id == context["decision_id"]


async def test_who_is_whoever_may(served: Served) -> None:
    for action, record in itertools.product(ACTIONS, RECORDS):
        body = asked("0", action, "product", record)
        found = await post(served, "search/subject", body | {"subject": {"type": "user"}})
        truth = await allowed(served, [asked(u, action, "product", record) for u in IDS])
        assert [r["id"] for r in found["results"]] == [u for u, yes in zip(IDS, truth, strict=True) if yes]


async def test_what_is_whatever_may_be(served: Served) -> None:
    for user, action in itertools.product(IDS, ACTIONS):
        body = asked(user, action, "product", "") | {"resource": {"type": "product"}}
        seen: list[str] = []
        page: Body = {"limit": 1}
        while page.get("token") != "":
            found = await post(served, "search/resource", body | {"page": page})
            seen += [r["id"] for r in found["results"]]
            page = {"token": found["page"]["next_token"]}
        truth = await allowed(served, [asked(user, action, "product", r) for r in RECORDS])
        assert seen == [r for r, yes in zip(RECORDS, truth, strict=True) if yes]


@pytest.mark.parametrize(
    ("kind", "record", "actions"),
    [
        ("product", "p1", ACTIONS),
        ("product", "p3", ACTIONS),
        ("type", "product", ABOUT),
        ("relationship_type", OWNER, ABOUT),
        (f"relationship:{OWNER}", "any", ACTIONS),
    ],
)
async def test_actions_are_those_that_may_be_done(
    served: Served, kind: str, record: str, actions: tuple[str, ...]
) -> None:
    for user in IDS:
        body = asked(user, "", kind, record)
        found = await post(served, "search/action", {k: body[k] for k in ("subject", "resource")})
        truth = await allowed(served, [asked(user, a, kind, record) for a in actions])
        assert [r["name"] for r in found["results"]] == [a for a, y in zip(actions, truth, strict=True) if y]


async def test_types_follow_roles_and_rows(served: Served) -> None:
    expected = {
        "10001": ABOUT,
        "10002": ("read", "show_policies"),
        "10003": ("read",),
        "10004": ("show_policies",),  # his custom row replaces the agent row: no read
    }
    for user, actions in expected.items():
        for action in ABOUT:
            answer = await post(served, "evaluation", asked(user, action, "type", "product"))
            assert answer["decision"] is (action in actions), (user, action)
            body = asked(user, action, "type", "x") | {"resource": {"type": "type"}}
            found = await post(served, "search/resource", body)
            assert found["results"] == ([{"type": "type", "id": "product"}] if action in actions else [])


async def test_relationship_records_by_role(served: Served) -> None:
    kind = f"relationship:{OWNER}"
    for user, count in (("10001", 4), ("10002", 4), ("10003", 0)):
        body = asked(user, "read", kind, "x") | {"resource": {"type": kind}}
        found = await post(served, "search/resource", body)
        assert len(found["results"]) == count
        for result in found["results"]:
            answer = await post(served, "evaluation", asked(user, "read", kind, result["id"]))
            assert answer["decision"] is True


async def test_a_trusted_role_stands_in_for_the_directory(served: Served) -> None:
    body = asked("555", "update", "product", "p1")
    body["subject"]["properties"] = {"role": "agent", "custom_role_id": 8237}

    assert (await post(served, "evaluation", body))["context"]["reason"] == "UNKNOWN_USER"
    assert (await post(served, "evaluation", body, "trusted"))["decision"] is True
    body["subject"]["properties"]["custom_role_id"] = 9001
    body["action"]["name"] = "delete"
    assert (await post(served, "evaluation", body, "trusted"))["decision"] is False


async def test_tokens_come_back_and_forged_ones_do_not_pass(served: Served) -> None:
    body = asked("10003", "read", "product", "p1")
    token = (await post(served, "evaluation", body))["context"]["consistency_token"]

    again = await post(served, "evaluation", body | {"context": {"consistency_token": token}})
    assert again["decision"] is True
    for bad, status in (("forged", 400), (token[:-1] + ("A" if token[-1] != "A" else "B"), 400)):
        answer = await served.http.post(
            "/access/v1/evaluation",
            json=body | {"context": {"consistency_token": bad}},
            headers=key(),
        )
        assert answer.status_code == status
        assert "context.consistency_token" in answer.text
    other = await served.http.post(
        "/access/v1/evaluation",
        json=body | {"context": {"consistency_token": token}},
        headers=key("stranger"),
    )
    assert other.status_code == 400


async def test_another_account_knows_nothing_of_it(served: Served) -> None:
    answer = await post(served, "evaluation", asked("10001", "read", "product", "p1"), "stranger")

    assert answer["decision"] is False


async def test_people_ask_about_themselves(served: Served) -> None:
    for who, about, status in (("10002", "10002", 200), ("10002", "10003", 403), ("10001", "10003", 200)):
        answer = await served.http.post(
            "/access/v1/evaluation", json=asked(about, "read", "product", "p1"), headers=person(who)
        )
        assert answer.status_code == status
