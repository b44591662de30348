"""ParticipantService over gRPC: one servicer for every service that holds data about people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError, NotBuiltError
from libs.kernel.ids import UserId, account_of
from libs.participant.data_map import DataMap, Strategy
from libs.participant.subjects import Count, Subjects
from setlist.privacy.v1 import participant_service_pb2 as messages
from setlist.privacy.v1.participant_service_pb2_grpc import ParticipantServiceServicer

METHODS = tuple(m.name for m in messages.DESCRIPTOR.services_by_name["ParticipantService"].methods)
SERVICE = messages.DESCRIPTOR.services_by_name["ParticipantService"]

_STRATEGIES = {
    Strategy.DELETE_ROW: messages.ERASURE_STRATEGY_DELETE_ROW,
    Strategy.NULL: messages.ERASURE_STRATEGY_NULL,
    Strategy.PSEUDONYMISE: messages.ERASURE_STRATEGY_PSEUDONYMISE,
    Strategy.KEEP: messages.ERASURE_STRATEGY_KEEP,
    Strategy.DROP_KEY: messages.ERASURE_STRATEGY_DROP_KEY,
    Strategy.NOT_PERSONAL: messages.ERASURE_STRATEGY_NOT_PERSONAL,
}


def _users(identities: Sequence[messages.SubjectIdentity]) -> list[UserId]:
    """Return the Zendesk user ids: the only identifier of a person that a service keeps."""
    kind = messages.SubjectIdentity.TYPE_ZENDESK_USER_ID
    return sorted(
        {
            UserId(int(i.value))
            for i in identities
            if i.type == kind and i.value.isascii() and i.value.isdecimal()
        }
    )


def _position(cursor: str) -> int:
    """Return how many records the caller has; our cursors are counts.

    Raises:
        InvalidRequestError: the cursor is not ours.
    """
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 12):
        raise InvalidRequestError(
            f"cursor `{cursor[:20]}` is not one of ours",
            violations=[FieldViolation("cursor", "must be the cursor of a record")],
        )
    return int(cursor)


def _added(counts: Sequence[Count]) -> list[Count]:
    total: dict[tuple[str, str], Count] = {}
    for c in counts:
        before = total.get((c.table, c.column), Count(c.table, c.column))
        total[(c.table, c.column)] = Count(
            c.table,
            c.column,
            before.erased + c.erased,
            before.pseudonymised + c.pseudonymised,
            before.retained + c.retained,
            c.ground or before.ground,
        )
    return list(total.values())


def _messages(counts: Sequence[Count]) -> list[messages.ColumnCount]:
    return [
        messages.ColumnCount(
            table=c.table,
            column=c.column,
            erased=c.erased,
            pseudonymised=c.pseudonymised,
            retained=c.retained,
            retained_ground=c.ground,
        )
        for c in counts
    ]


class ParticipantServicer(ParticipantServiceServicer):
    """Answers about people from a service's data map and rows."""

    def __init__(self, data_map: DataMap, subjects: Subjects) -> None:
        self._map = data_map
        self._subjects = subjects

    async def DescribeDataMap(
        self, request: messages.DescribeDataMapRequest, context: Any
    ) -> messages.DescribeDataMapResponse:
        columns = [
            messages.DataMapColumn(
                table=c.table,
                column=c.column,
                personal=c.personal,
                strategy=_STRATEGIES[c.strategy],
                purpose=c.purpose,
                subject_column=c.subject,
                retention=c.retention,
                provided_by_subject=c.provided,
            )
            for c in self._map.columns
        ]
        return messages.DescribeDataMapResponse(
            service=self._map.service, columns=columns, data_map_hash=self._map.hash
        )

    async def ResolveSubject(
        self, request: messages.ResolveSubjectRequest, context: Any
    ) -> messages.ResolveSubjectResponse:
        counts = await self._preview(request.parent, request.identities)
        found = any(c.erased or c.pseudonymised or c.retained for c in counts)
        return messages.ResolveSubjectResponse(found=found)

    async def _preview(self, parent: str, identities: Sequence[messages.SubjectIdentity]) -> list[Count]:
        account = account_of(parent)
        counts = [c for user in _users(identities) for c in await self._subjects.preview(account, user)]
        return _added(counts)

    async def PreviewErasure(
        self, request: messages.PreviewErasureRequest, context: Any
    ) -> messages.PreviewErasureResponse:
        counts = await self._preview(request.parent, request.identities)
        text = json.dumps([asdict(c) for c in counts], sort_keys=True)
        plan_hash = hashlib.sha256(f"{self._map.hash}{text}".encode()).hexdigest()
        return messages.PreviewErasureResponse(counts=_messages(counts), plan_hash=plan_hash)

    async def EraseSubject(
        self, request: messages.EraseSubjectRequest, context: Any
    ) -> messages.EraseSubjectResponse:
        account = account_of(request.parent)
        counts: list[Count] = []
        for user in _users(request.identities):
            # of this request alone: nothing that stays can be joined with another request about the person
            mark = hashlib.sha256(f"{request.request}/{user}".encode()).hexdigest()[:16]
            node = f"{request.node}/{mark}"
            counts += await self._subjects.erase(account, user, request.request, node, request.attempt)
        return messages.EraseSubjectResponse(counts=_messages(_added(counts)), data_map_hash=self._map.hash)

    async def VerifyErasure(
        self, request: messages.VerifyErasureRequest, context: Any
    ) -> messages.VerifyErasureResponse:
        account = account_of(request.parent)
        rows: dict[tuple[str, str], int] = {}
        for user in _users(request.identities):
            for place, number in (await self._subjects.search(account, user)).items():
                rows[place] = rows.get(place, 0) + number
        finding = messages.ColumnFinding
        findings = [
            finding(
                table=table,
                column=column,
                rows=number,
                result=finding.RESULT_PRESENT if number else finding.RESULT_ABSENT,
            )
            for (table, column), number in sorted(rows.items())
        ]
        return messages.VerifyErasureResponse(findings=findings, absent=not any(rows.values()))

    async def ExportSubject(
        self, request: messages.ExportSubjectRequest, context: Any
    ) -> AsyncIterator[messages.ExportSubjectResponse]:
        account, position, after = account_of(request.parent), 0, _position(request.cursor)
        for user in _users(request.identities):
            async for record in self._subjects.export(account, user):
                position += 1
                if position > after:
                    yield messages.ExportSubjectResponse(
                        category=f"{self._map.service}.{record.category}",
                        record_json=json.dumps(record.values, default=str, sort_keys=True),
                        third_party=record.third_party,
                        provided_by_subject=record.provided,
                        cursor=str(position),
                    )

    async def RectifySubject(
        self, request: messages.RectifySubjectRequest, context: Any
    ) -> messages.RectifySubjectResponse:
        raise NotBuiltError(
            "rectification is not built yet: profiles live in Zendesk and are synced from there"
        )

    async def RestrictSubject(
        self, request: messages.RestrictSubjectRequest, context: Any
    ) -> messages.RestrictSubjectResponse:
        raise NotBuiltError("restriction per participant is not built yet: ask privacy's CheckProcessing")
