"""How often a peer and an account may call, wrong secrets, and the count of refusals."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId, account_name
from libs.rpc.errors import reason_of
from libs.testing.rpc import Rpc, rpc_harness
from services.auth.app import tally as tallies
from services.auth.app.audit_chain import verify_rows
from services.auth.app.secrets_of import new_secret
from services.auth.app.tally import Occurrence, Tally
from services.auth.domain.limits import Buckets
from services.auth.domain.revocation import PLATFORM
from services.auth.rpc.guard import FAILURES_PER_MINUTE, Guard, guarded
from services.auth.rpc.peers import AUTH, PEERS
from services.auth.rpc.servicer import AuthServicer
from services.auth.tests.house import ADMIN, House
from services.auth.tests.served import use_cases
from setlist.auth.v1 import auth_resources_pb2 as resources
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceStub, add_AuthServiceServicer_to_server

AUTH_PEERS = {name: rule for name, rule in PEERS.items() if name.startswith(f"/{AUTH.full_name}/")}


def test_a_bucket_empties_and_fills() -> None:
    buckets = Buckets(2.0, 3)

    assert [buckets.take("a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.empty("a", 0.4)
    assert not buckets.empty("a", 0.5)
    assert buckets.take("a", 0.5) == 0.0
    assert [buckets.take("a", 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.take("a", 99.0) == 0.5  # a clock that goes back gives nothing


def test_strangers_cannot_fill_the_memory_with_keys() -> None:
    buckets = Buckets(1.0, 1, maximum_keys=10)

    for number in range(1000):
        buckets.take(number, 0.0)

    assert len(buckets._buckets) == 10


def test_a_bucket_that_never_fills_is_refused() -> None:
    with pytest.raises(ValueError, match="lets nobody through"):
        Buckets(0, 1)


@pytest.fixture
def tally(house: House) -> Tally:
    return Tally(house.store, house.clock)


@pytest_asyncio.fixture
async def rpc(house: House, tally: Tally) -> AsyncIterator[Rpc]:
    """A peer may call 100 times in a burst, for one account 40 times, and nothing comes back soon."""
    guard = Guard(tally, peer_per_second=50, account_per_second=20)
    for buckets in (guard._peers, guard._accounts):
        buckets._rate = 0.001

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(guarded(AuthServicer(use_cases(house)), guard), server)

    async with rpc_harness("auth", AUTH_PEERS, [AUTH], add, verifies_context=False) as running:
        yield running


def stub(rpc: Rpc, peer: str = "edge") -> Any:
    return AuthServiceStub(rpc.channel(peer))


async def ended(call: Any) -> str:
    """Return `OK` or the reason of the refusal."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error) or error.code().name
    return "OK"


async def test_a_list_by_state_names_no_secret(house: House, rpc: Rpc) -> None:
    done = await house.authorized()
    stub: Any = AuthServiceStub(rpc.channel("ops"))

    for state, found in (
        (resources.Installation.STATE_AUTHORIZED, [done.subdomain]),
        (resources.Installation.STATE_NEEDS_REAUTHORIZATION, []),
    ):
        listed = await stub.ListInstallations(messages.ListInstallationsRequest(state=state))
        assert [one.subdomain for one in listed.installations] == found


async def test_an_account_that_is_asked_for_too_often_stops_no_other(house: House, rpc: Rpc) -> None:
    first = account_name((await house.authorized()).account)
    other = account_name((await house.authorized(subdomain="globex")).account)
    ask = stub(rpc, "assignment").GetZendeskAccess

    outcomes = [await ended(ask(messages.GetZendeskAccessRequest(account=first))) for _ in range(41)]

    assert outcomes == ["OK"] * 40 + ["OVERLOADED"]
    assert await ended(ask(messages.GetZendeskAccessRequest(account=other))) == "OK"
    assert (
        await ended(stub(rpc, "privacy").GetZendeskAccess(messages.GetZendeskAccessRequest(account=first)))
        == "OK"
    )


