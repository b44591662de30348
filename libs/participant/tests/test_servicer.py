"""The participant contract over the real chain and a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.participant.servicer import METHODS, SERVICE, ParticipantServicer
from libs.participant.sql import SqlSubjects
from libs.participant.tests.people import DATA_MAP, EXPECTED
from libs.rpc.errors import field_violations, reason_of
from libs.rpc.peers import rules
from libs.testing.rpc import Rpc, rpc_harness
from setlist.privacy.v1 import participant_service_pb2 as messages
from setlist.privacy.v1.participant_service_pb2_grpc import (
    ParticipantServiceStub,
    add_ParticipantServiceServicer_to_server,
)

pytestmark = pytest.mark.integration
PEERS = rules(SERVICE, METHODS, "privacy", users=False)
PARENT = "accounts/acc-1"
ADA = [messages.SubjectIdentity(type=messages.SubjectIdentity.TYPE_ZENDESK_USER_ID, value="7")]
MAIL = messages.SubjectIdentity(type=messages.SubjectIdentity.TYPE_EMAIL, value="lovelace@example.com")


@asynccontextmanager
async def participant(subjects: SqlSubjects) -> AsyncIterator[tuple[Any, Any, Rpc]]:
    def add(server: grpc.aio.Server) -> None:
        add_ParticipantServiceServicer_to_server(ParticipantServicer(DATA_MAP, subjects), server)

    async with rpc_harness("probe", PEERS, [SERVICE], add) as rpc:
        stub: Any = ParticipantServiceStub(rpc.channel("privacy"))
        yield stub, lambda: rpc.token(job="privacy"), rpc


def erasure(**changes: Any) -> messages.EraseSubjectRequest:
    given = {
        "parent": PARENT,
        "request": f"{PARENT}/requests/r-1",
        "node": "erase",
        "attempt": 1,
        "identities": ADA,
    }
    return messages.EraseSubjectRequest(**{**given, **changes})


async def test_the_data_map_is_told_column_by_column(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, token, _):
        answer = await stub.DescribeDataMap(messages.DescribeDataMapRequest(), metadata=token())

    assert (answer.service, answer.data_map_hash) == ("probe", DATA_MAP.hash)
    assert len(answer.columns) == len(DATA_MAP.columns)
    kept = next(c for c in answer.columns if (c.table, c.column) == ("audit", "agent_id"))
    assert (kept.strategy, kept.personal) == (messages.ERASURE_STRATEGY_KEEP, True)


async def test_erase_verify_and_erase_again(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, token, _):
        look = messages.VerifyErasureRequest(parent=PARENT, identities=ADA)
        before = await stub.VerifyErasure(look, metadata=token())
        first = await stub.EraseSubject(erasure(), metadata=token())
        again = await stub.EraseSubject(erasure(), metadata=token())
        after = await stub.VerifyErasure(look, metadata=token())
        newer = await stub.EraseSubject(erasure(attempt=5), metadata=token())
        with pytest.raises(grpc.aio.AioRpcError) as stale:
            await stub.EraseSubject(erasure(attempt=4), metadata=token())

    assert not before.absent
    assert after.absent
    assert {f.result for f in after.findings} == {messages.ColumnFinding.RESULT_ABSENT}
    counts = {(c.table, c.column): (c.erased, c.pseudonymised, c.retained) for c in first.counts}
    assert counts == EXPECTED
    assert first == again == newer
    assert first.data_map_hash == DATA_MAP.hash
    assert (stale.value.code(), reason_of(stale.value)) == (
        grpc.StatusCode.ABORTED,
        "CONCURRENT_CHANGE",
    )


async def test_what_is_kept_of_an_erasure_names_nobody(subjects: SqlSubjects, database: Database) -> None:
    async with participant(subjects) as (stub, token, _):
        await stub.EraseSubject(erasure(identities=[*ADA, MAIL]), metadata=token())
        await stub.EraseSubject(erasure(request=f"{PARENT}/requests/r-2"), metadata=token())
    async with database.transaction(read_only=True) as connection:
        rows = (await connection.execute(text("SELECT * FROM erasures ORDER BY request"))).mappings().all()

    first, second = rows
    assert "lovelace" not in str(rows)
    assert "user:7" not in str(rows)
    assert first["node"] != second["node"]  # two requests about one person cannot be joined


async def test_a_plan_is_bound_to_what_it_would_do(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, token, _):
        look = messages.PreviewErasureRequest(parent=PARENT, identities=ADA)
        plans = [await stub.PreviewErasure(look, metadata=token()) for _ in range(2)]
        await stub.EraseSubject(erasure(), metadata=token())
        later = await stub.PreviewErasure(look, metadata=token())

    assert plans[0] == plans[1]
    assert {(c.table, c.column) for c in plans[0].counts} == set(EXPECTED)
    assert later.plan_hash != plans[0].plan_hash


async def test_a_person_is_found_by_the_id_alone(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, token, _):
        found = []
        for identities in (
            ADA,
            [MAIL],
            [messages.SubjectIdentity(type=messages.SubjectIdentity.TYPE_ZENDESK_USER_ID, value="99")],
        ):
            request = messages.ResolveSubjectRequest(parent=PARENT, identities=identities)
            found.append((await stub.ResolveSubject(request, metadata=token())).found)

    assert found == [True, False, False]


async def test_an_export_goes_on_after_its_cursor(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, token, _):

        async def records(cursor: str = "") -> list[messages.ExportSubjectResponse]:
            request = messages.ExportSubjectRequest(parent=PARENT, identities=ADA, cursor=cursor)
            return [r async for r in stub.ExportSubject(request, metadata=token())]

        everything = await records()
        assert [r.category for r in everything] == [
            "probe.agents",
            "probe.notes",
            "probe.notes",
            "probe.audit",
        ]
        for position, record in enumerate(everything, 1):
            assert await records(record.cursor) == everything[position:]
        for cursor in ("x", "-1", "1.5", "٣", "9" * 30):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await records(cursor)
            assert reason_of(caught.value) == "INVALID_REQUEST", cursor
            assert [v.field for v in field_violations(caught.value)] == ["cursor"]


@pytest.mark.parametrize("change", [{"request": ""}, {"node": ""}, {"identities": []}])
async def test_an_erasure_without_its_key_is_refused(subjects: SqlSubjects, change: dict[str, Any]) -> None:
    async with participant(subjects) as (stub, token, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.EraseSubject(erasure(**change), metadata=token())

    assert reason_of(caught.value) == "INVALID_REQUEST"


async def test_another_accounts_request_cannot_be_named(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, token, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.EraseSubject(erasure(request="accounts/acc-2/requests/r-1"), metadata=token())

    assert reason_of(caught.value) == "PERMISSION_DENIED"


async def test_only_privacy_asks_and_never_a_person(subjects: SqlSubjects) -> None:
    async with participant(subjects) as (stub, _, rpc):
        edge: Any = ParticipantServiceStub(rpc.channel("edge"))
        person = rpc.token(user=7, peer="privacy")
        for call in (
            edge.EraseSubject(erasure(), metadata=rpc.token(job="edge")),
            stub.EraseSubject(erasure(), metadata=person),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert reason_of(caught.value) == "PERMISSION_DENIED"


async def test_what_is_not_built_says_so(subjects: SqlSubjects) -> None:
    key: dict[str, Any] = {
        "parent": PARENT,
        "request": f"{PARENT}/requests/r-1",
        "node": "n",
        "identities": ADA,
    }
    async with participant(subjects) as (stub, token, _):
        for call in (
            stub.RectifySubject(
                messages.RectifySubjectRequest(**key, changes={"name": "Ada"}), metadata=token()
            ),
            stub.RestrictSubject(messages.RestrictSubjectRequest(**key), metadata=token()),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert reason_of(caught.value) == "NOT_BUILT"
