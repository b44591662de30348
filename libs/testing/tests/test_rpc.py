"""The harness serves behind the whole chain, and stops what it started."""

import socket
from datetime import timedelta
from typing import Any

import grpc
import pytest

from libs.kernel.clock import ManualClock
from libs.rpc.errors import reason_of
from libs.rpc.identity import current_caller
from libs.rpc.peers import PeerTable, rules
from libs.testing.rpc import rpc_harness
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import (
    PolicyServiceServicer,
    PolicyServiceStub,
    add_PolicyServiceServicer_to_server,
)

POLICY = messages.DESCRIPTOR.services_by_name["PolicyService"]
PEERS: PeerTable = rules(POLICY, [m.name for m in POLICY.methods], "edge", "assignment", "ops")
REQUEST = messages.ListObjectTypesRequest(parent="accounts/acc-1")


class WhoCalls(PolicyServiceServicer):
    """Answers who the caller is, in the page token."""

    async def ListObjectTypes(
        self, request: messages.ListObjectTypesRequest, context: Any
    ) -> messages.ListObjectTypesResponse:
        who = current_caller()
        return messages.ListObjectTypesResponse(
            next_page_token=f"{who.peer} {who.account} {who.subject} {who.role}"
        )


def add(server: grpc.aio.Server) -> None:
    servicer: Any = WhoCalls  # its other methods answer UNIMPLEMENTED
    add_PolicyServiceServicer_to_server(servicer(), server)


async def test_a_person_calls_through_the_edge_and_a_service_in_its_own_name() -> None:
    async with rpc_harness("policy", PEERS, [POLICY], add) as rpc:
        edge, assignment = PolicyServiceStub(rpc.channel()), PolicyServiceStub(rpc.channel("assignment"))

        person = await edge.ListObjectTypes(REQUEST, metadata=rpc.token(user=7, role="agent"))
        job = await assignment.ListObjectTypes(REQUEST, metadata=rpc.token(job="assignment"))

    assert person.next_page_token == "edge acc-1 user:7 agent"
    assert job.next_page_token == "assignment acc-1 service:assignment None"


async def test_what_a_cluster_refuses_is_refused() -> None:
    clock = ManualClock()
    async with rpc_harness("policy", PEERS, [POLICY], add, clock=clock) as rpc:
        cases = {
            "a stranger": (rpc.channel("privacy"), rpc.token(peer="privacy"), "PERMISSION_DENIED"),
            "nobody": (rpc.channel(), (), "UNAUTHENTICATED"),
            "an old token": (rpc.channel(), rpc.token(), "UNAUTHENTICATED"),
        }
        clock.advance(timedelta(seconds=91))
        cases["another tenant"] = (rpc.channel(), rpc.token(account="acc-2"), "PERMISSION_DENIED")
        for case, (channel, metadata, reason) in cases.items():
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await PolicyServiceStub(channel).ListObjectTypes(REQUEST, metadata=metadata)
            assert reason_of(caught.value) == reason, case


async def test_in_plain_text_every_caller_is_an_operator() -> None:
    async with rpc_harness("policy", PEERS, [POLICY], add, tls=False) as rpc:
        answer = await PolicyServiceStub(rpc.channel()).ListObjectTypes(REQUEST, metadata=rpc.token(user=7))

    assert answer.next_page_token == "ops acc-1 user:7 admin"


async def test_nobody_listens_afterwards() -> None:
    async with rpc_harness("policy", PEERS, [POLICY], add) as rpc:
        host, port = rpc.address.split(":")
        socket.create_connection((host, int(port)), timeout=5).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


async def test_a_method_without_a_rule_is_refused_before_the_start() -> None:
    some = rules(POLICY, ["ListObjectTypes"], "edge")

    with pytest.raises(ValueError, match=r"PolicyService/GetObjectType` has no entry"):
        async with rpc_harness("policy", some, [POLICY], add):
            pytest.fail("it started")