async def test_a_peer_that_calls_too_often_stops_no_other(rpc: Rpc) -> None:
    ask = messages.GetKeySetRequest()

    outcomes = [await ended(stub(rpc, "policy").GetKeySet(ask)) for _ in range(101)]

    assert outcomes == ["OK"] * 100 + ["OVERLOADED"]
    assert await ended(stub(rpc, "edge").GetKeySet(ask)) == "OK"


async def test_wrong_secrets_of_an_account_are_limited_and_lock_out_nobody_who_is_in(
    house: House, rpc: Rpc
) -> None:
    opened = await house.enter(ADMIN)
    account, begin = opened.installation.account, stub(rpc).BeginAuthorization
    assert await ended(begin(messages.BeginAuthorizationRequest(session_token=opened.token))) == "OK"

    async def guess() -> str:
        return await ended(begin(messages.BeginAuthorizationRequest(session_token=new_secret(account))))

    outcomes = [await guess() for _ in range(FAILURES_PER_MINUTE + 3)]

    assert outcomes == ["UNAUTHENTICATED"] * FAILURES_PER_MINUTE + ["OVERLOADED"] * 3
    assert await ended(begin(messages.BeginAuthorizationRequest(session_token=opened.token))) == "OK"
    neighbour = new_secret(AccountId("acc-other"))
    assert (
        await ended(begin(messages.BeginAuthorizationRequest(session_token=neighbour))) == "UNAUTHENTICATED"
    )


async def test_refusals_are_counted_in_the_accounts_chain_without_any_token(
    house: House, rpc: Rpc, tally: Tally
) -> None:
    account = (await house.enter(ADMIN)).installation.account
    secrets = [new_secret(account) for _ in range(3)]
    for secret in secrets:
        await ended(stub(rpc).BeginAuthorization(messages.BeginAuthorizationRequest(session_token=secret)))
        await ended(stub(rpc).StartAuthorization(messages.StartAuthorizationRequest(ticket=secret)))
    await ended(
        stub(rpc).OpenSession(messages.OpenSessionRequest(signed_url_token="x.y.z", origin="https://a"))
    )
    made_up = new_secret(AccountId("acc-made-up"))
    await ended(stub(rpc).BeginAuthorization(messages.BeginAuthorizationRequest(session_token=made_up)))

    await tally.write()
    await tally.write()

    rows = [row for row in await house.audit(account) if row.action == "refused"]
    assert [(row.actor, row.outcome, row.facts["method"], row.facts["count"]) for row in rows] == [
        ("service:edge", "UNAUTHENTICATED", "BeginAuthorization", "3"),
        ("service:edge", "AUTHORIZATION_REFUSED", "StartAuthorization", "3"),
    ]
    platform = await house.audit(PLATFORM)
    assert {(row.outcome, row.facts["method"]) for row in platform} == {
        ("SIGNED_URL_REFUSED", "OpenSession"),
        ("UNAUTHENTICATED", "BeginAuthorization"),
    }
    assert await house.audit(AccountId("acc-made-up")) == []
    assert not any(secret in str(rows) for secret in secrets)
    verify_rows(account, await house.audit(account))


async def test_what_was_handed_out_is_counted(house: House, rpc: Rpc, tally: Tally) -> None:
    account = (await house.authorized()).account
    for _ in range(5):
        await stub(rpc, "assignment").GetZendeskAccess(
            messages.GetZendeskAccessRequest(account=account_name(account))
        )

    await tally.write()

    assert [
        (row.actor, dict(row.facts))
        for row in await house.audit(account)
        if row.action == "zendesk_access.handed_out"
    ] == [("service:assignment", {"count": "5"})]


async def test_counts_survive_an_absent_database_and_their_kinds_are_bounded(
    house: House, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "MAXIMUM_KINDS", 2)
    for number in range(5):
        tally.note(Occurrence(None, "edge", "refused", f"REASON_{number}", "OpenSession"))
    house.memory.away = 1
    with pytest.raises(DependencyUnavailableError):
        await tally.write()

    await tally.write()

    assert [(row.outcome, row.facts["count"]) for row in await house.audit(PLATFORM)] == [
        ("REASON_0", "1"),
        ("REASON_1", "1"),
        ("others", "3"),
    ]
