"""The participant contract as privacy calls it: over mTLS, with a token the peers accept, and what its errors mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.clients.channels import Channels
from libs.clients.context_tokens import AUTH, ContextTokens
from libs.kernel.clock import ManualClock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId, UserId, account_name
from libs.participant.data_map import Column, DataMap, Strategy
from libs.participant.servicer import METHODS, SERVICE, ParticipantServicer
from libs.participant.sql import StaleAttemptError
from libs.participant.subjects import Count, Record
from libs.rpc.identity import current_caller
from libs.rpc.peers import PeerTable, rules
from libs.settings.service import ServiceSettings
from libs.testing.rpc import Rpc, rpc_harness
from services.privacy.adapters.participants import GrpcParticipants
from services.privacy.app.ports import ParticipantMissingError, StepRefusedError
from services.privacy.domain.identity import Identity
from setlist.auth.v1 import auth_service_pb2 as auth
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from setlist.privacy.v1.participant_service_pb2_grpc import add_ParticipantServiceServicer_to_server

ACCOUNT = AccountId("acc-1")
WHO: list[Identity] = [("zendesk_user_id", "7"), ("email", "cy@example.com")]
MAP = DataMap("assignment", (Column("tickets", "requester_id", Strategy.PSEUDONYMISE, "who asks"),))
PEERS: PeerTable = {
    **rules(SERVICE, METHODS, "privacy", users=False),
    **rules(AUTH, [m.name for m in AUTH.methods], "privacy", context=False),
}
"""The participant's rule as assignment and policy have it."""


class Rows:
    """Implements `Subjects`: rows per person."""

    def __init__(self) -> None:
        self.rows = {UserId(7): 3}
        self.trouble: Exception | None = None
        self.callers: set[str] = set()

    async def preview(self, account: AccountId, user: UserId) -> Sequence[Count]:
        self.callers.add(f"{current_caller().peer} {current_caller().subject} {account}")
        if self.trouble is not None:
            raise self.trouble
        return [Count("tickets", "requester_id", pseudonymised=self.rows.get(user, 0))]

    async def erase(
        self, account: AccountId, user: UserId, request: str, node: str, attempt: int
    ) -> Sequence[Count]:
        if attempt == 1:
            raise StaleAttemptError("a newer run of this step was seen")
        return [Count("tickets", "requester_id", pseudonymised=self.rows.pop(user, 0))]

    async def search(self, account: AccountId, user: UserId) -> Mapping[tuple[str, str], int]:
        return {("tickets", "requester_id"): self.rows.get(user, 0)}

    async def export(self, account: AccountId, user: UserId) -> AsyncIterator[Record]:
        for _ in range(self.rows.get(user, 0)):
            yield Record("tickets", {})


class Tokens(AuthServiceServicer):
    """Gives the tokens that auth gives to a job."""

    rpc: Rpc

    async def ExchangeContext(
        self, request: auth.ExchangeContextRequest, context: Any
    ) -> auth.ExchangeContextResponse:
        account = request.account.rpartition("/")[2]
        metadata = self.rpc.token(account=account, job=request.job, aud=request.audience)
        return auth.ExchangeContextResponse(
            context_token=metadata[0][1].removeprefix("Bearer "), account=account_name(account)
        )


class Place:
    """The adapter with what is around it."""

    def __init__(self, rpc: Rpc, rows: Rows, clock: ManualClock) -> None:
        settings = ServiceSettings(auth_address=rpc.address, assignment_address=rpc.address)
        self.channels = Channels(settings, rpc.files("privacy"))
        self.participants = GrpcParticipants(self.channels, ContextTokens(self.channels, "privacy", clock))
        self.rows = rows


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    rows, clock = Rows(), ManualClock()
    tokens = Tokens()  # type: ignore[abstract]  # of auth, a job asks for nothing else

    def add(server: grpc.aio.Server) -> None:
        add_ParticipantServiceServicer_to_server(ParticipantServicer(MAP, rows), server)
        add_AuthServiceServicer_to_server(tokens, server)

    async with rpc_harness("assignment", PEERS, [SERVICE, AUTH], add, clock=clock) as rpc:
        tokens.rpc = rpc
        made = Place(rpc, rows, clock)
        yield made
        await made.channels.close()


async def test_a_person_is_previewed_erased_and_searched(place: Place) -> None:
    participants = place.participants

    assert await participants.resolve("assignment", ACCOUNT, WHO) == []
    counts, plan_hash = await participants.preview("assignment", ACCOUNT, WHO)
    assert [(c["table"], c["pseudonymised"]) for c in counts] == [("tickets", 3)]
    assert len(plan_hash) == 64
    assert [f["result"] for f in await participants.verify("assignment", ACCOUNT, WHO)] == ["present"]

    erased, data_map = await participants.erase("assignment", ACCOUNT, WHO, "req-1", "erase/assignment", 2)

    assert (erased[0]["pseudonymised"], data_map) == (3, MAP.hash)
    findings = await participants.verify("assignment", ACCOUNT, WHO)
    assert findings == [{"table": "tickets", "column": "requester_id", "result": "absent", "rows": 0}]
    assert place.rows.callers == {"privacy service:privacy acc-1"}


async def test_auth_is_asked_by_the_certificate_alone(place: Place) -> None:
    with pytest.raises(ParticipantMissingError, match="auth: UNAUTHENTICATED"):
        await place.participants.preview("auth", ACCOUNT, WHO)  # this server demands a token, auth does not


async def test_an_older_run_is_fenced_and_may_be_tried_anew(place: Place) -> None:
    with pytest.raises(ParticipantMissingError, match="assignment: CONCURRENT_CHANGE"):
        await place.participants.erase("assignment", ACCOUNT, WHO, "req-1", "erase/assignment", 1)


async def test_what_another_try_will_not_change_is_a_refusal(place: Place) -> None:
    place.rows.trouble = RuntimeError("a fault")
    with pytest.raises(StepRefusedError, match="PARTICIPANT_REFUSED: assignment: INTERNAL"):
        await place.participants.preview("assignment", ACCOUNT, WHO)


async def test_no_answer_is_waited_for(place: Place) -> None:
    place.rows.trouble = DependencyUnavailableError("the database does not answer")
    with pytest.raises(ParticipantMissingError, match="assignment: DEPENDENCY_UNAVAILABLE"):
        await place.participants.preview("assignment", ACCOUNT, WHO)
    with pytest.raises(ParticipantMissingError, match="policy: DEPENDENCY_UNAVAILABLE"):
        await place.participants.preview("policy", ACCOUNT, WHO)
