"""Seed 002, case by case: the YAML files beside this package, through the use cases on the memory store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.policy.app.asked import Asked, Question
from services.policy.app.ports import RELATIONSHIP, TypeRow
from services.policy.domain.errors import PermissionsInvalidError
from services.policy.domain.permissions import CRUD
from services.policy.rpc.mapping import permissions_json
from services.policy.tests.world import PRODUCT, USERS, K, L, World, cases, named

ASKED = Asked()
Case = dict[str, Any]
SHORT = {"K": K, "L": L}
_RBAC, _REBAC = ("create", "read", "update", "delete"), ("read", "update")


def key_of(case: Case) -> tuple[str, str]:
    kind = case.get("kind", "object")
    return kind, K if kind == RELATIONSHIP else PRODUCT


def answer(row: TypeRow, *, patched: bool) -> Any:
    return {"data": json.loads(permissions_json(row, patched=patched))}


def flat(row: TypeRow) -> dict[str, str]:
    """Return every row of every policy as letters, by `rbac/agent`, `rebac/K/custom/8237`, …"""
    names = {long: short for short, long in SHORT.items()}
    policies = {"rbac": row.permissions["rbac"]}
    policies |= {f"rebac/{names.get(k, k)}": p for k, p in row.permissions["rebac"].items()}
    found = {}
    for name, policy in policies.items():
        rows = {**policy, **{f"custom/{r}": v for r, v in policy.get("custom", {}).items()}}
        for role, values in rows.items():
            if role != "custom":
                verbs = _RBAC if name == "rbac" else _REBAC
                assert set(values) == set(verbs), "a row is always full"
                found[f"{name}/{role}"] = "".join("T" if values[v] else "F" for v in verbs)
    return found


@pytest.mark.parametrize("case", cases("seed_examples.yaml"), ids=lambda case: case["name"])
async def test_examples_of_the_seed(case: Case) -> None:
    world = await World.fresh()
    kind, key = key_of(case)

    if "faults" in case:
        with pytest.raises(PermissionsInvalidError) as caught:
            await world.patch(json.loads(case["request"])["data"], kind=kind, key=key)
        assert [v.field for v in caught.value.violations] == case["faults"]
    elif "request" in case:
        row = await world.patch(json.loads(case["request"])["data"], kind=kind, key=key)
        assert answer(row, patched=True) == json.loads(case["patched"])

    assert answer(await world.get(kind, key), patched=False) == json.loads(case["shown"])


@pytest.mark.parametrize("case", cases("seed_examples.yaml"), ids=lambda case: case["name"])
async def test_t23_an_answer_sent_back_changes_nothing(case: Case) -> None:
    world = await World.fresh()
    kind, key = key_of(case)
    before = await world.get(kind, key)
    if "patched" in case:
        before = await world.patch(json.loads(case["request"])["data"], kind=kind, key=key)
    revision = await world.revision()

    for patched in (True, False):
        await world.patch(answer(before, patched=patched)["data"], kind=kind, key=key)

    assert await world.get(kind, key) == before
    assert await world.revision() == revision


async def test_members_stand_in_alphabetical_order_as_in_the_seed() -> None:
    world = await World.fresh()
    row = await world.patch({"rbac": {"custom": {"8237": {}}}, "rebac": {K: {}}})

    shown = json.loads(permissions_json(row, patched=True))

    assert list(shown["rbac"]) == ["admin", "agent", "custom", "end_user"]
    assert list(shown["rbac"]["agent"]) == list(CRUD) == sorted(CRUD)
    assert list(shown["rebac"][K]["agent"]) == ["read", "update"]


@pytest.mark.parametrize("case", cases("merge.yaml"), ids=lambda case: case["name"])
async def test_merge(case: Case) -> None:
    world = await World.fresh()
    kind, key = key_of(case)
    start = await world.patch(named(case.get("start", {})), kind=kind, key=key)
    before, revision = flat(start), await world.revision()

    if "faults" in case:
        with pytest.raises(PermissionsInvalidError) as caught:
            await world.patch(named(case["patch"]), kind=kind, key=key)
        expected = sorted(pointer.replace("/K", f"/{K}") for pointer in case["faults"])
        assert sorted(v.field for v in caught.value.violations) == expected
        assert await world.get(kind, key) == start
        return
    await world.patch(named(case["patch"]), kind=kind, key=key)
    row = await world.get(kind, key)

    gone = [name for name, letters in case["rows"].items() if letters == "none"]
    kept = {
        name: letters
        for name, letters in before.items()
        if not any(f"{name}/".startswith(f"{g}/") for g in gone)
    }
    assert flat(row) == kept | {name: v for name, v in case["rows"].items() if name not in gone}
    assert await world.revision() == revision + (flat(row) != before)
    assert row.version == start.version + (flat(row) != before)


@pytest.mark.parametrize("case", cases("decisions.yaml"), ids=lambda case: case["name"])
async def test_decisions(case: Case) -> None:
    for name, expected in case["rights"].items():
        world = await prepared(case, name)
        user = USERS[name.rstrip("+")]
        assert (name, await world.rights(user.id)) == (name, expected)

        question = Question(user.id, "", PRODUCT, "p1")
        actions = await world.use.actions(world.account, question, ASKED)
        assert "".join("T" if a in actions else "F" for a in _RBAC) == expected


@pytest.mark.parametrize(
    "case", [c for c in cases("decisions.yaml") if "reasons" in c], ids=lambda case: case["name"]
)
async def test_reasons(case: Case) -> None:
    for name, expected in case["reasons"].items():
        user, _, action = name.partition("/")
        world = await prepared(case, user)

        decided = (await world.ask(USERS[user.rstrip("+")].id, action)).decided

        for short, long in SHORT.items():
            expected = expected.replace(f":{short}", f":{long}")
        assert (name, decided.reason) == (name, expected)
        assert bool(decided.relationship) == expected.startswith("REBAC")


async def prepared(case: Case, user: str) -> World:
    world = await World.fresh()
    for patch in case["patches"]:
        await world.patch(named(patch))
    if user.endswith("+"):
        for key in case.get("related", ["K"]):
            await world.relate(USERS[user.rstrip("+")].id, "p1", SHORT[key])
    return world
