"""AuthZEN's three searches and their pages (facts: policy §5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from services.edge.tests.house import key, person
from services.edge.tests.naive_policy import House

Body = dict[str, Any]
WHO: Body = {
    "subject": {"type": "user"},
    "action": {"name": "update"},
    "resource": {"type": "product", "id": "p1"},
}
WHAT: Body = {
    "subject": {"type": "user", "id": "10002"},
    "action": {"name": "read"},
    "resource": {"type": "product"},
}
MAY: Body = {"subject": {"type": "user", "id": "10002"}, "resource": {"type": "product", "id": "p1"}}


async def search(house: House, kind: str, body: Body, point: str = "plain") -> Any:
    answer = await house.http.post(f"/access/v1/search/{kind}", json=body, headers=key(point))
    assert answer.status_code == 200, answer.text
    assert next(iter(answer.json())) == "page"
    return answer.json()


def ids(answer: Any) -> list[str]:
    return [result["id"] for result in answer["results"]]


async def test_who(house: House) -> None:
    found = await search(house, "subject", WHO)

    assert found == {
        "page": {"next_token": "", "count": 3},
        "context": {"role_grants": ["admin", "agent"]},
        "results": [{"type": "user", "id": user} for user in ("10001", "10002", "10003")],
    }
    other = WHO | {"resource": {"type": "product", "id": "p2"}}
    assert ids(await search(house, "subject", other)) == ["10001", "10002"]


async def test_an_id_that_is_not_needed_is_ignored(house: House) -> None:
    who = WHO | {"subject": {"type": "user", "id": 7}}
    assert len(ids(await search(house, "subject", who))) == 3
    what = WHAT | {"resource": {"type": "product", "id": 7}}
    assert len(ids(await search(house, "resource", what))) == 7
    assert (await search(house, "action", MAY | {"action": "nonsense"}))["results"]


async def test_what(house: House) -> None:
    found = await search(house, "resource", WHAT)

    assert found["context"] == {"all_records": True}
    assert found["results"] == [{"type": "product", "id": f"p{n}"} for n in range(1, 8)]
    mine = WHAT | {"subject": {"type": "user", "id": "10003"}, "action": {"name": "update"}}
    assert (await search(house, "resource", mine)) == {
        "page": {"next_token": "", "count": 1},
        "results": [{"type": "product", "id": "p1"}],
    }


@pytest.mark.parametrize(
    ("subject", "action", "kind", "keys"),
    [
        ("10001", "update_policies", "type", ["product", "ticket"]),
        ("10002", "show_policies", "type", ["product", "ticket"]),
        ("10002", "update_policies", "type", []),
        ("10003", "read", "type", ["ticket"]),
        ("10002", "read", "relationship_type", ["owner"]),
        ("10003", "delete", "type", []),
    ],
)
async def test_which_types(house: House, subject: str, action: str, kind: str, keys: list[str]) -> None:
    body = {
        "subject": {"type": "user", "id": subject},
        "action": {"name": action},
        "resource": {"type": kind},
    }
    found = await search(house, "resource", body)

    assert found["results"] == [{"type": kind, "id": k} for k in keys]
    answer = await house.http.post("/access/v1/search/resource", json=body, headers=person(subject))
    assert answer.json()["results"] == found["results"]


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_relationship_records_are_found_by_role_alone(house: House, limit: int) -> None:
    house.policy.related |= {("owner", 10002, "p2"), ("owner", 10001, "p3"), ("other", 10001, "p4")}
    kind = "relationship:owner"
    body = {
        "subject": {"type": "user", "id": "10002"},
        "action": {"name": "delete"},
        "resource": {"type": kind},
    }
    seen: list[Any] = []
    page: Body = {"limit": limit}
    while page.get("token") != "":
        found = await search(house, "resource", body | {"page": page})
        seen += found["results"]
        page = {"token": found["page"]["next_token"]}

    names = ("rel-owner-10001-p3", "rel-owner-10002-p2", "rel-owner-10003-p1")
    assert seen == [{"type": kind, "id": name} for name in names]
    body["subject"] = {"type": "user", "id": "10003"}
    assert (await search(house, "resource", body))["results"] == []


@pytest.mark.parametrize(
    ("subject", "resource", "names"),
    [
        ("10002", ("product", "p1"), ["create", "read", "update"]),
        ("10003", ("product", "p1"), ["update"]),
        ("10003", ("product", "p2"), []),
        ("10002", ("type", "product"), ["read", "show_policies"]),
        ("10001", ("relationship_type", "owner"), ["read", "show_policies", "update_policies"]),
        ("10002", ("relationship:owner", "r1"), ["create", "read", "update", "delete"]),
    ],
)
async def test_what_may_be_done(
    house: House, subject: str, resource: tuple[str, str], names: list[str]
) -> None:
    kind, record = resource
    found = await search(
        house,
        "action",
        {"subject": {"type": "user", "id": subject}, "resource": {"type": kind, "id": record}},
    )

    assert found["results"] == [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("subject", WHO | {"subject": {"type": "robot"}}),
        ("subject", WHO | {"action": {"name": "approve"}}),
        ("subject", WHO | {"resource": {"type": "planet", "id": "p1"}}),
        ("resource", WHAT | {"subject": {"type": "user", "id": "nobody"}}),
        ("resource", WHAT | {"subject": {"type": "user", "id": "999"}}),
        ("resource", WHAT | {"resource": {"type": "No Key"}}),
        ("action", MAY | {"subject": {"type": "user", "id": "999"}}),
        ("action", MAY | {"resource": {"type": "planet", "id": "1"}}),
    ],
)
async def test_what_nobody_knows_finds_nothing(house: House, kind: str, body: Body) -> None:
    assert (await search(house, kind, body))["results"] == []


@pytest.mark.parametrize(
    ("kind", "body", "everything"),
    [
        ("subject", WHO, ["10001", "10002", "10003"]),
        ("resource", WHAT, [f"p{n}" for n in range(1, 8)]),
        ("resource", WHAT | {"resource": {"type": "type"}}, ["product", "ticket"]),
        ("action", MAY, ["create", "read", "update"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_are_complete(
    house: House, kind: str, body: Body, everything: list[str], limit: int
) -> None:
    first = await search(house, kind, body | {"page": {"limit": limit}})
    seen, page = list(first["results"]), first["page"]
    while page["next_token"]:
        assert page["count"] == limit
        again = await search(house, kind, body | {"page": {"token": page["next_token"]}})
        seen, page = seen + again["results"], again["page"]

    assert [one.get("id", one.get("name")) for one in seen] == everything


async def test_a_limit_may_be_sent_again_but_not_changed(house: House) -> None:
    token = (await search(house, "resource", WHAT | {"page": {"limit": 2}}))["page"]["next_token"]

    same = await search(house, "resource", WHAT | {"page": {"limit": 2, "token": token}})
    assert ids(same) == ["p3", "p4"]
    answer = await house.http.post(
        "/access/v1/search/resource", json=WHAT | {"page": {"limit": 3, "token": token}}, headers=key()
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"action": {"name": "update"}},
        {"subject": {"type": "user", "id": "10001"}},
        {"resource": {"type": "ticket"}},
        {"resource": {"type": "product", "properties": {"a": 1}}},
        {"context": {"ip": "::1"}},
    ],
)
async def test_a_changed_search_is_refused(house: House, change: Body) -> None:
    token = (await search(house, "resource", WHAT | {"page": {"limit": 2}}))["page"]["next_token"]
    body = WHAT | change | {"page": {"token": token}}
    answer = await house.http.post("/access/v1/search/resource", json=body, headers=key())

    assert (answer.status_code, answer.text) == (400, "page.token does not belong to this search")


async def test_a_token_is_of_one_account_and_one_search(house: House) -> None:
    token = (await search(house, "resource", WHAT | {"page": {"limit": 2}}))["page"]["next_token"]
    body = WHAT | {"page": {"token": token}}

    other = await house.http.post("/access/v1/search/resource", json=body, headers=key("stranger"))
    assert other.status_code == 400
    who = WHO | {"page": {"token": token}}
    assert (await house.http.post("/access/v1/search/subject", json=who, headers=key())).status_code == 400


async def test_a_limit_of_none_counts(house: House) -> None:
    empty = await search(house, "resource", WHAT | {"page": {"limit": 0}})

    token = empty["page"].pop("next_token")
    assert empty["page"] == {"count": 0, "total": 7}
    assert empty["results"] == []
    assert token
    rest = await search(house, "resource", WHAT | {"page": {"token": token, "limit": 3}})
    assert ids(rest) == ["p1", "p2", "p3"]
    nothing = WHAT | {"subject": {"type": "user", "id": "999"}, "page": {"limit": 0}}
    assert (await search(house, "resource", nothing))["page"] == {"next_token": "", "count": 0, "total": 0}


async def test_too_large_a_limit_is_clamped(house: House) -> None:
    house.policy.records |= {("product", f"q{n:03}") for n in range(100)}
    found = await search(house, "resource", WHAT | {"page": {"limit": 5000}})

    assert found["page"]["count"] == 50  # the setting of this edge
    token = found["page"]["next_token"]
    assert ids(await search(house, "resource", WHAT | {"page": {"limit": 5000, "token": token}}))


@pytest.mark.parametrize(
    "page",
    [
        "x",
        [],
        {"limit": -1},
        {"limit": "5"},
        {"limit": True},
        {"limit": 1.5},
        {"token": 5},
        {"token": "forged"},
        {"token": "\u00e9"},
        {"token": "A" * 60},
    ],
)
async def test_a_bad_page_is_refused(house: House, page: object) -> None:
    for kind, body in (("subject", WHO), ("resource", WHAT), ("action", MAY)):
        answer = await house.http.post(f"/access/v1/search/{kind}", json=body | {"page": page}, headers=key())
        assert answer.status_code == 400


async def test_only_admins_learn_about_everybody(house: House) -> None:
    for who, status in (("10001", 200), ("10002", 403), ("10003", 403)):
        answer = await house.http.post("/access/v1/search/subject", json=WHO, headers=person(who))
        assert answer.status_code == status
    other = MAY | {"subject": {"type": "user", "id": "10003"}}
    for kind, body in (("action", other), ("resource", WHAT | other)):
        answer = await house.http.post(f"/access/v1/search/{kind}", json=body, headers=person("10002"))
        assert answer.status_code == 403
