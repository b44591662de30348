"""AuthService over real gRPC: who may call what, what a message says, and what an error leaks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.kernel.ids import account_name
from libs.participant.servicer import SERVICE as PARTICIPANT
from libs.rpc.errors import reason_of
from libs.rpc.peers import check_complete
from libs.testing.rpc import Rpc, rpc_harness
from services.auth.rpc.peers import AUTH, PEERS
from services.auth.rpc.servicer import AuthServicer
from services.auth.tests.house import ADMIN, AGENT, House
from services.auth.tests.served import use_cases
from services.auth.tests.signed_urls import ORIGIN, claims, signed
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub, add_AuthServiceServicer_to_server

AUTH_PEERS = {name: rule for name, rule in PEERS.items() if name.startswith(f"/{AUTH.full_name}/")}
CODE = grpc.StatusCode


@pytest_asyncio.fixture
async def rpc(house: House) -> AsyncIterator[Rpc]:
    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(AuthServicer(use_cases(house)), server)

    async with rpc_harness("auth", AUTH_PEERS, [AUTH], add, verifies_context=False) as running:
        yield running


def stub(rpc: Rpc, peer: str = "edge") -> Any:
    """Return the stub of a peer; the generated types know the blocking one only."""
    return AuthServiceStub(rpc.channel(peer))


def test_every_method_has_its_peers() -> None:
    assert check_complete(PEERS, [AUTH, PARTICIPANT]) == []


async def test_the_whole_way_over_the_wire(house: House, rpc: Rpc) -> None:
    edge, url = stub(rpc), signed(claims(house.clock.now(), ADMIN))
    opened = await edge.OpenSession(messages.OpenSessionRequest(signed_url_token=url, origin=ORIGIN))
    begun = await edge.BeginAuthorization(
        messages.BeginAuthorizationRequest(session_token=opened.session_token)
    )
    started = await edge.StartAuthorization(messages.StartAuthorizationRequest(ticket=begun.ticket))
    code, state = house.zendesk.confirm(started.authorize_url, ADMIN)
    done = await edge.CompleteAuthorization(
        messages.CompleteAuthorizationRequest(state=state, code=code, cookie_value=started.cookie_value)
    )
    access = await stub(rpc, "assignment").GetZendeskAccess(
        messages.GetZendeskAccessRequest(account=opened.account)
    )

    assert opened.installation_state == resources.Installation.STATE_UNAUTHORIZED
    assert (done.account, done.installation.state) == (
        opened.account,
        resources.Installation.STATE_AUTHORIZED,
    )
    assert (access.version, access.subdomain) == (1, "acme")
    made = await edge.ExchangeContext(
        messages.ExchangeContextRequest(
            installation_token=house.zendesk.settings["https://acme.zendesk.com", 55],
            session_token=opened.session_token,
            audience="policy",
        )
    )
    assert (made.subject, made.role) == (f"user:{ADMIN}", "admin")
    listed = await stub(rpc, "ops").ListInstallations(messages.ListInstallationsRequest(page_size=1))
    assert [i.name for i in listed.installations] == [f"{opened.account}/installations/55"]


@pytest.mark.parametrize(
    ("kind", "installation", "session"),
    [
        (resources.TOKEN_KIND_UNSPECIFIED, True, True),
        (resources.TOKEN_KIND_INSTALLATION, True, False),
        (resources.TOKEN_KIND_SESSION, False, True),
        (resources.TOKEN_KIND_CONTEXT, False, False),
    ],
)
async def test_a_token_is_active_as_what_it_is_only(
    house: House, rpc: Rpc, kind: resources.TokenKind.ValueType, installation: bool, session: bool
) -> None:
    done = await house.authorized()
    tokens = [house.token_of(done), (await house.enter(AGENT)).token]

    answers = [
        await stub(rpc).VerifyToken(messages.VerifyTokenRequest(token=token, kind=kind)) for token in tokens
    ]

    assert [answer.active for answer in answers] == [installation, session]
    for answer in answers:
        if not answer.active:
            assert answer == messages.VerifyTokenResponse()


@pytest.mark.parametrize(
    ("peer", "method", "request_message"),
    [
        ("policy", "OpenSession", messages.OpenSessionRequest(signed_url_token="x", origin=ORIGIN)),
        ("ops", "BeginAuthorization", messages.BeginAuthorizationRequest(session_token="x")),
        ("edge", "GetZendeskAccess", messages.GetZendeskAccessRequest(account="accounts/acc-1")),
        ("policy", "GetZendeskAccess", messages.GetZendeskAccessRequest(account="accounts/acc-1")),
        ("ops", "GetZendeskAccess", messages.GetZendeskAccessRequest(account="accounts/acc-1")),
        ("assignment", "RevokeInstallation", messages.RevokeInstallationRequest(account="accounts/acc-1")),
        ("edge", "ListAuditEvents", messages.ListAuditEventsRequest(parent="accounts/acc-1")),
        ("edge", "ShredAccount", messages.ShredAccountRequest(account="accounts/acc-1")),
    ],
)
async def test_a_peer_without_the_right_is_refused_before_anything_is_read(
    house: House, rpc: Rpc, peer: str, method: str, request_message: object
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub(rpc, peer), method)(request_message)

    assert caught.value.code() is CODE.PERMISSION_DENIED


async def test_refusals_tell_reasons_and_no_causes(house: House, rpc: Rpc) -> None:
    done = await house.authorized()
    forged = house.token_of(done)[:-6] + "AAAAAA"
    calls = [
        (
            stub(rpc).OpenSession(messages.OpenSessionRequest(signed_url_token=forged, origin=ORIGIN)),
            CODE.UNAUTHENTICATED,
            "SIGNED_URL_REFUSED",
        ),
        (
            stub(rpc).ExchangeContext(
                messages.ExchangeContextRequest(
                    installation_token=forged, session_token="secret", audience="policy"
                )
            ),
            CODE.UNAUTHENTICATED,
            "UNAUTHENTICATED",
        ),
        (
            stub(rpc).CompleteAuthorization(
                messages.CompleteAuthorizationRequest(state="secret", code="secret", cookie_value="secret")
            ),
            CODE.FAILED_PRECONDITION,
            "AUTHORIZATION_REFUSED",
        ),
        (
            stub(rpc, "assignment").GetZendeskAccess(
                messages.GetZendeskAccessRequest(account="accounts/acc-none")
            ),
            CODE.FAILED_PRECONDITION,
            "INSTALLATION_NOT_AUTHORIZED",
        ),
        (
            stub(rpc, "ops").RevokeInstallation(
                messages.RevokeInstallationRequest(account="accounts/acc-none")
            ),
            CODE.NOT_FOUND,
            "NOT_FOUND",
        ),
    ]
    for call, code, reason in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert (caught.value.code(), reason_of(caught.value)) == (code, reason)
        said = f"{caught.value.details()} {caught.value.trailing_metadata()}"
        assert "secret" not in said
        assert forged[:20] not in said


async def test_the_key_set_holds_public_keys_alone(rpc: Rpc) -> None:
    answer = await stub(rpc, "policy").GetKeySet(messages.GetKeySetRequest())

    assert {key.kind for key in answer.keys} == {
        resources.TOKEN_KIND_INSTALLATION,
        resources.TOKEN_KIND_CONTEXT,
    }
    assert not any('"d"' in key.jwk_json for key in answer.keys)


async def test_the_audit_is_paged_and_tells_no_contact(house: House, rpc: Rpc) -> None:
    done = await house.authorized()
    parent, seen, token = account_name(done.account), [], ""
    while True:
        page = await stub(rpc, "ops").ListAuditEvents(
            messages.ListAuditEventsRequest(parent=parent, page_size=3, page_token=token)
        )
        seen += list(page.audit_events)
        token = page.next_page_token
        if not token:
            break

    assert [event.sequence for event in seen] == list(range(1, len(await house.audit(done.account)) + 1))
    assert "Ada" not in str(seen)


async def test_keys_are_rotated_and_revoked_and_the_feed_says_so(house: House, rpc: Rpc) -> None:
    await house.keep_keys.keep()
    watch = asyncio.create_task(house.watch.run())
    call = stub(rpc, "policy").WatchRevocations(messages.WatchRevocationsRequest())
    try:
        async with asyncio.timeout(10):
            while not (await call.read()).snapshot_end:
                pass
        house.clock.advance(timedelta(days=2))
        old = house.keys.signers["context"].kid
        request = messages.RotateSigningKeyRequest(kind=resources.TOKEN_KIND_CONTEXT)
        rotated = await stub(rpc, "ops").RotateSigningKey(request)
        await stub(rpc, "ops").RevokeSigningKey(messages.RevokeSigningKeyRequest(key_id=old))
        said: list[messages.WatchRevocationsResponse] = []
        async with asyncio.timeout(10):
            while not any(message.distrusted_key for message in said):
                said.append(await call.read())
    finally:
        call.cancel()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)

    assert house.keys.signers["context"].kid == rotated.key_id != old
    assert said[-1].distrusted_key == old
    assert all(message.key_set_changed for message in said)
    answer = await stub(rpc, "policy").GetKeySet(messages.GetKeySetRequest())
    assert not any(old in key.jwk_json for key in answer.keys)
    assert any(rotated.key_id in key.jwk_json for key in answer.keys)


@pytest.mark.parametrize(
    ("request_message", "code", "reason"),
    [
        (messages.RotateSigningKeyRequest(), CODE.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (
            messages.RotateSigningKeyRequest(kind=resources.TOKEN_KIND_SESSION),
            CODE.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        ),
        (messages.RevokeSigningKeyRequest(key_id="ctx-none"), CODE.NOT_FOUND, "NOT_FOUND"),
    ],
)
async def test_keys_that_are_not_there_are_not_rotated(
    rpc: Rpc, request_message: Any, code: grpc.StatusCode, reason: str
) -> None:
    method = type(request_message).__name__.removesuffix("Request")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub(rpc, "ops"), method)(request_message)

    assert (caught.value.code(), reason_of(caught.value)) == (code, reason)


async def test_data_keys_are_rotated_and_an_account_is_shredded(house: House, rpc: Rpc) -> None:
    account = account_name((await house.authorized()).account)
    ops, privacy = stub(rpc, "ops"), stub(rpc, "privacy")

    begun = await ops.RotateDataKeys(messages.RotateDataKeysRequest())
    joined = await ops.RotateDataKeys(messages.RotateDataKeysRequest())
    would = await privacy.ShredAccount(messages.ShredAccountRequest(account=account, validate_only=True))
    done = await privacy.ShredAccount(messages.ShredAccountRequest(account=account))

    assert begun.rotation_id == joined.rotation_id != ""
    assert (would.destroyed, would.HasField("effective_time")) == (2, False)
    assert (done.destroyed, list(done.data_key_ids)) == (2, list(would.data_key_ids))
    assert (done.effective_time.ToDatetime(UTC) - house.clock.now()).total_seconds() == 300
