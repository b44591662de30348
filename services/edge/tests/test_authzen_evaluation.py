"""AuthZEN evaluation and evaluations (facts: policy §5.2, §5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from services.edge.tests.house import key, person
from services.edge.tests.naive_policy import House
from setlist.policy.v1 import policy_resources_pb2 as resources

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
Body = dict[str, Any]


def asked(user: str = "10002", action: str = "update", record: str = "p1", kind: str = "product") -> Body:
    return {
        "subject": {"type": "user", "id": user},
        "action": {"name": action},
        "resource": {"type": kind, "id": record},
    }


async def decided(house: House, body: Body, path: str = ONE, point: str = "plain") -> Any:
    answer = await house.http.post(path, json=body, headers=key(point))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_allowed_and_a_denied_one(house: House) -> None:
    allowed = await decided(house, asked("10003") | {"context": {}})

    assert allowed == {
        "decision": True,
        "context": {
            "reason": "REBAC",
            "policy": "owner",
            "decision_id": "log-1",
            "consistency_token": "t7",
        },
    }
    denied = await decided(house, asked("10003", "delete"))
    assert (denied["decision"], denied["context"]["reason"]) == (False, "NO_RULE_ALLOWS")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (asked("999"), "UNKNOWN_USER"),
        (asked("someone"), "UNKNOWN_USER"),
        (asked("010002"), "UNKNOWN_USER"),
        (asked("9223372036854775808"), "UNKNOWN_USER"),
        (asked("\u0661"), "UNKNOWN_USER"),
        (asked() | {"subject": {"type": "group", "id": "10002"}}, "UNKNOWN_USER"),
        (asked(action="approve"), "UNKNOWN_ACTION"),
        (asked(action="show_policies"), "UNKNOWN_ACTION"),
        (asked(kind="planet"), "UNKNOWN_TYPE"),
        (asked(kind="Not A Key"), "UNKNOWN_TYPE"),
        (asked(kind="type", record="a:b"), "UNKNOWN_TYPE"),
        (asked(kind="type", record="product", action="delete"), "UNKNOWN_ACTION"),
        (asked(record="p" * 201), "UNKNOWN_RECORD"),
        (asked(record="p\0"), "UNKNOWN_RECORD"),
    ],
)
async def test_what_nobody_knows_is_denied(house: House, body: Body, reason: str) -> None:
    answer = await decided(house, body)

    assert (answer["decision"], answer["context"]["reason"]) == (False, reason)
    (item,) = (await decided(house, body | {"evaluations": [{}]}, MANY))["evaluations"]
    assert item["context"]["reason"] == reason


@pytest.mark.parametrize(
    ("user", "allowed"),
    [
        ("10001", {"read", "show_policies", "update_policies"}),
        ("10002", {"read", "show_policies"}),
        ("10003", set()),
    ],
)
async def test_the_type_itself(house: House, user: str, allowed: set[str]) -> None:
    names = ("read", "show_policies", "update_policies")
    for kind, record in (("type", "product"), ("relationship_type", "owner")):
        found = {n for n in names if (await decided(house, asked(user, n, record, kind)))["decision"]}
        assert found == allowed
    assert {r.record_id for r in house.policy.requests} == {""}
    assert {r.object_type for r in house.policy.requests} == {"object:product", "relationship:owner"}


async def test_relationship_records_have_their_own_types(house: House) -> None:
    answer = await decided(house, asked("10002", "create", "r1", "relationship:owner"))
    plain = await decided(house, asked("10002", "create", "r1", "owner"))

    assert answer["decision"] is True
    assert plain["context"]["reason"] == "UNKNOWN_TYPE", "a plain key is that of an object type only"
    assert [r.object_type for r in house.policy.requests] == ["relationship:owner", "object:owner"]


async def test_a_role_counts_from_those_who_are_trusted_to_send_it(house: House) -> None:
    body = asked("777", "read")
    body["subject"]["properties"] = {"role": "agent", "custom_role_id": 8237}

    assert (await decided(house, body))["context"]["reason"] == "UNKNOWN_USER"
    assert (await decided(house, body, point="trusted"))["decision"] is True
    body["action"]["name"] = "update"
    assert (await decided(house, body, point="trusted"))["decision"] is False
    body["subject"]["properties"]["role"] = "owner"
    assert (await decided(house, body, point="trusted"))["context"] == {"reason": "UNKNOWN_ROLE"}


@pytest.mark.parametrize("properties", [{"role": 7}, {"role": "agent", "custom_role_id": "x"}])
async def test_a_role_of_a_wrong_type_is_an_error(house: House, properties: Body) -> None:
    body = asked()
    body["subject"]["properties"] = properties
    answer = await house.http.post(ONE, json=body, headers=key("trusted"))

    assert answer.status_code == 400
    assert "subject.properties" in answer.text
    assert (await decided(house, body))["decision"] is True  # of others it is not looked at


async def test_properties_and_context_reach_policy(house: House) -> None:
    body = asked() | {"context": {"consistency_token": "t7", "ip": "10.0.0.1", "gone": None}}
    body["resource"]["properties"] = {"stage": "draft", "sizes": [1, 2.5, {"a": True}]}
    await decided(house, body)
    (request,) = house.policy.requests

    assert request.consistency.at_least == "t7"
    assert dict(request.given.context) == {"ip": "10.0.0.1"}
    assert request.given.object["stage"] == "draft"
    assert request.given.object["sizes"][2]["a"] is True
    assert request.action == resources.ACTION_UPDATE


async def test_defaults_are_replaced_whole(house: House) -> None:
    body = asked("10002", "read") | {
        "evaluations": [
            {},
            {"action": {"name": "delete"}},
            {"subject": {"id": "10001"}},
            {"resource": {"type": "product"}},
            {"resource": {"type": "ticket", "id": "1"}, "action": {"name": "delete"}},
            {"subject": None},
            "no object",
            None,
        ]
    }
    answer = await decided(house, body, MANY)

    assert set(answer) == {"evaluations"}
    assert [e["decision"] for e in answer["evaluations"]] == [
        True, False, False, False, True, True, False, False,
    ]  # fmt: skip
    errors = [e["context"].get("error") for e in answer["evaluations"]]
    assert errors[2] == {"status": 400, "message": "subject.type is required"}
    assert errors[3] == {"status": 400, "message": "resource.id is required"}
    assert errors[6] == errors[7] == {"status": 400, "message": "the item must be an object"}
    assert len(house.policy.requests) == 1


@pytest.mark.parametrize("more", [{}, {"evaluations": []}, {"evaluations": None}])
async def test_without_items_it_is_an_evaluation(house: House, more: Body) -> None:
    answer = await decided(house, asked("10003", "delete") | more, MANY)

    assert answer["decision"] is False
    assert "evaluations" not in answer


RECORDS = [{"resource": {"type": "product", "id": r}} for r in ("p1", "p2", "p1")]


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        (None, [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
async def test_semantics(house: House, semantic: str | None, decisions: list[bool]) -> None:
    body = asked("10003") | {"evaluations": RECORDS, "options": {"evaluations_semantic": semantic, "x": 1}}
    answer = (await decided(house, body, MANY))["evaluations"]

    assert [e["decision"] for e in answer] == decisions
    if semantic == "deny_on_first_deny":
        assert answer[-1]["context"]["reason"] == "deny_on_first_deny"
        assert answer[-1]["context"]["cause"] == "NO_RULE_ALLOWS"


async def test_an_error_counts_as_a_deny(house: House) -> None:
    items = [{}, {"subject": {"type": "user"}}, {}]
    body = asked() | {"evaluations": items, "options": {"evaluations_semantic": "deny_on_first_deny"}}
    answer = (await decided(house, body, MANY))["evaluations"]

    assert [e["decision"] for e in answer] == [True, False]
    assert answer[1]["context"]["error"]["status"] == 400
    (request,) = house.policy.requests
    assert len(request.questions) == 1  # what follows is not even asked


async def test_when_nothing_is_permitted_all_are_answered(house: House) -> None:
    items = [{"action": {"name": n}} for n in ("delete", "approve", "delete")]
    body = asked() | {"evaluations": items, "options": {"evaluations_semantic": "permit_on_first_permit"}}

    assert len((await decided(house, body, MANY))["evaluations"]) == 3


async def test_duplicates_are_answered_each(house: House) -> None:
    answer = (await decided(house, asked("10003") | {"evaluations": RECORDS + RECORDS}, MANY))["evaluations"]

    assert [e["decision"] for e in answer] == [True, False, True] * 2


async def test_several_tokens_ask_for_the_state_of_now(house: House) -> None:
    items = [{"context": {"consistency_token": t}} for t in ("t7", "t8")]
    await decided(house, asked() | {"evaluations": items}, MANY)

    assert house.policy.requests[-1].consistency.fully
    await decided(house, asked() | {"evaluations": items[:1] * 2}, MANY)
    assert house.policy.requests[-1].consistency.at_least == "t7"


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"evaluations": {}}, 400),
        ({"evaluations": "x"}, 400),
        ({"evaluations": [{}], "options": []}, 400),
        ({"evaluations": [{}], "options": {"evaluations_semantic": "first"}}, 400),
        ({"evaluations": [{}], "options": {"evaluations_semantic": 1}}, 400),
        ({"evaluations": [asked()], "subject": "x"}, 400),
        ({"evaluations": [asked()], "context": []}, 400),
        ({"evaluations": [{}] * 21}, 413),
    ],
)
async def test_errors_of_the_whole(house: House, more: Body, status: int) -> None:
    answer = await house.http.post(MANY, json=asked() | more, headers=key())

    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert house.policy.requests == []


async def test_a_person_asks_about_himself_an_admin_about_anybody(house: House) -> None:
    for who, about, status in (("10002", "10002", 200), ("10002", "10003", 403), ("10001", "10003", 200)):
        answer = await house.http.post(ONE, json=asked(about), headers=person(who))
        assert answer.status_code == status
    items = [{}, {"subject": {"type": "user", "id": "10003"}}]
    answer = await house.http.post(MANY, json=asked() | {"evaluations": items}, headers=person("10002"))
    first, second = answer.json()["evaluations"]
    assert first["decision"] is True
    assert second["context"]["error"]["status"] == 403


async def test_a_persons_role_is_his_tokens(house: House) -> None:
    body = asked("10002", "delete")
    body["subject"]["properties"] = {"role": "admin"}
    answer = await house.http.post(ONE, json=body, headers=person("10002"))

    assert answer.json()["decision"] is False
