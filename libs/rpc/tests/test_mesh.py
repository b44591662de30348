"""Plain text behind a mesh: the peer is the one that auth signed for, and who cannot prove a peer stays out."""

from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from libs.rpc.backends import Backend
from libs.rpc.errors import reason_of
from libs.rpc.identity import current_caller
from libs.rpc.peers import rules
from libs.rpc.server import OpenPlaintextError, PortTakenError, build_server, listen
from libs.rpc.tests.probe import EACH_KIND, MINE, PEERS, PROBE, Probe, Request, ask, refusal
from libs.testing.rpc import rpc_harness

REQUEST = Request(parent=MINE)


async def who(request: Any, context: Any) -> str:
    caller = current_caller()
    return f"{caller.peer}|{caller.account}|{caller.user}"


def behind_mesh(backend: Backend, peers: Any = PEERS) -> Any:
    return rpc_harness("probe", peers, [PROBE], Probe(who).add, tls=False, behind_mesh=True, backend=backend)


@pytest.mark.parametrize("name", EACH_KIND)
async def test_the_peer_is_the_one_that_the_token_was_signed_for(backend: Backend, name: str) -> None:
    async with behind_mesh(backend) as rpc:
        answers = await ask(rpc.channel(), name, REQUEST, metadata=rpc.token(user=7, peer="policy"))

    assert set(answers) == {"policy|acc-1|7"}


@pytest.mark.parametrize("name", EACH_KIND)
async def test_a_peer_outside_the_methods_row_stays_out(backend: Backend, name: str) -> None:
    async with behind_mesh(backend) as rpc:
        stranger = await refusal(rpc.channel(), name, REQUEST, metadata=rpc.token(peer="privacy"))
        longer = await refusal(rpc.channel(), name, REQUEST, metadata=rpc.token(peer="edge2"))

    for error in (stranger, longer):
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert error.details() == "this peer may not call this method"


async def test_where_no_token_is_taken_no_peer_is_proven_and_nobody_comes_in(backend: Backend) -> None:
    """Not even with a token: a method that does not read it must not be opened by it."""
    async with behind_mesh(backend) as rpc:
        errors = [
            await refusal(rpc.channel(), "Open", REQUEST),
            await refusal(rpc.channel(), "Open", REQUEST, metadata=rpc.token(peer="ops")),
        ]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _reflect(rpc.channel("ops"))

    assert [e.code() for e in (*errors, caught.value)] == [grpc.StatusCode.PERMISSION_DENIED] * 3


async def _reflect(channel: grpc.aio.Channel) -> set[str]:
    make: Any = reflection_pb2_grpc.ServerReflectionStub  # its stubs know no asyncio
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = [a async for a in make(channel).ServerReflectionInfo(iter([request]))]
    return {s.name for a in answers for s in a.list_services_response.service}


SAID_BY_ANYBODY = (
    (
        "x-forwarded-client-cert",
        "By=spiffe://setlist.local/ns/setlist/sa/probe;URI=spiffe://setlist.local/ns/setlist/sa/ops",
    ),
    ("l5d-client-id", "ops.setlist.serviceaccount.identity.linkerd.cluster.local"),
    ("x-forwarded-for", "127.0.0.1"),
)


async def test_headers_and_addresses_name_no_peer(backend: Backend) -> None:
    """The call comes from loopback and says that it is `ops`; it is nobody all the same."""
    only_ops = {**PEERS, **rules(PROBE, ["Read"], "ops")}
    async with behind_mesh(backend, only_ops) as rpc:
        bare = await refusal(rpc.channel("ops"), "Read", REQUEST, metadata=SAID_BY_ANYBODY)
        signed = await refusal(rpc.channel("ops"), "Read", REQUEST, metadata=(*rpc.token(), *SAID_BY_ANYBODY))

    assert reason_of(bare) == "UNAUTHENTICATED"
    assert reason_of(signed) == "PERMISSION_DENIED"


async def test_a_certificate_counts_more_than_the_mesh() -> None:
    """The setting is the suite's: a service that ends TLS itself still knows its peers by their certificates."""
    async with rpc_harness("probe", PEERS, [PROBE], Probe(who).add, behind_mesh=True) as rpc:
        stranger = await refusal(rpc.channel("privacy"), "Read", REQUEST, metadata=rpc.token())
        borrowed = await refusal(rpc.channel("edge"), "Read", REQUEST, metadata=rpc.token(peer="policy"))
        assert await ask(rpc.channel("edge"), "Open", REQUEST) == ["edge|None|None"]

    assert [reason_of(e) for e in (stranger, borrowed)] == ["PERMISSION_DENIED", "UNAUTHENTICATED"]


async def test_without_a_mesh_plain_text_is_for_operators_of_this_machine(backend: Backend) -> None:
    async with rpc_harness("probe", PEERS, [PROBE], Probe(who).add, tls=False, backend=backend) as rpc:
        assert await ask(rpc.channel(), "Open", REQUEST) == ["ops|None|None"]
        assert PROBE.full_name in await _reflect(rpc.channel())


def _server(backend: Backend) -> grpc.aio.Server:
    return build_server(service="probe", peers={}, verifier=None, backend=backend)


@pytest.mark.parametrize(
    "address", ["0.0.0.0:0", "[::]:0", "10.0.0.7:0", "example.com:0", ":0", "[::ffff:1.2.3.4]:0"]
)
async def test_plain_text_is_not_opened_to_strangers_unless_somebody_says_so(
    backend: Backend, address: str
) -> None:
    with pytest.raises(OpenPlaintextError, match="set SETLIST_RPC_PLAINTEXT_BEHIND_MESH=true"):
        listen(_server(backend), address, None)


async def test_behind_a_mesh_every_address_may_be_served(backend: Backend) -> None:
    server = _server(backend)
    assert listen(server, "0.0.0.0:0", None, open_plaintext=True) > 0
    await server.stop(None)


@pytest.mark.parametrize("second", list(Backend))
async def test_a_taken_port_is_named(backend: Backend, second: Backend) -> None:
    """Neither backend shares its port with another process by mistake."""
    holds, comes = _server(backend), _server(second)
    port = listen(holds, "127.0.0.1:0", None)
    try:
        with pytest.raises(PortTakenError, match=f"cannot listen on 127.0.0.1:{port}: the port is taken"):
            listen(comes, f"127.0.0.1:{port}", None)
    finally:
        await holds.stop(None)
        await comes.stop(None)
