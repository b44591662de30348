"""The RPCs behind the whole chain: real TLS, real context tokens, the memory store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor

from libs.rpc.errors import field_violations, reason_of
from libs.testing.rpc import Metadata
from services.policy.rpc.peers import POLICY
from services.policy.tests.served import PARENT, Served, code_of, serving
from services.policy.tests.world import K, World, cases
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceStub

PRODUCT = f"{PARENT}/objectTypes/product"
GHOST = f"{PARENT}/objectTypes/ghost"
PATCH = '{"rbac":{"agent":{"delete":false}}}'
READ, UPDATE = resources.ACTION_READ, resources.ACTION_UPDATE


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(await World.fresh()) as found:
        yield found


def check(action: Any, user: int = 0, **more: Any) -> messages.CheckPermissionRequest:
    given = {"object_type": "product", "record_id": "p1", **more}
    return messages.CheckPermissionRequest(parent=PARENT, user_id=user, action=action, **given)


@pytest.mark.parametrize("case", cases("callers.yaml"), ids=str)
async def test_t22_who_may_show_and_who_may_update(served: Served, case: dict[str, Any]) -> None:
    role = case["role"]
    metadata = () if role == "nobody" else served.person(50, role, case.get("custom_role_id"))
    await served.world.patch({"rbac": {"admin": {"read": False, "update": False}, "agent": {"read": False}}})

    found = {"role": role}
    for suffix, name in (("", PRODUCT), ("_unknown", GHOST)):
        show, update = (
            messages.GetPermissionsRequest(name=name),
            messages.UpdatePermissionsRequest(name=name, merge_patch_json=PATCH),
        )
        found[f"show{suffix}"] = await code_of(served.stub.GetPermissions(show, metadata=metadata))
        found[f"update{suffix}"] = await code_of(served.stub.UpdatePermissions(update, metadata=metadata))

    assert found == {key: value for key, value in case.items() if key != "custom_role_id"}


async def test_permissions_are_answered_in_the_seeds_json_and_as_a_message(served: Served) -> None:
    admin = served.person(1, "admin")
    updated = await served.stub.UpdatePermissions(
        messages.UpdatePermissionsRequest(
            name=PRODUCT,
            merge_patch_json=json.dumps({"rbac": {"custom": {"8237": {"read": True}}}, "rebac": {K: {}}}),
            etag="1",
        ),
        metadata=admin,
    )
    shown = await served.stub.GetPermissions(messages.GetPermissionsRequest(name=PRODUCT), metadata=admin)

    assert shown.permissions == updated.permissions
    assert shown.permissions_json == updated.permissions_json
    assert shown.permissions.name == f"{PRODUCT}/permissions"
    assert shown.permissions.etag == "2"
    assert shown.permissions.rbac.custom["8237"] == resources.Row(read=True)
    assert shown.permissions.rebac[K].admin == resources.Row(read=True, update=True)
    revision = await served.world.revision()
    assert updated.token == served.world.use.tokens.token(served.world.account, revision)


async def test_faults_of_a_patch_and_a_stale_etag_reach_the_caller(served: Served) -> None:
    admin = served.person(1, "admin")
    bad = messages.UpdatePermissionsRequest(
        name=PRODUCT, merge_patch_json='{"rbac":{"agent":{"end_user":true}}}'
    )
    stale = messages.UpdatePermissionsRequest(name=PRODUCT, merge_patch_json=PATCH, etag="7")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.UpdatePermissions(bad, metadata=admin)
    assert reason_of(caught.value) == "PERMISSIONS_INVALID"
    assert [v.field for v in field_violations(caught.value)] == ["/data/rbac/agent/end_user"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.UpdatePermissions(stale, metadata=admin)
    assert (caught.value.code().name, reason_of(caught.value)) == ("ABORTED", "ETAG_MISMATCH")


async def test_people_ask_about_themselves_admins_and_services_about_anybody(served: Served) -> None:
    stub = served.stub
    end_user, admin = served.person(50, "end_user"), served.person(1, "admin")
    await served.world.patch({"rbac": {"end_user": {"read": True}}})

    own = await stub.CheckPermission(check(READ), metadata=end_user)
    assert own.decided.allowed, "the token states his role, the directory does not know him"
    assert await code_of(stub.CheckPermission(check(READ, 2), metadata=end_user)) == "PERMISSION_DENIED"
    assert (await stub.CheckPermission(check(READ, 5), metadata=admin)).decided.reason == "RBAC"

    service = served.rpc.token(job="assignment")
    other = PolicyServiceStub(served.rpc.channel("assignment"))
    assert (await other.CheckPermission(check(UPDATE, 2), metadata=service)).decided.allowed
    assert await code_of(other.CheckPermission(check(READ), metadata=service)) == "INVALID_ARGUMENT"


async def test_each_question_of_a_batch_is_answered_or_refused_by_itself(served: Served) -> None:
    def question(user: int, action: Any, **more: Any) -> messages.Question:
        given = {"object_type": "product", "record_id": "p1", **more}
        return messages.Question(user_id=user, action=action, **given)

    await served.world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    await served.world.relate(5, "p1")
    questions = [
        question(5, READ),
        question(2, READ),
        question(0, UPDATE),
        question(5, READ, record_id="p\0"),
        question(5, READ, object_type="x" * 65),
        question(5, READ, object_type="ghost"),
        question(5, READ),
    ]

    answer = await served.stub.BatchCheckPermissions(
        messages.BatchCheckPermissionsRequest(parent=PARENT, questions=questions),
        metadata=served.person(5, "end_user"),
    )

    assert [a.error.partition(":")[0] or a.decided.reason for a in answer.answers] == [
        f"REBAC:{K}",
        "PERMISSION_DENIED",
        "NO_RULE_ALLOWS",
        "INVALID_REQUEST",
        "INVALID_REQUEST",
        "UNKNOWN_TYPE",
        f"REBAC:{K}",
    ]
    assert [a.HasField("decided") for a in answer.answers] == [not a.error for a in answer.answers]


async def test_a_batch_takes_ten_thousand_questions_and_no_more(served: Served) -> None:
    admin = served.person(1, "admin")

    def request(number: int) -> messages.BatchCheckPermissionsRequest:
        one = messages.Question(action=READ, object_type="product", record_id="p1")
        return messages.BatchCheckPermissionsRequest(parent=PARENT, questions=[one] * number)

    answer = await served.stub.BatchCheckPermissions(request(10_000), metadata=admin)

    assert [a.decided.allowed for a in answer.answers] == [True] * 10_000
    for number in (0, 10_001):
        call = served.stub.BatchCheckPermissions(request(number), metadata=admin)
        assert await code_of(call) == "INVALID_ARGUMENT"


async def test_an_explanation_lists_every_rule_that_was_tried(served: Served) -> None:
    await served.world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    row = await served.world.relate(5, "p1")

    answer = await served.stub.ExplainDecision(
        messages.ExplainDecisionRequest(
            parent=PARENT, user_id=5, action=READ, object_type="product", record_id="p1"
        ),
        metadata=served.person(1, "admin"),
    )

    assert (answer.decided.reason, answer.decided.relationship) == (f"REBAC:{K}", row.id)
    assert [(t.policy, t.row, t.allows, t.related) for t in answer.tried] == [
        ("rbac", "end_user", False, True),
        (f"rebac/{K}", "end_user", True, True),
    ]


async def test_lists_are_paged_by_tokens_that_belong_to_their_query(served: Served) -> None:
    await served.world.patch({"rebac": {K: {"end_user": {"read": True, "update": True}}}})
    for record in ("p1", "p2", "p3"):
        await served.world.relate(5, record)
    person, admin = served.person(5, "end_user"), served.person(1, "admin")
    stub = served.stub

    async def pages(method: Any, field: str, metadata: Metadata, request: Any) -> list[list[Any]]:
        found = []
        while True:
            page = await method(request, metadata=metadata)
            found.append(list(getattr(page, field)))
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    asked: dict[str, Any] = {"parent": PARENT, "page_size": 2}
    of = {**asked, "action": READ, "object_type": "product"}
    assert await pages(stub.LookupResources, "record_ids", person, messages.LookupResourcesRequest(**of)) == [
        ["p1", "p2"],
        ["p3"],
    ]
    assert await pages(
        stub.LookupSubjects, "user_ids", admin, messages.LookupSubjectsRequest(**of, record_id="p1")
    ) == [[1, 2], [3, 4], [5, 6]]
    assert await pages(
        stub.ListEverythingOf, "rights", person, messages.ListEverythingOfRequest(**{**asked, "page_size": 4})
    ) == [
        [f"product/p{n}/{action}" for n in (1, 2) for action in ("read", "update")],
        ["product/p3/read", "product/p3/update"],
    ]

    first = await stub.LookupResources(messages.LookupResourcesRequest(**of), metadata=person)
    stolen = messages.LookupResourcesRequest(**{**of, "action": UPDATE}, page_token=first.next_page_token)
    assert await code_of(stub.LookupResources(stolen, metadata=person)) == "INVALID_ARGUMENT"


async def test_who_may_act_on_a_record_is_told_to_admins_only(served: Served) -> None:
    request = messages.LookupSubjectsRequest(
        parent=PARENT, action=READ, object_type="product", record_id="p1"
    )
    lint = messages.LintPoliciesRequest(parent=PARENT)
    log = messages.ListDecisionsRequest(parent=PARENT)

    for role, code in (("admin", "OK"), ("agent", "PERMISSION_DENIED"), ("end_user", "PERMISSION_DENIED")):
        metadata = served.person(50, role)
        assert await code_of(served.stub.LookupSubjects(request, metadata=metadata)) == code
        assert await code_of(served.stub.LintPolicies(lint, metadata=metadata)) == code
        assert await code_of(served.stub.ListDecisions(log, metadata=metadata)) == code


async def test_a_person_writes_relationships_as_the_policy_of_the_type_lets_him(served: Served) -> None:
    def create(**more: Any) -> messages.CreateRelationshipRequest:
        given = {"type": K, "source": "zen:user:5", "target": "p1", **more}
        return messages.CreateRelationshipRequest(
            parent=PARENT, relationship=messages.NewRelationship(**given)
        )

    agent, end_user = served.person(2, "agent"), served.person(5, "end_user")

    made = await served.stub.CreateRelationship(create(), metadata=agent)
    assert await code_of(served.stub.CreateRelationship(create(), metadata=end_user)) == "PERMISSION_DENIED"
    for bad in ({"source": "zen:user:x"}, {"target": "p\0"}):
        assert (
            await code_of(served.stub.CreateRelationship(create(**bad), metadata=agent)) == "INVALID_ARGUMENT"
        )
    absurd = create()
    absurd.relationship.expire_time.seconds = 10**15
    assert await code_of(served.stub.CreateRelationship(absurd, metadata=agent)) == "INVALID_ARGUMENT"

    delete = messages.DeleteRelationshipRequest(name=made.relationship.name)
    assert await code_of(served.stub.DeleteRelationship(delete, metadata=end_user)) == "PERMISSION_DENIED"
    assert await code_of(served.stub.DeleteRelationship(delete, metadata=agent)) == "OK"


async def test_only_services_sync_users(served: Served) -> None:
    request = messages.SyncUsersRequest(parent=PARENT, users=[resources.User(user_id=8, role="agent")])
    stub = PolicyServiceStub(served.rpc.channel("assignment"))

    assert await code_of(stub.SyncUsers(request, metadata=served.person(1, "admin"))) != "OK"
    answer = await stub.SyncUsers(request, metadata=served.rpc.token(job="assignment"))

    assert answer.changed == 1


def naming(method: MethodDescriptor) -> Any:
    """Return a request of a method that names the account, and nothing else."""
    kind: Any = getattr(messages, method.input_type.name)
    if "settings" in method.input_type.fields_by_name:
        return kind(settings=resources.PolicySettings(name=f"{PARENT}/policySettings"))
    if "parent" in method.input_type.fields_by_name:
        return kind(parent=PARENT)
    return kind(name=f"{PARENT}/policySettings" if method.name == "GetPolicySettings" else PRODUCT)


async def test_another_account_is_refused_by_every_method(served: Served) -> None:
    token = served.rpc.token(account="acc-2", job="assignment")
    stub = PolicyServiceStub(served.rpc.channel("assignment"))
    for method in POLICY.methods:
        request = naming(method)
        call = getattr(stub, method.name)(
            iter([request]) if method.client_streaming else request, metadata=token
        )
        refused = await code_of(call.read() if method.server_streaming else call)
        assert (method.name, refused) == (method.name, "PERMISSION_DENIED")


async def test_every_method_is_built(served: Served) -> None:
    service = served.rpc.token(job="assignment")
    stub = PolicyServiceStub(served.rpc.channel("assignment"))
    for method in POLICY.methods:
        request = naming(method)
        call = getattr(stub, method.name)(
            iter([request]) if method.client_streaming else request, metadata=service
        )
        code = await code_of(call.read() if method.server_streaming else call)
        assert (method.name, code) in {
            (method.name, "OK"),
            (method.name, "INVALID_ARGUMENT"),
            (method.name, "NOT_FOUND"),
            (method.name, "FAILED_PRECONDITION"),
        }


async def test_a_past_revision_is_decided_on_as_it_was(served: Served) -> None:
    admin = served.person(1, "admin")
    before = await served.world.revision()
    await served.world.patch({"rbac": {"agent": {"read": False}}})

    async def decided(**more: Any) -> resources.Decided:
        consistency = messages.Consistency(**more)
        request = check(READ, 2, consistency=consistency)
        answer: messages.CheckPermissionResponse = await served.stub.CheckPermission(request, metadata=admin)
        return answer.decided

    past, present = await decided(exact_revision=before), await decided()
    assert (past.allowed, past.revision) == (True, before)
    assert (present.allowed, present.revision) == (False, before + 1)
    assert (await decided(at_least=present.token)).revision == before + 1


@pytest.mark.parametrize(
    ("consistency", "code", "reason"),
    [
        ({"exact_revision": 10**6}, "FAILED_PRECONDITION", "REVISION_UNKNOWN"),
        ({"exact_revision": -1}, "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ({"at_least": "zt1.3"}, "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ({"fully": True, "exact_revision": 1}, "INVALID_ARGUMENT", "INVALID_REQUEST"),
    ],
)
async def test_a_freshness_that_cannot_be_had_is_refused(
    served: Served, consistency: dict[str, Any], code: str, reason: str
) -> None:
    request = check(READ, consistency=messages.Consistency(**consistency))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.CheckPermission(request, metadata=served.person(1, "admin"))
    assert (caught.value.code().name, reason_of(caught.value)) == (code, reason)
