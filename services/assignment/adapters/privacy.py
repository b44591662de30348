"""Privacy, as assignment needs it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens
from libs.kernel.ids import AccountId, account_name
from setlist.privacy.v1 import participant_service_pb2 as participant
from setlist.privacy.v1 import privacy_service_pb2 as messages
from setlist.privacy.v1.privacy_service_pb2_grpc import PrivacyServiceStub

PRIVACY = messages.DESCRIPTOR.services_by_name["PrivacyService"]
_BASIC = participant.PROCESSING_PURPOSE_ASSIGN_BASIC
_SCORING = participant.PROCESSING_PURPOSE_SKILL_SCORING
_AFFINITY = participant.PROCESSING_PURPOSE_SAME_AGENT_AFFINITY
AT_ONCE = 1000
"""Subjects that one call may name."""


class PrivacyClient:
    """Implements the port `Privacy`."""

    def __init__(self, channels: Channels, tokens: ContextTokens) -> None:
        self._channels = channels
        self._tokens = tokens

    async def agents(
        self, account: AccountId, agents: Sequence[int]
    ) -> tuple[int, Collection[int], Collection[int]]:
        revision: int | None = None
        forbidden: dict[int, set[int]] = {_BASIC: set(), _SCORING: set()}
        for start in range(0, len(agents), AT_ONCE):
            answer = await self._check(account, agents[start : start + AT_ONCE], [_BASIC, _SCORING])
            revision = answer.revision if revision is None else min(revision, answer.revision)
            for one in answer.restrictions:
                for purpose in one.purposes:
                    forbidden[purpose].add(int(one.subject.value))
        return revision or 0, forbidden[_BASIC], forbidden[_SCORING]

    async def may_have_affinity(self, account: AccountId, requester: int) -> bool:
        return not (await self._check(account, [requester], [_AFFINITY])).restrictions

    async def _check(
        self,
        account: AccountId,
        users: Sequence[int],
        purposes: Sequence[participant.ProcessingPurpose.ValueType],
    ) -> messages.CheckProcessingResponse:
        stub = PrivacyServiceStub(self._channels.to("privacy", [PRIVACY]))
        kind = participant.SubjectIdentity.TYPE_ZENDESK_USER_ID
        subjects = [participant.SubjectIdentity(type=kind, value=str(user)) for user in users]
        return await stub.CheckProcessing(
            messages.CheckProcessingRequest(
                parent=account_name(account), subjects=subjects, purposes=purposes
            ),
            metadata=await self._tokens.job(account, "privacy"),
        )
