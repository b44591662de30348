"""PrivacyService behind the real chain: who may call, what is answered, what the edge's calls need."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from libs.rpc.errors import error_info, field_violations, reason_of
from libs.rpc.pages import PageTokens
from libs.testing.rpc import Rpc, rpc_harness
from services.privacy.rpc.peers import PEERS, PRIVACY
from services.privacy.rpc.servicer import PrivacyServicer
from services.privacy.tests.house import EMAIL, USER, House
from setlist.privacy.v1 import error_reason_pb2 as reasons
from setlist.privacy.v1 import participant_service_pb2 as participant
from setlist.privacy.v1 import privacy_resources_pb2 as resources
from setlist.privacy.v1 import privacy_service_pb2 as messages
from setlist.privacy.v1.privacy_service_pb2_grpc import (
    PrivacyServiceStub,
    add_PrivacyServiceServicer_to_server,
)

if TYPE_CHECKING:
    from setlist.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceAsyncStub

PARENT = "accounts/acc-1"
PERSON = participant.SubjectIdentity(type=participant.SubjectIdentity.TYPE_ZENDESK_USER_ID, value=str(USER))
ADDRESS = participant.SubjectIdentity(type=participant.SubjectIdentity.TYPE_EMAIL, value=EMAIL)
ERASURE = resources.REQUEST_KIND_ERASURE
State = resources.Request
AFFINITY = participant.PROCESSING_PURPOSE_SAME_AGENT_AFFINITY
NAME = f"{PARENT}/requests/req-1"
CALLS: dict[str, Any] = {
    "CreateRequest": messages.CreateRequestRequest(parent=PARENT, kind=ERASURE, identities=[PERSON]),
    "GetRequest": messages.GetRequestRequest(name=NAME),
    "ListRequests": messages.ListRequestsRequest(parent=PARENT),
    "ApproveRequest": messages.ApproveRequestRequest(name=NAME, plan_hash="x"),
    "CancelRequest": messages.CancelRequestRequest(name=NAME),
    "ExtendRequest": messages.ExtendRequestRequest(name=NAME, reason="r"),
    "RefuseRequest": messages.RefuseRequestRequest(name=NAME, reason="r"),
    "RetryRequest": messages.RetryRequestRequest(name=NAME),
    "GetCertificate": messages.GetCertificateRequest(name=NAME),
    "VerifyChain": messages.VerifyChainRequest(parent=PARENT),
    "CreateLegalHold": messages.CreateLegalHoldRequest(
        parent=PARENT, identities=[PERSON], matter="M-1", ground="Art. 17(3)(e)"
    ),
    "ReleaseLegalHold": messages.ReleaseLegalHoldRequest(name=f"{PARENT}/holds/hol-1"),
    "ListLegalHolds": messages.ListLegalHoldsRequest(parent=PARENT),
    "SetRestriction": messages.SetRestrictionRequest(
        parent=PARENT, subject=PERSON, purposes=[AFFINITY], restricted=True
    ),
    "CheckProcessing": messages.CheckProcessingRequest(parent=PARENT, subjects=[PERSON], purposes=[AFFINITY]),
    "WatchRestrictions": messages.WatchRestrictionsRequest(parent=PARENT),
    "CreateExport": messages.CreateExportRequest(
        parent=PARENT, identities=[PERSON], kind=resources.REQUEST_KIND_ACCESS
    ),
    "CreateBulkJob": messages.CreateBulkJobRequest(parent=PARENT, kind=ERASURE, subjects=[PERSON]),
    "GetReport": messages.GetReportRequest(parent=PARENT),
}


@pytest.fixture
def house() -> House:
    return House()


@pytest_asyncio.fixture
async def rpc(house: House) -> AsyncIterator[Rpc]:
    def add(server: grpc.aio.Server) -> None:
        add_PrivacyServiceServicer_to_server(PrivacyServicer(house.use, PageTokens(b"key")), server)

    async with rpc_harness("privacy", PEERS, [PRIVACY], add) as harness:
        yield harness


@pytest.fixture
def stub(rpc: Rpc) -> PrivacyServiceAsyncStub:
    return PrivacyServiceStub(rpc.channel())


async def call(stub: PrivacyServiceAsyncStub, method: str, metadata: Any) -> Any:
    """Make a call of the table; of a stream return the first message."""
    answer = getattr(stub, method)(CALLS[method], metadata=metadata)
    return await answer.read() if method == "WatchRestrictions" else await answer


async def refused(stub: PrivacyServiceAsyncStub, method: str, metadata: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(stub, method, metadata)
    return reason_of(caught.value)


async def test_an_erasure_as_the_edge_asks_for_it(
    rpc: Rpc, stub: PrivacyServiceAsyncStub, house: House
) -> None:
    who = rpc.token(user=2000)
    asked = messages.CreateRequestRequest(
        parent=PARENT,
        kind=ERASURE,
        identities=[PERSON],
        request_id="0d3c7a54-6f1b-4a8e-9a37-0c1f3d9b7e21",
    )

    made = (await stub.CreateRequest(asked, metadata=who)).request
    assert made.state == State.STATE_AWAITING_APPROVAL
    assert (await stub.CreateRequest(asked, metadata=who)).request == made
    assert [c.table for c in made.preview][:2] == ["zendesk.tickets", "zendesk.users"]
    assert made.deadline_time.ToDatetime() > made.receive_time.ToDatetime()

    approval = messages.ApproveRequestRequest(name=made.name, plan_hash=made.plan_hash)
    begun = (await stub.ApproveRequest(approval, metadata=who)).request
    assert (begun.state, len(begun.nodes)) == (State.STATE_EXECUTING, 13)
    await house.run(made.name.rpartition("/")[2])

    done = (await stub.GetRequest(messages.GetRequestRequest(name=made.name), metadata=who)).request
    assert (done.state, done.certificate) == (State.STATE_COMPLETED, f"{made.name}/certificate")
    assert {node.state for node in done.nodes} == {resources.Node.STATE_DONE}
    assert done.etag != made.etag
    wanted = messages.GetCertificateRequest(name=made.name)
    certificate = (await stub.GetCertificate(wanted, metadata=who)).certificate
    jwk = json.loads(certificate.public_key_jwk)
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "=="))
    signature = base64.urlsafe_b64decode(certificate.signature + "==")
    key.verify(signature, certificate.certificate_json.encode())
    chain = await stub.VerifyChain(messages.VerifyChainRequest(parent=PARENT), metadata=who)
    assert (chain.intact, chain.first_fault, len(chain.head)) == (True, 0, 64)


async def test_a_dry_run_keeps_nothing(rpc: Rpc, stub: PrivacyServiceAsyncStub, house: House) -> None:
    house.participants.away = {"policy"}
    asked = messages.CreateRequestRequest(
        parent=PARENT, kind=ERASURE, identities=[PERSON, ADDRESS], validate_only=True
    )

    shown = (await stub.CreateRequest(asked, metadata=rpc.token(user=2000))).request

    assert (shown.name, shown.plan_hash, shown.participants_missing) == ("", "", "policy")
    assert not house.store.tables.requests


async def test_who_is_missing_is_told(rpc: Rpc, stub: PrivacyServiceAsyncStub, house: House) -> None:
    house.participants.away = {"policy", "auth"}

    made = (await call(stub, "CreateRequest", rpc.token(user=2000))).request

    assert (made.state, made.participants_missing) == (State.STATE_RECEIVED, "auth,policy")


async def test_every_method_is_in_the_table_of_this_test() -> None:
    assert list(CALLS) == [m.name for m in PRIVACY.methods]


@pytest.mark.parametrize("method", [m for m in CALLS if m not in ("CheckProcessing", "WatchRestrictions")])
async def test_agents_and_end_users_may_not(method: str, rpc: Rpc, stub: PrivacyServiceAsyncStub) -> None:
    for role in ("agent", "end_user"):
        assert await refused(stub, method, rpc.token(user=3000, role=role)) == "PERMISSION_DENIED"
    assert await refused(stub, method, rpc.token(account="acc-2", user=2000)) == "PERMISSION_DENIED"
    for peer in ("assignment", "policy", "auth"):
        other = PrivacyServiceStub(rpc.channel(peer))
        assert await refused(other, method, rpc.token(peer=peer)) == "PERMISSION_DENIED"


@pytest.mark.parametrize("method", ["WatchRestrictions", "CreateExport", "CreateBulkJob", "GetReport"])
async def test_what_is_not_built_says_so(method: str, rpc: Rpc, stub: PrivacyServiceAsyncStub) -> None:
    assert await refused(stub, method, rpc.token(user=2000)) == "NOT_BUILT"


async def test_services_and_staff_ask_what_they_may_do(rpc: Rpc, stub: PrivacyServiceAsyncStub) -> None:
    await call(stub, "SetRestriction", rpc.token(user=2000))

    for peer in ("assignment", "policy", "ops"):
        other = PrivacyServiceStub(rpc.channel(peer))
        answer = await call(other, "CheckProcessing", rpc.token(peer=peer))
        assert [(r.subject, list(r.purposes), r.restricted) for r in answer.restrictions] == [
            (PERSON, [3], True)
        ]
        assert answer.revision == 1
    assert await refused(stub, "CheckProcessing", rpc.token(user=5, role="end_user")) == "PERMISSION_DENIED"
    assert (await call(stub, "CheckProcessing", rpc.token(user=3000, role="agent"))).revision == 1


async def test_lists_are_paged(rpc: Rpc, stub: PrivacyServiceAsyncStub, house: House) -> None:
    made = [await house.ask([("zendesk_user_id", str(n))]) for n in (11, 12, 13)]
    who = rpc.token(user=2000)
    first = await stub.ListRequests(messages.ListRequestsRequest(parent=PARENT, page_size=2), metadata=who)
    asked = messages.ListRequestsRequest(parent=PARENT, page_size=2, page_token=first.next_page_token)

    second = await stub.ListRequests(asked, metadata=who)

    names = [r.name.rpartition("/")[2] for r in [*first.requests, *second.requests]]
    assert (names, second.next_page_token) == (made[::-1], "")
    for _ in range(2):
        await call(stub, "CreateLegalHold", who)
    holds = await stub.ListLegalHolds(
        messages.ListLegalHoldsRequest(parent=PARENT, page_size=1), metadata=who
    )
    assert len(holds.holds) == 1
    released = messages.ReleaseLegalHoldRequest(name=holds.holds[0].name)
    assert (await stub.ReleaseLegalHold(released, metadata=who)).hold.released
    rest = messages.ListLegalHoldsRequest(parent=PARENT, page_size=1, page_token=holds.next_page_token)
    assert [h.released for h in (await stub.ListLegalHolds(rest, metadata=who)).holds] == [False]


async def test_errors_carry_reasons_of_the_register(rpc: Rpc, stub: PrivacyServiceAsyncStub) -> None:
    who = rpc.token(user=2000)
    assert await refused(stub, "GetCertificate", who) == "NOT_FOUND"
    await call(stub, "CreateRequest", who)
    with pytest.raises(grpc.aio.AioRpcError) as duplicate:
        await call(stub, "CreateRequest", who)
    bad = messages.CreateRequestRequest(
        parent=PARENT,
        kind=ERASURE,
        identities=[PERSON, participant.SubjectIdentity(type=ADDRESS.type, value="no-address-of-mine")],
    )
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await stub.CreateRequest(bad, metadata=who)

    info = error_info(duplicate.value)
    assert info is not None
    assert (info.reason, info.domain) == ("DUPLICATE_REQUEST", "privacy.setlist.dev")
    assert f"ERROR_REASON_{info.reason}" in reasons.ErrorReason.DESCRIPTOR.values_by_name
    assert [v.field for v in field_violations(wrong.value)] == ["identities[1].value"]
    assert "no-address" not in str(wrong.value)


async def test_a_request_can_be_refused_and_taken_back(
    rpc: Rpc, stub: PrivacyServiceAsyncStub, house: House
) -> None:
    who = rpc.token(user=2000)
    name = (await call(stub, "CreateRequest", who)).request.name
    longer = messages.ExtendRequestRequest(name=name, reason="many systems")
    assert (await stub.ExtendRequest(longer, metadata=who)).request.extended
    no = messages.RefuseRequestRequest(name=name, reason="we cannot tell who you are")
    refusal = (await stub.RefuseRequest(no, metadata=who)).request
    assert (refusal.state, refusal.refusal_reason) == (State.STATE_REFUSED, no.reason)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RetryRequest(messages.RetryRequestRequest(name=name), metadata=who)
    assert reason_of(caught.value) == "REQUEST_STATE"
    again = (await call(stub, "CreateRequest", who)).request.name
    back = await stub.CancelRequest(messages.CancelRequestRequest(name=again), metadata=who)
    assert back.request.state == State.STATE_CANCELLED
