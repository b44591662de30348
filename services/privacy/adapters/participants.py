"""The other services through the participant contract."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens, Metadata
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId, account_name
from libs.rpc.errors import reason_of
from services.privacy.app.ports import Counts, ParticipantMissingError, StepRefusedError
from services.privacy.domain.identity import Identity
from setlist.privacy.v1 import participant_service_pb2 as messages
from setlist.privacy.v1.participant_service_pb2_grpc import ParticipantServiceStub

if TYPE_CHECKING:
    from setlist.privacy.v1.participant_service_pb2_grpc import ParticipantServiceAsyncStub

SERVICE = messages.DESCRIPTOR.services_by_name["ParticipantService"]
TYPES = {
    "zendesk_user_id": messages.SubjectIdentity.TYPE_ZENDESK_USER_ID,
    "email": messages.SubjectIdentity.TYPE_EMAIL,
    "phone": messages.SubjectIdentity.TYPE_PHONE,
    "external_id": messages.SubjectIdentity.TYPE_EXTERNAL_ID,
}
NAMES = {number: name for name, number in TYPES.items()}
_REFUSALS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
    }
)
"""What another try soon will not change."""
T = TypeVar("T")
_RESULTS = {
    messages.ColumnFinding.RESULT_ABSENT: "absent",
    messages.ColumnFinding.RESULT_PRESENT: "present",
    messages.ColumnFinding.RESULT_NOT_COMPUTABLE: "not computable",
}


def identity_messages(identities: Sequence[Identity]) -> list[messages.SubjectIdentity]:
    """Return identities as messages."""
    return [messages.SubjectIdentity(type=TYPES[kind], value=value) for kind, value in identities]


def _counts(rows: Sequence[messages.ColumnCount]) -> Counts:
    return [
        {
            "table": r.table,
            "column": r.column,
            "erased": r.erased,
            "pseudonymised": r.pseudonymised,
            "retained": r.retained,
            "retained_ground": r.retained_ground,
        }
        for r in rows
    ]


class GrpcParticipants:
    """Implements the port `Participants`."""

    def __init__(self, channels: Channels, tokens: ContextTokens) -> None:
        self._channels = channels
        self._tokens = tokens

    async def _at(self, name: str, account: AccountId) -> tuple[ParticipantServiceAsyncStub, Metadata]:
        # Auth takes no context tokens: there the certificate alone says who calls.
        try:
            stub = ParticipantServiceStub(self._channels.to(name, [SERVICE]))
            metadata = () if name == "auth" else await self._tokens.job(account, name)
        except grpc.aio.AioRpcError as error:
            raise ParticipantMissingError(name, reason_of(error) or error.code().name) from error
        except DependencyUnavailableError as error:
            raise ParticipantMissingError(name, error.reason) from error
        return stub, metadata

    async def resolve(self, name: str, account: AccountId, identities: Sequence[Identity]) -> list[Identity]:
        stub, metadata = await self._at(name, account)
        request = messages.ResolveSubjectRequest(
            parent=account_name(account), identities=identity_messages(identities)
        )
        answer = await _asked(name, stub.ResolveSubject(request, metadata=metadata))
        return [(NAMES[i.type], i.value) for i in answer.identities if i.type in NAMES]

    async def preview(
        self, name: str, account: AccountId, identities: Sequence[Identity]
    ) -> tuple[Counts, str]:
        stub, metadata = await self._at(name, account)
        request = messages.PreviewErasureRequest(
            parent=account_name(account), identities=identity_messages(identities)
        )
        answer = await _asked(name, stub.PreviewErasure(request, metadata=metadata))
        return _counts(answer.counts), answer.plan_hash

    async def erase(
        self, name: str, account: AccountId, identities: Sequence[Identity], request: str, step: str, run: int
    ) -> tuple[Counts, str]:
        stub, metadata = await self._at(name, account)
        message = messages.EraseSubjectRequest(
            parent=account_name(account),
            request=f"{account_name(account)}/requests/{request}",
            node=step,
            attempt=run,
            identities=identity_messages(identities),
        )
        answer = await _asked(name, stub.EraseSubject(message, metadata=metadata))
        return _counts(answer.counts), answer.data_map_hash

    async def verify(
        self, name: str, account: AccountId, identities: Sequence[Identity]
    ) -> list[dict[str, Any]]:
        stub, metadata = await self._at(name, account)
        request = messages.VerifyErasureRequest(
            parent=account_name(account), identities=identity_messages(identities)
        )
        answer = await _asked(name, stub.VerifyErasure(request, metadata=metadata))
        return [
            {"table": f.table, "column": f.column, "result": _RESULTS.get(f.result, "?"), "rows": f.rows}
            for f in answer.findings
        ]


async def _asked(name: str, call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        why = reason_of(error) or error.code().name
        if error.code() in _REFUSALS:
            raise StepRefusedError(f"PARTICIPANT_REFUSED: {name}: {why}") from error
        raise ParticipantMissingError(name, why) from error
