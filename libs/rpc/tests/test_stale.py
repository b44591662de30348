"""While nobody can know what was revoked, writes are refused and reads are answered and marked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest

from libs.clients.verifier import ContextKeys
from libs.crypto.keys import KeySet
from libs.crypto.revocations import STALE_SECONDS, Revocations
from libs.crypto.signer import Signer
from libs.crypto.tokens import CONTEXT_TYP
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId
from libs.rpc.channel import build_channel
from libs.rpc.errors import reason_of, retry_delay_seconds
from libs.rpc.server import build_server, listen
from libs.rpc.steps import STALE_KEY
from libs.rpc.tests.probe import MINE, PEERS, PROBE, Probe, Request, calling, refusal
from libs.testing.rpc import ISSUER

REQUEST = Request(parent=MINE)
SIGNER = Signer.generate("ctx-1")
METADATA = tuple[tuple[str, str], ...]


def token(clock: ManualClock) -> METADATA:
    now = int(clock.now().timestamp())
    claims = {
        "iss": ISSUER,
        "aud": "probe",
        "sub": "user:7",
        "role": "admin",
        "tid": "acc-1",
        "ins": "1",
        "gen": 1,
        "peer": "ops",
        "jti": "t",
        "iat": now,
        "exp": now + 60,
    }
    return (("authorization", f"Bearer {SIGNER.sign(claims, CONTEXT_TYP)}"),)


class Served:
    """A server whose feed of revocations the test cuts by letting real time pass."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = ManualClock()
        self.revocations = Revocations(lambda: self.seconds)
        self.channel: grpc.aio.Channel

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async def keys() -> KeySet:
            return KeySet([SIGNER.public_key()])

        async def behaviour(request: object, context: object) -> str:
            return "done"

        verifier = ContextKeys(keys, ISSUER, self.clock, self.revocations)
        server = build_server(service="probe", peers=PEERS, verifier=verifier)
        Probe(behaviour).add(server)
        address = f"127.0.0.1:{listen(server, '127.0.0.1:0', None)}"
        await server.start()
        self.channel = build_channel(address, services=[PROBE])
        try:
            yield
        finally:
            await self.channel.close(None)
            await server.stop(None)

    async def stale(self, name: str) -> bool:
        """Call a method; return whether its answer was marked."""
        call = calling(self.channel, name)(REQUEST, metadata=token(self.clock))
        assert (await call).text == "done"
        return (STALE_KEY, "true") in tuple(await call.trailing_metadata() or ())


async def test_nothing_is_answered_before_the_feed_has_begun() -> None:
    served = Served()
    async with served.running():
        for name in ("Read", "Write"):
            error = await refusal(served.channel, name, REQUEST, metadata=token(served.clock))
            assert (error.code(), reason_of(error)) == (
                grpc.StatusCode.UNAVAILABLE,
                "DEPENDENCY_UNAVAILABLE",
            )
        served.revocations.begin(0)
        assert [await served.stale(name) for name in ("Read", "Write")] == [False, False]


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_cut_feed_refuses_writes_and_marks_reads_until_it_is_back(revoked: bool) -> None:
    served = Served()
    served.revocations.begin(0)
    async with served.running():
        assert not await served.stale("Read")
        served.seconds += STALE_SECONDS + 0.1

        assert await served.stale("Read")
        error = await refusal(served.channel, "Write", REQUEST, metadata=token(served.clock))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert retry_delay_seconds(error) == 1.0

        served.revocations.begin(1)
        if revoked:
            served.revocations.raise_generation(AccountId("acc-1"), 2)
            error = await refusal(served.channel, "Read", REQUEST, metadata=token(served.clock))
            assert reason_of(error) == "UNAUTHENTICATED"
        else:
            assert [await served.stale(name) for name in ("Read", "Write")] == [False, False]


def test_reads_alone_are_answered_while_the_feed_is_cut() -> None:
    found = {name.rpartition("/")[2] for name, rule in PEERS.items() if rule.stale}

    assert found == {"Read", "Stream"}
