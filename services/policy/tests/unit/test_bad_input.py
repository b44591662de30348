"""Bad input: a precise refusal that names the place, and nothing is written (issue: the policy service, whole)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.struct_pb2 import Struct, Value

from libs.decision.rows import ObjectRow
from libs.kernel.errors import InvalidRequestError
from libs.kernel.ids import AccountId
from services.policy.app.asked import Freshness
from services.policy.app.ports import OBJECT
from services.policy.domain.errors import PermissionsInvalidError
from services.policy.domain.patch import parse_patch
from services.policy.rpc.mapping import MAXIMUM_GIVEN_BYTES
from services.policy.tests.served import PARENT, Served, code_of, refusal, serving
from services.policy.tests.world import PRODUCT, K, World
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

READ = resources.ACTION_READ
NAME = f"{PARENT}/objectTypes/{PRODUCT}"


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(await World.fresh()) as found:
        yield found


def context(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def question(**more: Any) -> messages.Question:
    given = {"user_id": 5, "action": READ, "object_type": PRODUCT, "record_id": "p1", **more}
    return messages.Question(**given)


@pytest.mark.parametrize("depth", [17, 300, 480, 600, 990, 1000, 5000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_patch_of_any_depth_is_refused_as_such(depth: int, opening: str, closing: str) -> None:
    inner = "1" if opening != "[" else ""

    with pytest.raises(InvalidRequestError, match="nested deeper than 16 levels") as caught:
        parse_patch(opening * depth + inner + closing * depth)
    assert [v.field for v in caught.value.violations] == ["merge_patch_json"]


async def test_large_bodies_are_refused_and_the_service_goes_on(served: Served) -> None:
    admin, revision = served.person(1, "admin"), await served.world.revision()

    def update(size: int) -> Any:
        text = '{"rbac":{"agent":{"' + "x" * size + '":true}}}'
        request = messages.UpdatePermissionsRequest(name=NAME, merge_patch_json=text)
        return served.stub.UpdatePermissions(request, metadata=admin)

    assert await code_of(update(10 * 1024 * 1024)) == "RESOURCE_EXHAUSTED"
    assert await refusal(update(300 * 1024)) == ("INVALID_ARGUMENT", "INVALID_REQUEST", ["merge_patch_json"])
    for number in (1001, 120_000):
        rows = [messages.NewRelationship(type=K, source="zen:user:5", target="p1" * 20)] * number
        request = messages.BatchWriteRelationshipsRequest(parent=PARENT, creates=rows)
        assert await code_of(served.stub.BatchWriteRelationships(request, metadata=admin)) in (
            "INVALID_ARGUMENT",
            "RESOURCE_EXHAUSTED",
        )
    assert await served.world.revision() == revision
    one = messages.CheckPermissionRequest(parent=PARENT, action=READ, object_type=PRODUCT)
    assert (await served.stub.CheckPermission(one, metadata=admin)).decided.allowed


PATCHES = [
    ('{"rbac":{},"rbac":{}}', "INVALID_REQUEST", ["merge_patch_json"]),
    ('{"rbac":{"agent":{"read":true,"read":false}}}', "INVALID_REQUEST", ["merge_patch_json"]),
    ('{"rbac":{"agent":{"read":NaN}}}', "INVALID_REQUEST", ["merge_patch_json"]),
    ('"\\ud800"', "INVALID_REQUEST", ["merge_patch_json"]),
    ("{", "INVALID_REQUEST", ["merge_patch_json"]),
    ("12", "PERMISSIONS_INVALID", ["/data"]),
    ("[]", "PERMISSIONS_INVALID", ["/data"]),
    ('{"colour":1}', "PERMISSIONS_INVALID", ["/data/colour"]),
    (
        '{"rbac":{"agent":{"read":"true"},"owner":{}}}',
        "PERMISSIONS_INVALID",
        ["/data/rbac/owner", "/data/rbac/agent/read"],
    ),
    (
        f'{{"rebac":{{"{K}":{{"agent":{{"create":true}}}}}}}}',
        "PERMISSIONS_INVALID",
        [f"/data/rebac/{K}/agent/create"],
    ),
    ('{"rebac":{"user_to_car":{}}}', "PERMISSIONS_INVALID", ["/data/rebac/user_to_car"]),
    ('{"rebac":{"a/b~c":{}}}', "PERMISSIONS_INVALID", ["/data/rebac/a~1b~0c"]),
]


@pytest.mark.parametrize(("text", "reason", "fields"), PATCHES)
async def test_a_bad_patch_names_the_place_and_writes_nothing(
    served: Served, text: str, reason: str, fields: list[str]
) -> None:
    before, revision = await served.world.get(), await served.world.revision()
    request = messages.UpdatePermissionsRequest(name=NAME, merge_patch_json=text)

    refused = await refusal(served.stub.UpdatePermissions(request, metadata=served.person(1, "admin")))

    assert refused == ("INVALID_ARGUMENT", reason, fields)
    assert await served.world.get() == before
    assert await served.world.revision() == revision


async def test_a_verb_of_role_policies_in_a_relationship_policy_is_told_as_the_issue_words_it() -> None:
    world = await World.fresh()

    with pytest.raises(PermissionsInvalidError, match="is not a permission of a relationship policy"):
        await world.patch({"rebac": {K: {"agent": {"create": True}}}})


BAD_QUESTIONS = [
    (question(user_id=-1), "`user_id` is negative"),
    (question(action=0), "`action` is none of the actions"),
    (question(action=99), "`action` is none of the actions"),
    (question(object_type=""), "`object_type` is empty"),
    (question(object_type="x" * 65), "the request has bad fields: `object_type`"),
    (question(record_id="p" * 201), "`record_id` is longer than 200 characters"),
    (question(record_id="p\0"), "the request has bad fields: `record_id`"),
    (question(given=messages.Given(role="owner")), "`given.role` is not one of admin, agent, end_user"),
    (
        question(given=messages.Given(context=context(x="y" * MAXIMUM_GIVEN_BYTES))),
        "`given.context` is longer than 8192 bytes",
    ),
    (
        question(given=messages.Given(object=context(x="y" * MAXIMUM_GIVEN_BYTES))),
        "`given.object` is longer than 8192 bytes",
    ),
    (
        question(given=messages.Given(context=context(x=float("nan")))),
        "`given.context` holds a number that JSON has not: NaN or infinity",
    ),
    (
        question(given=messages.Given(object=context(x=[{"y": float("inf")}]))),
        "`given.object` holds a number that JSON has not: NaN or infinity",
    ),
]


async def test_each_bad_item_of_a_batch_is_refused_by_itself(served: Served) -> None:
    good = question(user_id=1)
    asked = [one for bad, _ in BAD_QUESTIONS for one in (good, bad)]
    request = messages.BatchCheckPermissionsRequest(parent=PARENT, questions=asked)

    answers = (await served.job.BatchCheckPermissions(request, metadata=served.service())).answers

    assert len(answers) == len(asked)
    assert all(answer.decided.allowed and not answer.error for answer in answers[::2])
    assert [answer.error for answer in answers[1::2]] == [
        f"INVALID_REQUEST: {text}" for _, text in BAD_QUESTIONS
    ]
    assert not any(answer.HasField("decided") for answer in answers[1::2])


@pytest.mark.parametrize(
    ("bad", "text"), BAD_QUESTIONS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_the_same_question_alone_is_refused(served: Served, bad: messages.Question, text: str) -> None:
    fields = {name.name: value for name, value in bad.ListFields()}
    request = messages.CheckPermissionRequest(parent=PARENT, **fields)

    code, _, named = await refusal(served.job.CheckPermission(request, metadata=served.service()))

    assert code == "INVALID_ARGUMENT"
    assert named == [text.split("`")[1]]


async def test_what_is_given_may_be_as_large_as_the_limit(served: Served) -> None:
    fits = context(x="")
    fits.update({"x": "y" * (MAXIMUM_GIVEN_BYTES - fits.ByteSize() - 8)})
    fits.update({"x": "y" * (len(str(fits["x"])) + MAXIMUM_GIVEN_BYTES - fits.ByteSize())})
    assert fits.ByteSize() == MAXIMUM_GIVEN_BYTES

    for struct, code in ((fits, "OK"), (context(x=f"{fits['x']}y"), "INVALID_ARGUMENT")):
        for given in (messages.Given(context=struct), messages.Given(object=struct)):
            request = messages.CheckPermissionRequest(
                parent=PARENT, action=READ, object_type=PRODUCT, given=given
            )
            assert (
                await code_of(served.stub.CheckPermission(request, metadata=served.person(1, "admin")))
                == code
            )


async def test_attributes_of_records_are_bounded_json(served: Served) -> None:
    admin, revision = served.person(1, "admin"), await served.world.revision()

    async def put(record: str, attributes: Struct, kind: str = PRODUCT) -> tuple[str, str, list[str]]:
        row = resources.ObjectRecord(type=kind, record_id=record, attributes=attributes)
        good = resources.ObjectRecord(type=PRODUCT, record_id="good")
        request = messages.BatchWriteObjectsRequest(parent=PARENT, puts=[good, row])
        return await refusal(served.stub.BatchWriteObjects(request, metadata=admin))

    refused = ("INVALID_ARGUMENT", "INVALID_REQUEST")
    nothing = Struct(fields={"x": Value()})
    assert await put("p1", context(x=float("nan"))) == (*refused, ["puts[1].attributes"])
    assert await put("p1", context(x="y" * 4096)) == (*refused, ["puts[1].attributes"])
    assert await put("p1", context(x="\0")) == (*refused, ["puts[1].attributes"])
    assert await put("zen:user:5", context()) == (*refused, ["puts[1].record_id"])
    assert (await put("p1", nothing, "ghost"))[:2] == ("NOT_FOUND", "NOT_FOUND")
    assert await served.world.revision() == revision
    assert (
        await served.world.use.objects.list(served.world.account, PRODUCT, Freshness(), after="", limit=9)
    ).rows == ()


async def test_a_number_beyond_64_bits_stays_a_number(served: Served) -> None:
    policies = {
        "big": {
            "path": [],
            "start": "user",
            "rows": {
                role: {"create": False, "read": True, "update": False, "delete": False}
                for role in ("admin", "agent", "end_user")
            },
            "condition": "context.size > 5.0",
        }
    }
    world = served.world
    await world.use.types.update_extensions(world.account, PRODUCT, {"policies": policies})
    for size, allowed in ((1e300, True), (-1e300, False), (6.5, True)):
        request = messages.CheckPermissionRequest(
            parent=PARENT,
            user_id=5,
            action=READ,
            object_type=PRODUCT,
            record_id="p1",
            given=messages.Given(context=context(size=size)),
        )
        answer = await served.stub.CheckPermission(request, metadata=served.person(1, "admin"))
        assert (answer.decided.allowed, list(answer.decided.failed_conditions)) == (allowed, [])


async def test_a_bad_relationship_is_named_by_its_place_and_nothing_is_written(served: Served) -> None:
    admin, revision = served.person(1, "admin"), await served.world.revision()
    good = messages.NewRelationship(type=K, source="zen:user:5", target="p1")

    def bad(**more: Any) -> messages.NewRelationship:
        made = messages.NewRelationship()
        made.CopyFrom(good)
        made.MergeFrom(messages.NewRelationship(**more))
        return made

    late = bad()
    late.expire_time.seconds = 10**15
    cases = [(bad(source="p1"), "source"), (bad(target="p\0"), "target"), (late, "expire_time")]
    for row, field in cases:
        batch = messages.BatchWriteRelationshipsRequest(parent=PARENT, creates=[good, row])
        refused = await refusal(served.stub.BatchWriteRelationships(batch, metadata=admin))
        assert refused == ("INVALID_ARGUMENT", "INVALID_REQUEST", [f"creates[1].{field}"])
        single = messages.CreateRelationshipRequest(parent=PARENT, relationship=row)
        refused = await refusal(served.stub.CreateRelationship(single, metadata=admin))
        assert refused[2] == [f"relationship.{field}"]
        simulation = messages.SimulateChangeRequest(name=PARENT, deletes=[good, good, row])
        refused = await refusal(served.stub.SimulateChange(simulation, metadata=admin))
        assert refused[2] == [f"deletes[2].{field}"]
    chunk = messages.ImportRelationshipsRequest(parent=PARENT, relationships=[good, bad(target="p\0")])
    refused = await refusal(served.job.ImportRelationships(iter([chunk]), metadata=served.service()))
    assert refused[2] == ["relationships[1].target"]
    assert await served.world.revision() == revision


async def test_a_token_of_another_account_is_no_token_of_this_one(served: Served) -> None:
    tokens, account = served.world.tokens, served.world.account
    good = tokens.token(account, 3)
    for token in (
        tokens.token(AccountId("acc-2"), 3),
        good[:-1] + "!",
        good.replace(".3.", ".4."),
        "x" * 100_000,
    ):
        request = messages.CheckPermissionRequest(
            parent=PARENT, action=READ, object_type=PRODUCT, consistency=messages.Consistency(at_least=token)
        )
        code, _, fields = await refusal(
            served.stub.CheckPermission(request, metadata=served.person(1, "admin"))
        )
        assert (code, fields) == ("INVALID_ARGUMENT", ["consistency.at_least"])


async def test_an_unknown_type_is_a_deny_for_questions_and_an_error_for_changes(served: Served) -> None:
    admin = served.person(1, "admin")
    check = messages.CheckPermissionRequest(parent=PARENT, action=READ, object_type="ghost", record_id="p1")
    update = messages.UpdatePermissionsRequest(name=f"{PARENT}/objectTypes/ghost", merge_patch_json="{}")

    assert (await served.stub.CheckPermission(check, metadata=admin)).decided.reason == "UNKNOWN_TYPE"
    assert (await refusal(served.stub.UpdatePermissions(update, metadata=admin)))[0] == "NOT_FOUND"
    assert (await served.world.get(OBJECT, PRODUCT)).version == 1


async def test_attributes_may_tell_of_a_zero_character_but_not_hold_one() -> None:
    world = await World.fresh()
    write = world.use.objects.write

    assert (await write(world.account, [ObjectRow("product", "p1", {"a": "\\u0000"})], []))[0] == 1
    for attributes in ({"a": "\0"}, {"\0": 1}, {"a": [{"b": "x\0"}]}):
        with pytest.raises(InvalidRequestError, match="zero character"):
            await write(world.account, [ObjectRow("product", "p2", attributes)], [])
