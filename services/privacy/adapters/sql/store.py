"""Privacy's store on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.chain import GENESIS, chain_hash
from libs.db.engine import Database
from libs.db.locks import advisory_lock
from libs.db.requests import Requests, SqlRequests
from libs.kernel.ids import AccountId
from services.privacy.app.evidence import chained
from services.privacy.app.ports import (
    CertificateRow,
    EventRow,
    HoldRow,
    LedgerRow,
    RequestRow,
    StepRow,
    Transaction,
)
from services.privacy.domain.states import NodeState, State

_ENDED = "('COMPLETED', 'COMPLETED_WITH_RETENTION', 'REFUSED', 'CANCELLED')"


def _request(row: Row[Any]) -> RequestRow:
    return RequestRow(
        row.id,
        row.kind,
        State(row.state),
        row.commitment,
        row.identities,
        row.auto,
        row.received_at,
        row.updated_at,
        row.approved_by,
        row.plan_hash,
        row.preview,
        row.extended,
        row.refusal,
        row.version,
    )


def _step(row: Row[Any]) -> StepRow:
    return StepRow(
        row.request,
        row.id,
        row.position,
        NodeState(row.state),
        row.updated_at,
        row.run,
        row.attempts,
        row.last_error,
        row.counts,
        row.data,
        getattr(row, "leased", False),
    )


def _hold(row: Row[Any]) -> HoldRow:
    return HoldRow(row.id, tuple(row.commitments), row.matter, row.ground, row.created_at, row.released_at)


class SqlTransaction:
    """Implements the port `Transaction`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    @property
    def answers(self) -> Requests:
        return SqlRequests(self._connection)

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def add_request(self, row: RequestRow) -> str | None:
        made = await self._run(
            "INSERT INTO subject_requests (account, id, kind, state, commitment, identities, auto, approved_by, "  # noqa: S608 - constants only
            "received_at, updated_at) VALUES (:account, :id, :kind, :state, :commitment, :identities, :auto, "
            ":approved_by, :received_at, :updated_at) ON CONFLICT (account, commitment, kind) WHERE state NOT IN "
            f"{_ENDED} DO NOTHING RETURNING id",
            id=row.id,
            kind=row.kind,
            state=row.state.value,
            commitment=row.commitment,
            identities=row.identities,
            auto=row.auto,
            approved_by=row.approved_by,
            received_at=row.received_at,
            updated_at=row.updated_at,
        )
        return None if made.one_or_none() is not None else await self.active(row.commitment, row.kind)

    async def active(self, commitment: str, kind: str) -> str | None:
        found = await self._run(
            "SELECT id FROM subject_requests WHERE account = :account AND commitment = :commitment AND kind = :kind "  # noqa: S608 - constants only
            f"AND state NOT IN {_ENDED}",
            commitment=commitment,
            kind=kind,
        )
        return found.scalar_one_or_none()  # type: ignore[no-any-return]  # a text column

    async def request(self, request: str, *, for_update: bool = False) -> RequestRow | None:
        lock = " FOR UPDATE" if for_update else ""
        found = await self._run(
            f"SELECT * FROM subject_requests WHERE account = :account AND id = :id{lock}",  # noqa: S608 - a constant
            id=request,
        )
        row = found.one_or_none()
        return _request(row) if row else None

    async def put_request(self, row: RequestRow) -> None:
        await self._run(
            "UPDATE subject_requests SET state = :state, identities = :identities, auto = :auto, "
            "approved_by = :approved_by, plan_hash = :plan_hash, preview = CAST(:preview AS jsonb), "
            "extended = :extended, refusal = :refusal, version = version + 1, updated_at = :updated_at "
            "WHERE account = :account AND id = :id",
            id=row.id,
            state=row.state.value,
            identities=row.identities,
            auto=row.auto,
            approved_by=row.approved_by,
            plan_hash=row.plan_hash,
            preview=json.dumps(row.preview),
            extended=row.extended,
            refusal=row.refusal,
            updated_at=row.updated_at,
        )

    async def requests(self, before: str, limit: int, state: str | None) -> list[RequestRow]:
        rows = await self._run(
            "SELECT * FROM subject_requests WHERE account = :account AND (:before = '' OR id < :before) "
            "AND (CAST(:state AS text) IS NULL OR state = :state) ORDER BY id DESC LIMIT :limit",
            before=before,
            state=state,
            limit=limit,
        )
        return [_request(row) for row in rows]

    async def add_steps(self, rows: Sequence[StepRow]) -> None:
        for row in rows:
            await self._run(
                "INSERT INTO steps (account, request, id, position, state, updated_at) VALUES (:account, :request, "
                ":id, :position, :state, :updated_at) ON CONFLICT DO NOTHING",
                request=row.request,
                id=row.id,
                position=row.position,
                state=row.state.value,
                updated_at=row.updated_at,
            )

    async def steps(self, *requests: str) -> list[StepRow]:
        rows = await self._run(
            "SELECT *, lease_until > clock_timestamp() AS leased FROM steps "
            "WHERE account = :account AND request = ANY(:requests) ORDER BY request, position",
            requests=list(requests),
        )
        return [_step(row) for row in rows]

    async def take_step(self, request: str, step: str, lease_seconds: float) -> StepRow | None:
        found = await self._run(
            "UPDATE steps SET run = run + 1, lease_until = clock_timestamp() + make_interval(secs => :lease) "
            "WHERE account = :account AND request = :request AND id = :id AND state IN ('PENDING', 'WAITING') "
            "AND lease_until < clock_timestamp() AND not_before <= clock_timestamp() RETURNING *",
            request=request,
            id=step,
            lease=lease_seconds,
        )
        row = found.one_or_none()
        return _step(row) if row else None

    async def finish_step(self, row: StepRow, *, wait_seconds: float = 0.0) -> bool:
        done = await self._run(
            "UPDATE steps SET state = :state, attempts = :attempts, last_error = :last_error, "
            "counts = CAST(:counts AS jsonb), data = CAST(:data AS jsonb), lease_until = 'epoch', "
            "not_before = clock_timestamp() + make_interval(secs => :wait), updated_at = :updated_at "
            "WHERE account = :account AND request = :request AND id = :id AND run = :run RETURNING id",
            request=row.request,
            id=row.id,
            run=row.run,
            state=row.state.value,
            attempts=row.attempts,
            last_error=row.last_error,
            counts=json.dumps(row.counts),
            data=json.dumps(dict(row.data)),
            wait=wait_seconds,
            updated_at=row.updated_at,
        )
        return done.one_or_none() is not None

    async def renew_step(self, row: StepRow, lease_seconds: float) -> bool:
        renewed = await self._run(
            "UPDATE steps SET lease_until = clock_timestamp() + make_interval(secs => :lease) "
            "WHERE account = :account AND request = :request AND id = :id AND run = :run "
            "AND lease_until > clock_timestamp() RETURNING id",
            request=row.request,
            id=row.id,
            run=row.run,
            lease=lease_seconds,
        )
        return renewed.one_or_none() is not None

    async def revive_steps(self, request: str, at: datetime) -> list[str]:
        rows = await self._run(
            "UPDATE steps SET state = 'PENDING', attempts = 0, not_before = '-infinity', updated_at = :at "
            "WHERE account = :account AND request = :request AND state = 'DEAD_LETTER' RETURNING id",
            request=request,
            at=at,
        )
        return sorted(row.id for row in rows)

    async def rouse(self, request: str | None = None) -> None:
        await self._run(
            "UPDATE steps SET not_before = '-infinity' WHERE account = :account AND state = 'WAITING' "
            "AND (CAST(:request AS text) IS NULL OR request = :request)",
            request=request,
        )

    async def forget_step_data(self, request: str) -> None:
        await self._run(
            "UPDATE steps SET data = '{}' WHERE account = :account AND request = :request", request=request
        )

    async def intent(self, row: StepRow, token: str, at: datetime) -> bool:
        ours = await self._run(
            "UPDATE steps SET data = CAST(:data AS jsonb) "
            "WHERE account = :account AND request = :request AND id = :id AND run = :run RETURNING id",
            request=row.request,
            id=row.id,
            run=row.run,
            data=json.dumps(dict(row.data)),
        )
        if ours.one_or_none() is None:
            return False
        await self._enter(row, "INTENT", token, at)
        return True

    async def outcome(self, row: StepRow, token: str, at: datetime) -> None:
        await self._enter(row, "OUTCOME", token, at)

    async def _enter(self, step: StepRow, what: str, token: str, at: datetime) -> None:
        await self._run(
            "INSERT INTO ledger (account, request, step, run, what, token, at) "
            "VALUES (:account, :request, :step, :run, :what, :token, :at) ON CONFLICT DO NOTHING",
            request=step.request,
            step=step.id,
            run=step.run,
            what=what,
            token=token,
            at=at,
        )

    async def ledger(self, request: str) -> list[LedgerRow]:
        rows = await self._run(
            "SELECT * FROM ledger WHERE account = :account AND request = :request ORDER BY step, run, what",
            request=request,
        )
        return [LedgerRow(r.request, r.step, r.run, r.what, r.token, r.at) for r in rows]

    async def event(self, type_: str, request: str, facts: Mapping[str, str], at: datetime) -> bytes:
        # INVARIANT: one writer of an account's chain at a time.
        await advisory_lock(self._connection, f"events/{self._account}")
        sequence, previous = await self.head()
        row = EventRow(sequence + 1, at, type_, request, dict(facts), b"")
        digest = chain_hash(previous, chained(self._account, row))
        await self._run(
            "INSERT INTO events (account, sequence, at, type, request, facts, hash) "
            "VALUES (:account, :sequence, :at, :type, :request, CAST(:facts AS jsonb), :hash)",
            sequence=row.sequence,
            at=at,
            type=type_,
            request=request,
            facts=json.dumps(dict(facts)),
            hash=digest,
        )
        return digest

    async def head(self) -> tuple[int, bytes]:
        found = await self._run(
            "SELECT sequence, hash FROM events WHERE account = :account ORDER BY sequence DESC LIMIT 1"
        )
        last = found.one_or_none()
        return (last.sequence, bytes(last.hash)) if last else (0, GENESIS)

    async def events(self, after: int, limit: int) -> list[EventRow]:
        rows = await self._run(
            "SELECT * FROM events WHERE account = :account AND sequence > :after ORDER BY sequence LIMIT :limit",
            after=after,
            limit=limit,
        )
        return [EventRow(r.sequence, r.at, r.type, r.request, r.facts, bytes(r.hash)) for r in rows]

    async def put_certificate(self, row: CertificateRow) -> None:
        await self._run(
            "INSERT INTO certificates (account, request, document, signature, key_pem, issued_at) VALUES (:account, "
            ":request, :document, :signature, :key_pem, :issued_at) ON CONFLICT DO NOTHING",
            request=row.request,
            document=row.document,
            signature=row.signature,
            key_pem=row.key_pem,
            issued_at=row.issued_at,
        )

    async def certificate(self, request: str) -> CertificateRow | None:
        found = await self._run(
            "SELECT * FROM certificates WHERE account = :account AND request = :request", request=request
        )
        row = found.one_or_none()
        return (
            CertificateRow(row.request, row.document, row.signature, row.key_pem, row.issued_at)
            if row
            else None
        )

    async def add_hold(self, row: HoldRow) -> None:
        await self._run(
            "INSERT INTO holds (account, id, commitments, matter, ground, created_at) "
            "VALUES (:account, :id, :people, :matter, :ground, :created_at)",
            id=row.id,
            people=list(row.commitments),
            matter=row.matter,
            ground=row.ground,
            created_at=row.created_at,
        )

    async def hold(self, hold: str) -> HoldRow | None:
        found = await self._run("SELECT * FROM holds WHERE account = :account AND id = :id", id=hold)
        row = found.one_or_none()
        return _hold(row) if row else None

    async def release_hold(self, hold: str, at: datetime) -> HoldRow | None:
        found = await self._run(
            "UPDATE holds SET released_at = coalesce(released_at, :at) WHERE account = :account AND id = :id RETURNING *",
            id=hold,
            at=at,
        )
        row = found.one_or_none()
        return _hold(row) if row else None

    async def holds(self, before: str, limit: int) -> list[HoldRow]:
        rows = await self._run(
            "SELECT * FROM holds WHERE account = :account AND (:before = '' OR id < :before) ORDER BY id DESC LIMIT :limit",
            before=before,
            limit=limit,
        )
        return [_hold(row) for row in rows]

    async def held(self, commitments: Sequence[str]) -> HoldRow | None:
        found = await self._run(
            "SELECT * FROM holds WHERE account = :account AND commitments && CAST(:people AS text[]) "
            "AND released_at IS NULL ORDER BY id LIMIT 1",
            people=list(commitments),
        )
        row = found.one_or_none()
        return _hold(row) if row else None

    async def restrict(self, commitment: str, purposes: Sequence[int], *, restricted: bool) -> int:
        await advisory_lock(self._connection, f"restrictions/{self._account}")
        revision = await self.restriction_revision() + 1
        for purpose in purposes:
            await self._run(
                "INSERT INTO restrictions (account, commitment, purpose, revision, restricted) VALUES (:account, "
                ":commitment, :purpose, :revision, :restricted) ON CONFLICT (account, commitment, purpose) DO UPDATE "
                "SET revision = excluded.revision, restricted = excluded.restricted",
                commitment=commitment,
                purpose=purpose,
                revision=revision,
                restricted=restricted,
            )
        return revision

    async def restricted(self, commitments: Sequence[str], purposes: Sequence[int]) -> list[tuple[str, int]]:
        rows = await self._run(
            "SELECT commitment, purpose FROM restrictions WHERE account = :account AND restricted "
            "AND commitment = ANY(:people) AND purpose = ANY(:purposes)",
            people=list(commitments),
            purposes=list(purposes),
        )
        return [(row.commitment, row.purpose) for row in rows]

    async def restriction_revision(self) -> int:
        found = await self._run(
            "SELECT greatest((SELECT coalesce(max(revision), 0) FROM restrictions WHERE account = :account), "
            "(SELECT coalesce(max(revision), 0) FROM suppressions WHERE account = :account))"
        )
        return int(found.scalar_one())

    async def suppress(self, commitments: Sequence[str], request: str, at: datetime) -> int:
        await advisory_lock(self._connection, f"restrictions/{self._account}")
        revision = await self.restriction_revision() + 1
        for one in commitments:
            await self._run(
                "INSERT INTO suppressions (account, commitment, request, revision, at) "
                "VALUES (:account, :commitment, :request, :revision, :at) ON CONFLICT (account, commitment) "
                "DO UPDATE SET request = excluded.request, revision = excluded.revision, at = excluded.at",
                commitment=one,
                request=request,
                revision=revision,
                at=at,
            )
        return revision

    async def suppressed(self, commitments: Sequence[str]) -> list[str]:
        rows = await self._run(
            "SELECT commitment FROM suppressions WHERE account = :account AND commitment = ANY(:people)",
            people=list(commitments),
        )
        return [row.commitment for row in rows]


class SqlStore:
    """Implements the port `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(account)

    @asynccontextmanager
    async def _transaction(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            yield SqlTransaction(connection, account)

    async def due(self) -> list[tuple[AccountId, str]]:
        async with self._database.transaction(read_only=True) as connection:
            rows = await connection.execute(
                text(
                    "SELECT r.account, r.id FROM subject_requests r CROSS JOIN LATERAL (SELECT * FROM steps s "
                    "WHERE s.account = r.account AND s.request = r.id AND s.state NOT IN ('DONE', 'RETAINED') "
                    "ORDER BY s.position LIMIT 1) s "
                    "WHERE r.state IN ('RECEIVED', 'EXECUTING', 'VERIFYING') AND s.state IN ('PENDING', 'WAITING') "
                    "AND s.lease_until < clock_timestamp() AND s.not_before <= clock_timestamp() "
                    "ORDER BY s.updated_at LIMIT 100"
                )
            )
            return [(AccountId(row.account), row.id) for row in rows]
