"""Who may come in: the peer by its certificate, the person and the account by the context token."""

from datetime import timedelta
from typing import Any

import grpc
import pytest

from libs.crypto.signer import Signer
from libs.crypto.tokens import INSTALLATION_TYP
from libs.kernel.clock import ManualClock
from libs.kernel.errors import NotFoundError
from libs.rpc.backends import Backend
from libs.rpc.errors import reason_of
from libs.rpc.identity import Caller, current_caller
from libs.rpc.peers import check_complete, rules
from libs.rpc.server import build_server, listen
from libs.rpc.tests import probe
from libs.rpc.tests.probe import MINE, PEERS, PROBE, Probe, Request, Serve, ask, method, refusal
from libs.testing.rpc import Metadata, Rpc, rpc_harness

REQUEST = Request(parent=MINE)


async def who(request: Any, context: Any) -> str:
    caller = current_caller()
    return f"{caller.peer}|{caller.account}|{caller.installation}|{caller.user}|{caller.role}|{caller.custom_role_id}"


async def test_a_handler_sees_who_calls(serve: Serve) -> None:
    async with serve(who) as rpc:
        user = rpc.token(user=7, role="agent", ins="55", custom_role_id=9)
        [person] = await ask(rpc.channel(), "Read", REQUEST, metadata=user)
        [job] = await ask(rpc.channel("policy"), "Put", REQUEST, metadata=rpc.token(job="policy"))

    assert person == "edge|acc-1|55|7|agent|9"
    assert job == "policy|acc-1|1|None|None|None"


async def test_a_method_without_tokens_knows_the_peer_alone() -> None:
    async with probe.serve(who) as rpc:
        [nobody] = await ask(rpc.channel(), "Open", REQUEST)

    assert nobody == "edge|None|None|None|None|None"


async def test_a_token_counts_on_the_connection_of_its_peer_only() -> None:
    async with probe.serve(who) as rpc:
        error = await refusal(rpc.channel(), "Read", REQUEST, metadata=rpc.token(peer="policy"))

    assert reason_of(error) == "UNAUTHENTICATED"
    assert error.details() == "the token is not valid"


def _bad_tokens(rpc: Rpc) -> dict[str, Metadata]:
    [(key, good)] = rpc.token()
    stranger = Signer.generate("ctx-1").sign({"sub": "user:7"}, "zctx+jwt")
    other_kind = rpc.signer.sign({"sub": "user:7"}, INSTALLATION_TYP)
    return {
        "none": (),
        "no scheme": ((key, good.removeprefix("Bearer ")),),
        "another scheme": ((key, good.replace("Bearer", "Basic")),),
        "two": ((key, good), (key, good)),
        "nothing in it": ((key, "Bearer "),),
        "not a token": ((key, "Bearer abc"),),
        "tampered": ((key, good[:-4] + "AAAA"),),
        "signed by a stranger": ((key, f"Bearer {stranger}"),),
        "of another kind": ((key, f"Bearer {other_kind}"),),
        "for another service": rpc.token(aud="policy"),
        "of another issuer": rpc.token(iss="https://evil.example"),
        "without an account": rpc.token(tid=""),
        "living too long": rpc.token(exp=2**40),
        "acting as root": rpc.token(sub="root"),
    }


async def test_a_token_that_is_not_right_tells_the_caller_nothing(serve: Serve) -> None:
    async with serve(who) as rpc:
        for case, metadata in _bad_tokens(rpc).items():
            error = await refusal(rpc.channel(), "Read", REQUEST, metadata=metadata)
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED, case
            assert reason_of(error) == "UNAUTHENTICATED", case
            assert error.details() in {
                "the token is not valid",
                "exactly one `authorization: Bearer` context token is needed",
            }, case


async def test_a_token_ends_after_a_minute_and_the_leeway(serve: Serve) -> None:
    clock = ManualClock()
    async with serve(who, clock=clock) as rpc:
        token = rpc.token()
        early = await ask(rpc.channel(), "Read", REQUEST, metadata=token)
        clock.advance(timedelta(seconds=90))
        late = await refusal(rpc.channel(), "Read", REQUEST, metadata=token)

    assert len(early) == 1
    assert reason_of(late) == "UNAUTHENTICATED"


async def test_a_peer_without_a_rule_is_refused_before_anything_is_looked_up(serve: Serve) -> None:
    looked_up: list[object] = []

    async def behave(request: Any, context: Any) -> str:
        looked_up.append(request)
        raise NotFoundError("there is no such thing")

    async with serve(behave) as rpc:
        stranger = await refusal(
            rpc.channel("assignment"), "Read", REQUEST, metadata=rpc.token(peer="assignment")
        )
        other_method = await refusal(rpc.channel("edge"), "Put", REQUEST, metadata=rpc.token())
        person = await refusal(
            rpc.channel("policy"), "Put", REQUEST, metadata=rpc.token(user=7, peer="policy")
        )
        assert looked_up == []
        allowed = await refusal(rpc.channel("edge"), "Read", REQUEST, metadata=rpc.token())

    assert [reason_of(e) for e in (stranger, other_method, person)] == ["PERMISSION_DENIED"] * 3
    assert stranger.details() == other_method.details() == "this peer may not call this method"
    assert person.details() == "only services may call this method"
    assert reason_of(allowed) == "NOT_FOUND"


async def test_a_method_without_an_entry_is_closed(backend: Backend) -> None:
    server = build_server(service="probe", peers={}, verifier=None, backend=backend)
    Probe(who).add(server)
    port = listen(server, "127.0.0.1:0", None)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            error = await refusal(channel, "Write", REQUEST)
    finally:
        await server.stop(None)

    assert reason_of(error) == "PERMISSION_DENIED"


async def test_without_keys_tokens_are_refused_not_trusted(backend: Backend) -> None:
    start = rpc_harness(
        "probe", PEERS, [PROBE], Probe(who).add, verifies_context=False, tls=False, backend=backend
    )
    async with start as rpc:
        error = await refusal(rpc.channel(), "Read", REQUEST, metadata=rpc.token())

    assert reason_of(error) == "UNAUTHENTICATED"


def test_a_peer_table_must_be_complete_and_no_more() -> None:
    some = rules(PROBE, ["Read", "Nothing"], "edge")

    sentences = check_complete(some, [PROBE])

    assert f"`{method('Put')}` has no entry in the peer table" in sentences
    assert f"`{method('Nothing')}` is in the peer table but not in a proto" in sentences
    assert check_complete(PEERS, [PROBE]) == []


@pytest.mark.parametrize("subject", ["", "service:policy"])
def test_only_people_are_users(subject: str) -> None:
    assert Caller("edge", subject=subject).user is None
    assert Caller("edge", subject="user:12", role="agent").user == 12
    assert not Caller("edge", subject="user:12", role="agent").is_admin
