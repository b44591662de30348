"""An account behind the whole chain: real TLS, real context tokens."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import grpc

from libs.rpc.errors import field_violations, reason_of
from libs.testing.rpc import Metadata, Rpc, rpc_harness
from services.policy.rpc.peers import PEERS, POLICY
from services.policy.rpc.servicer import PolicyServicer
from services.policy.tests.world import World
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceStub, add_PolicyServiceServicer_to_server

PARENT = "accounts/acc-1"


@dataclass(frozen=True)
class Served:
    """A served account.

    Attributes:
        stub: as the edge has it.
        job: the same as another service has it.
    """

    world: World
    rpc: Rpc
    stub: Any
    job: Any

    def person(self, user: int, role: str, custom_role_id: int | None = None) -> Metadata:
        """Return the metadata of a call that a person makes through the edge."""
        claims: dict[str, Any] = {} if custom_role_id is None else {"custom_role_id": custom_role_id}
        return self.rpc.token(user=user, role=role, **claims)

    def service(self, account: str = "acc-1") -> Metadata:
        """Return the metadata of a call that assignment makes in its own name."""
        return self.rpc.token(account=account, job="assignment")


@contextlib.asynccontextmanager
async def serving(world: World) -> AsyncIterator[Served]:
    """Serve an account."""

    def add(server: grpc.aio.Server) -> None:
        add_PolicyServiceServicer_to_server(PolicyServicer(world.use), server)

    peers = {method: rule for method, rule in PEERS.items() if "PolicyService" in method}
    async with rpc_harness("policy", peers, [POLICY], add, clock=world.clock) as rpc:
        stubs = (PolicyServiceStub(rpc.channel(peer)) for peer in ("edge", "assignment"))
        yield Served(world, rpc, *stubs)


async def code_of(call: Awaitable[Any]) -> str:
    """Return the name of a call's code."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def refusal(call: Awaitable[Any]) -> tuple[str, str, list[str]]:
    """Return code, reason and fields of a call that is refused."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        fields = [violation.field for violation in field_violations(error)]
        return error.code().name, reason_of(error) or "", fields
    raise AssertionError("it was not refused")
