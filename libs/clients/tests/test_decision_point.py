"""A policy that says nothing any more, over real gRPC: the connection may be dead without a word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from libs.clients.context_tokens import Metadata
from libs.clients.decision_point import POLICY, DecisionPoint
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId
from libs.rpc.peers import PeerTable, rules
from libs.testing.rpc import rpc_harness
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import (
    PolicyServiceServicer,
    add_PolicyServiceServicer_to_server,
)

ACCOUNT = AccountId("acc-1")
PEERS: PeerTable = rules(POLICY, [m.name for m in POLICY.methods], "assignment")


class Policy(PolicyServiceServicer):
    """Answers as many messages as it is told, then is silent; notes how often it was followed and from where."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.followed: list[int] = []
        self.twice = asyncio.Event()

    async def ReadChanges(
        self, request: messages.ReadChangesRequest, context: Any
    ) -> AsyncIterator[messages.ReadChangesResponse]:
        self.followed.append(request.after_revision)
        if len(self.followed) == 2:
            self.twice.set()
        for _ in range(self.answers):
            yield messages.ReadChangesResponse(revision=7, token="zt2.7.x", snapshot=True, complete=True)
        await asyncio.Event().wait()


_Concrete: Any = Policy  # what is not written above answers UNIMPLEMENTED


@contextlib.asynccontextmanager
async def followed(policy: Policy, **patience: Any) -> AsyncIterator[DecisionPoint]:
    def add(server: grpc.aio.Server) -> None:
        add_PolicyServiceServicer_to_server(policy, server)

    async with rpc_harness("policy", PEERS, [POLICY], add, clock=ManualClock()) as rpc:

        async def connect() -> tuple[grpc.aio.Channel, Metadata]:
            return rpc.channel("assignment"), rpc.token(account=ACCOUNT, job="assignment")

        point = DecisionPoint(ACCOUNT, connect, ManualClock(), **patience)
        task = asyncio.create_task(point.follow())
        try:
            yield point
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_that_falls_silent_is_opened_anew() -> None:
    policy = _Concrete(answers=1)
    async with followed(policy, bound_seconds=0.2), asyncio.timeout(10):
        await policy.twice.wait()

    assert policy.followed[:2] == [0, 7]


async def test_a_stream_that_never_begins_is_opened_anew() -> None:
    policy = _Concrete(answers=0)
    async with followed(policy, first_seconds=0.2), asyncio.timeout(10):
        await policy.twice.wait()

    assert policy.followed[:2] == [0, 0]


async def test_the_first_state_may_take_longer_than_the_bound() -> None:
    policy = _Concrete(answers=0)
    async with followed(policy, bound_seconds=0.05, first_seconds=0.5) as point, asyncio.timeout(10):
        began = asyncio.get_running_loop().time()
        await policy.twice.wait()

        assert asyncio.get_running_loop().time() - began >= 0.5
        assert point.snapshot.revision == 0
