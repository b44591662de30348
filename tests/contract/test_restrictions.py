"""What privacy forbids binds the routing: assignment's client against privacy's own servicer, behind the real chain."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens, Metadata
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, account_name
from libs.rpc.pages import PageTokens
from libs.testing.rpc import Rpc, rpc_harness
from services.assignment.adapters.privacy import AT_ONCE, PrivacyClient
from services.assignment.settings import AssignmentSettings
from services.privacy.rpc.peers import PEERS, PRIVACY
from services.privacy.rpc.servicer import PrivacyServicer
from services.privacy.tests.house import House
from setlist.privacy.v1 import participant_service_pb2 as participant
from setlist.privacy.v1 import privacy_service_pb2 as messages
from setlist.privacy.v1.privacy_service_pb2_grpc import (
    PrivacyServiceStub,
    add_PrivacyServiceServicer_to_server,
)

ACCOUNT, OTHER = AccountId("acc-1"), AccountId("acc-2")
BASIC = participant.PROCESSING_PURPOSE_ASSIGN_BASIC
SCORING = participant.PROCESSING_PURPOSE_SKILL_SCORING
AFFINITY = participant.PROCESSING_PURPOSE_SAME_AGENT_AFFINITY


class Tokens(ContextTokens):
    """Tokens of the harness's issuer instead of auth's."""

    def __init__(self, rpc: Rpc, channels: Channels) -> None:
        super().__init__(channels, "assignment", ManualClock())
        self._rpc = rpc

    async def job(self, account: AccountId, audience: str) -> Metadata:
        assert audience == "privacy"
        return self._rpc.token(account, job="assignment")


@pytest_asyncio.fixture
async def rpc() -> AsyncIterator[Rpc]:
    house = House()

    def add(server: grpc.aio.Server) -> None:
        add_PrivacyServiceServicer_to_server(PrivacyServicer(house.use, PageTokens(b"key")), server)

    async with rpc_harness("privacy", PEERS, [PRIVACY], add) as harness:
        yield harness


@pytest_asyncio.fixture
async def client(rpc: Rpc) -> AsyncIterator[PrivacyClient]:
    channels = Channels(AssignmentSettings(privacy_address=rpc.address), rpc.files("assignment"))
    yield PrivacyClient(channels, Tokens(rpc, channels))
    await channels.close()


async def restrict(
    rpc: Rpc, user: int, purpose: participant.ProcessingPurpose.ValueType, *, restricted: bool = True
) -> int:
    """Set a restriction as the edge does; return the register's revision."""
    who = participant.SubjectIdentity(type=participant.SubjectIdentity.TYPE_ZENDESK_USER_ID, value=str(user))
    answer = await PrivacyServiceStub(rpc.channel()).SetRestriction(
        messages.SetRestrictionRequest(
            parent=account_name(ACCOUNT), subject=who, purposes=[purpose], restricted=restricted
        ),
        metadata=rpc.token(user=2000),
    )
    return answer.revision


async def test_restrictions_of_agents_come_by_purpose_with_their_revision(
    rpc: Rpc, client: PrivacyClient
) -> None:
    await restrict(rpc, 1, BASIC)
    await restrict(rpc, 2, SCORING)
    revision = await restrict(rpc, 3, AFFINITY)

    assert await client.agents(ACCOUNT, [1, 2, 3, 4]) == (revision, {1}, {2})
    assert await client.agents(OTHER, [1, 2, 3, 4]) == (0, set(), set())
    lifted = await restrict(rpc, 1, BASIC, restricted=False)
    assert await client.agents(ACCOUNT, [1, 2]) == (lifted, set(), {2})


async def test_a_large_account_is_asked_in_parts(rpc: Rpc, client: PrivacyClient) -> None:
    await restrict(rpc, 1, BASIC)
    await restrict(rpc, AT_ONCE + 5, BASIC)

    _, basic, _ = await client.agents(ACCOUNT, range(1, AT_ONCE + 10))

    assert basic == {1, AT_ONCE + 5}


async def test_affinity_is_a_requester_s_own_to_forbid(rpc: Rpc, client: PrivacyClient) -> None:
    await restrict(rpc, 900, AFFINITY)

    assert not await client.may_have_affinity(ACCOUNT, 900)
    assert await client.may_have_affinity(ACCOUNT, 901)
    assert await client.may_have_affinity(OTHER, 900)


async def test_a_privacy_that_is_not_there_is_told_as_a_failure(rpc: Rpc) -> None:
    channels = Channels(AssignmentSettings(privacy_address=None), rpc.files("assignment"))

    with pytest.raises(Exception, match="the address of `privacy` is not set"):
        await PrivacyClient(channels, Tokens(rpc, channels)).may_have_affinity(ACCOUNT, 900)
