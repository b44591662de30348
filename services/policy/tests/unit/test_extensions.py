"""Policies beyond the seed: every rule that they may break, told by the field, and nothing is stored."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.decision.decide import Given
from libs.decision.rows import ACTIONS, ROLES, ObjectRow, User
from libs.kernel.errors import EtagMismatchError, NotFoundError
from services.policy.app.asked import Asked, Question
from services.policy.app.ports import OBJECT, RELATIONSHIP
from services.policy.domain.errors import ExtensionsInvalidError, TypeInUseError
from services.policy.tests.served import PARENT, Served, refusal, serving
from services.policy.tests.world import PRODUCT, K, L, World
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

NO = dict.fromkeys(ACTIONS, False)
TYPES = (
    ("user_in_team", "zen:user", "team"),
    ("team_above", "team", "team"),
    ("team_has", "team", PRODUCT),
    ("group_has", "zen:group", PRODUCT),
)


def policy(*path: tuple[str, int], start: str = "user", condition: str = "", **rows: Any) -> dict[str, Any]:
    return {
        "path": [{"type": key, "up_to": hops} for key, hops in path],
        "start": start,
        "rows": {**dict.fromkeys(ROLES, NO), **rows},
        "condition": condition,
    }


GOOD = policy(("user_in_team", 0), ("team_above", 8), ("team_has", 0), end_user={**NO, "read": True})


@pytest_asyncio.fixture
async def world() -> World:
    made = await World.fresh()
    await made.use.types.create(made.account, OBJECT, "team")
    for key, source, target in TYPES:
        await made.use.types.create(made.account, RELATIONSHIP, key, source=source, target=target, many=True)
    await made.patch({"rebac": {K: {}}})
    return made


async def put(
    world: World, extensions: dict[str, Any], etag: str = "", *, validate_only: bool = False
) -> Any:
    return await world.use.types.update_extensions(
        world.account, PRODUCT, extensions, etag, validate_only=validate_only
    )


CREATES = {**NO, "create": True}
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"p": GOOD}, "policies[p]", "2 to 32 characters"),
    ({"With Capitals": GOOD}, "policies[With Capitals]", "2 to 32 characters"),
    (
        {"p1": policy(("team_has", 0), start="team")},
        "policies[p1].start",
        "is not one of user, group, organization",
    ),
    ({"p1": policy(start="group")}, "policies[p1].path", "is empty"),
    (
        {"p1": policy(("user_in_team", 0), *[("team_above", 0)] * 7, ("team_has", 0))},
        "policies[p1].path",
        "more than 8 steps",
    ),
    (
        {"p1": policy(("user_in_team", 0), ("team_above", 15), ("team_has", 0))},
        "policies[p1].path",
        "more than 16 hops",
    ),
    ({"p1": policy(("user_in_team", 1), ("team_has", 0))}, "policies[p1].path[0].up_to", "exactly one hop"),
    ({"p1": policy(("ghost", 0))}, "policies[p1].path[0].type", "`ghost` is no relationship type"),
    ({"p1": policy((PRODUCT, 0))}, "policies[p1].path[0].type", "is no relationship type"),
    ({"p1": policy(("team_has", 0))}, "policies[p1].path[0].type", "starts at team, not at zen:user"),
    ({"p1": policy(("group_has", 0))}, "policies[p1].path[0].type", "starts at zen:group"),
    ({"p1": policy(("user_in_team", 0), ("group_has", 0))}, "policies[p1].path[1].type", "not at team"),
    ({"p1": policy(("user_in_team", 0))}, "policies[p1].path", "leads to team, not to product"),
    (
        {"p1": policy(("user_in_team", 0), ("team_has", 2))},
        "policies[p1].path[1].up_to",
        "from a type to itself",
    ),
    (
        {"p1": policy(("user_in_team", 0), ("team_above", -1), ("team_has", 0))},
        "policies[p1].path[1].up_to",
        "is negative",
    ),
    ({"p1": policy((K, 0), agent=CREATES)}, "policies[p1].rows.agent.create", "read and update only"),
    (
        {"p1": policy((K, 0), admin={**NO, "delete": True})},
        "policies[p1].rows.admin.delete",
        "read and update only",
    ),
    (
        {"p1": policy((K, 0), custom={"8237": CREATES})},
        "policies[p1].rows.custom[8237].create",
        "read and update only",
    ),
    ({"p1": policy((K, 0), custom={"x": NO})}, "policies[p1].rows.custom[x]", "1 to 20 digits"),
    ({"p1": policy(condition="object.")}, "policies[p1].condition", "is not CEL"),
    ({"p1": policy(condition="secret == 1")}, "policies[p1].condition", "asks for `secret`"),
    ({"p1": policy(condition="'a'.matches('a')")}, "policies[p1].condition", "calls `matches`"),
    ({"p1": policy(condition="true || " * 200 + "true")}, "policies[p1].condition", "longer than 1000"),
    ({f"p{n}": policy() for n in range(10, 61)}, "policies", "more than 50"),
]


@pytest.mark.parametrize(
    ("policies", "field", "text"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_a_policy_that_breaks_a_rule_is_refused_by_its_field(
    world: World, policies: dict[str, Any], field: str, text: str
) -> None:
    revision, given = await world.revision(), copy.deepcopy(policies)
    with pytest.raises(ExtensionsInvalidError) as caught:
        await put(world, {"policies": {**policies, "good": GOOD}})

    assert {v.field for v in caught.value.violations} == {field}
    assert any(text in v.description for v in caught.value.violations)
    assert f"`{field}`" in caught.value.message
    assert (await world.get()).extensions == {}
    assert await world.revision() == revision
    assert policies == given


@pytest.mark.parametrize(
    ("conditions", "field", "text"),
    [
        ({"rebac": "true"}, "conditions[rebac]", f"is not one of rbac, rebac/{K}"),
        ({f"rebac/{L}": "true"}, f"conditions[rebac/{L}]", "is not one of"),
        ({"extended/p1": "true"}, "conditions[extended/p1]", "is not one of"),
        ({"rbac": ""}, "conditions[rbac]", "is empty"),
        ({"rbac": "1 +"}, "conditions[rbac]", "is not CEL"),
    ],
)
async def test_a_condition_stands_on_a_policy_that_is_there(
    world: World, conditions: dict[str, str], field: str, text: str
) -> None:
    with pytest.raises(ExtensionsInvalidError) as caught:
        await put(world, {"conditions": conditions})

    assert [v.field for v in caught.value.violations] == [field]
    assert text in caught.value.violations[0].description


async def test_every_fault_is_told_at_once(world: World) -> None:
    bad = {
        "policies": {"p": policy(condition="secret"), "p2": policy(("ghost", 0))},
        "conditions": {"x": "true"},
    }
    with pytest.raises(ExtensionsInvalidError) as caught:
        await put(world, bad)

    assert [v.field for v in caught.value.violations] == [
        "policies[p]",
        "policies[p].condition",
        "policies[p2].path[0].type",
        "conditions[x]",
    ]


async def test_the_same_extensions_again_are_no_change_and_a_dry_run_stores_nothing(world: World) -> None:
    dry = await put(world, {"policies": {"good": GOOD}}, validate_only=True)
    assert dry.row.extensions == {"policies": {"good": GOOD}}
    assert (await world.get()).extensions == {}
    first = await put(world, {"policies": {"good": GOOD}, "conditions": {}})
    again = await put(world, {"policies": {"good": GOOD}})

    assert (again.revision, again.row) == (first.revision, first.row)
    with pytest.raises(EtagMismatchError):
        await put(world, {}, etag="1")
    with pytest.raises(NotFoundError):
        await world.use.types.update_extensions(world.account, K, {})
    gone = await put(world, {}, etag=str(first.row.version))
    assert gone.row.extensions == {}
    assert gone.revision == first.revision + 1


async def test_a_condition_goes_with_the_policy_it_stands_on(world: World) -> None:
    await put(
        world,
        {"conditions": {"rbac": "object.open", f"rebac/{K}": "object.open"}, "policies": {"good": GOOD}},
    )

    row = await world.patch({"rebac": {K: None}})

    assert row.extensions == {"conditions": {"rbac": "object.open"}, "policies": {"good": GOOD}}
    assert (await world.patch({"rebac": {K: {}}})).extensions == row.extensions


async def test_a_type_that_a_path_goes_over_is_in_use(world: World) -> None:
    delete = world.use.types.delete
    await put(world, {"policies": {"good": GOOD}})
    for key in ("user_in_team", "team_above", "team_has"):
        with pytest.raises(TypeInUseError):
            await delete(world.account, RELATIONSHIP, key, validate_only=False)
    await delete(world.account, RELATIONSHIP, "group_has", validate_only=False)

    await put(world, {})
    for key in ("user_in_team", "team_above", "team_has"):
        await delete(world.account, RELATIONSHIP, key, validate_only=False)
    await delete(world.account, OBJECT, "team", validate_only=False)


async def test_an_object_type_with_records_is_in_use(world: World) -> None:
    await world.use.types.create(world.account, OBJECT, "boat")
    await world.use.objects.write(world.account, [ObjectRow("boat", "b1")], ())
    with pytest.raises(TypeInUseError):
        await world.use.types.delete(world.account, OBJECT, "boat", validate_only=True)

    await world.use.objects.write(world.account, [], [("boat", "b1")])
    await world.use.types.delete(world.account, OBJECT, "boat", validate_only=False)


async def test_records_may_form_cycles_of_any_length(world: World) -> None:
    await put(world, {"policies": {"good": GOOD}})
    await world.use.sync_users(world.account, [User(5, "end_user")], (), complete=False)
    await world.relate(5, "t0", "user_in_team")
    for n in range(20):
        await world.relate(f"t{n}", f"t{(n + 1) % 20}", "team_above")
    await world.relate("t8", "near", "team_has")
    await world.relate("t9", "far", "team_has")
    await world.relate("t3", "t3", "team_above")
    await world.relate("t8", "t0", "team_above")

    answers = [(await world.ask(5, "read", record)).decided for record in ("near", "far")]
    page = await world.use.resources(world.account, Question(5, "read", PRODUCT), Asked(), after="", limit=99)

    assert [a.allowed for a in answers] == [True, False], "eight hops and no further"
    assert len(answers[0].path) == 10
    assert page.ids == ("near",)


async def test_a_question_with_two_contexts_has_two_answers(world: World) -> None:
    """The class of OpenFGA's CVE-2026-33729 and CVE-2026-34972: also as duplicates in one batch."""
    open_to = policy(condition="context.tier == 'gold'", end_user={**NO, "read": True})
    await put(world, {"policies": {"open": open_to}})
    contexts: list[dict[str, Any]] = [{"tier": "gold"}, {"tier": "tin"}, {"tier": "gold"}, {}]
    questions = [Question(5, "read", PRODUCT, "p1", given=Given({}, c)) for c in contexts]

    answers = await world.use.check(world.account, questions)

    assert [a.decided.reason for a in answers] == [
        "EXTENDED:open",
        "NO_RULE_ALLOWS",
        "EXTENDED:open",
        "CONDITION_FAILED",
    ]


@pytest_asyncio.fixture
async def served(world: World) -> AsyncIterator[Served]:
    async with serving(world) as found:
        yield found


async def test_the_faults_reach_the_caller(served: Served) -> None:
    extensions = resources.Extensions()
    extensions.policies["p1"].path.add(type="ghost")
    request = messages.UpdateExtensionsRequest(name=f"{PARENT}/objectTypes/{PRODUCT}", extensions=extensions)

    code, reason, fields = await refusal(
        served.stub.UpdateExtensions(request, metadata=served.person(1, "admin"))
    )

    assert (code, reason, fields) == ("INVALID_ARGUMENT", "EXTENSIONS_INVALID", ["policies[p1].path[0].type"])
    denied = await refusal(served.stub.UpdateExtensions(request, metadata=served.person(2, "agent")))
    assert denied[0] == "PERMISSION_DENIED"
