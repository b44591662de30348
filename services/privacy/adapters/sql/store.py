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
from libs.kernel.ids import AccountId
from services.privacy.app.ports import CertificateRow, EventRow, HoldRow, RequestRow, StepRow, Transaction
from services.privacy.domain.states import NodeState, State

_ACTIVE = "('COMPLETED', 'COMPLETED_WITH_RETENTION', 'REFUSED', 'CANCELLED')"


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
    )


def _hold(row: Row[Any]) -> HoldRow:
    return HoldRow(row.id, row.commitment, row.matter, row.ground, row.created_at, row.released_at)


def chained(account: str, row: EventRow) -> dict[str, object]:
    """Return what of an event is chained. Ids, counts and hashes only."""
    return {
        "account": account,
        "sequence": str(row.sequence),
        "at": row.at.isoformat(),
        "type": row.type,
        "request": row.request,
        "facts": dict(row.facts),
    }


class SqlTransaction:
    """Implements the port `Transaction`."""

    def __init__(self, connection: AsyncConnection, account: AccountId) -> None:
        self._connection = connection
        self._account = account

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def add_request(self, row: RequestRow) -> str | None:
        made = await self._run(
            "INSERT INTO subject_requests (account, id, kind, state, commitment, identities, auto, approved_by, "
            "received_at, updated_at) VALUES (:account, :id, :kind, :state, :commitment, :identities, :auto, "
            ":approved_by, :received_at, :received_at) ON CONFLICT (account, commitment, kind) WHERE state NOT IN "
            f"{_ACTIVE} DO NOTHING RETURNING id",
            id=row.id,
            kind=row.kind,
            state=row.state.value,
            commitment=row.commitment,
            identities=row.identities,
            auto=row.auto,
            approved_by=row.approved_by,
            received_at=row.received_at,
        )
        if made.one_or_none() is not None:
            return None
        found = await self._run(
            "SELECT id FROM subject_requests WHERE account = :account AND commitment = :commitment AND kind = :kind "  # noqa: S608 - constants only
            f"AND state NOT IN {_ACTIVE}",
            commitment=row.commitment,
            kind=row.kind,
        )
        return str(found.scalar_one())

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

    async def steps(self, request: str) -> list[StepRow]:
        rows = await self._run(
            "SELECT * FROM steps WHERE account = :account AND request = :request ORDER BY position",
            request=request,
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
            "counts = CAST(:counts AS jsonb), data = CAST(:data AS jsonb), lease_until = '-infinity', "
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

    async def ledger(self, step: StepRow, what: str, token: str, at: datetime) -> None:
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

    async def event(self, type_: str, request: str, facts: Mapping[str, str], at: datetime) -> bytes:
        # INVARIANT: one writer of an account's chain at a time.
        await advisory_lock(self._connection, f"events/{self._account}")
        last = (
            await self._run(
                "SELECT sequence, hash FROM events WHERE account = :account ORDER BY sequence DESC LIMIT 1"
            )
        ).one_or_none()
        row = EventRow((last.sequence if last else 0) + 1, at, type_, request, dict(facts), b"")
        digest = chain_hash(last.hash if last else GENESIS, chained(self._account, row))
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

    async def events(self, after: int, limit: int) -> list[EventRow]:
        rows = await self._run(
            "SELECT * FROM events WHERE account = :account AND sequence > :after ORDER BY sequence LIMIT :limit",
            after=after,
            limit=limit,
        )
        return [EventRow(r.sequence, r.at, r.type, r.request, r.facts, r.hash) for r in rows]

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
            "INSERT INTO holds (account, id, commitment, matter, ground, created_at) "
            "VALUES (:account, :id, :commitment, :matter, :ground, :created_at)",
            id=row.id,
            commitment=row.commitment,
            matter=row.matter,
            ground=row.ground,
            created_at=row.created_at,
        )

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
            "SELECT * FROM holds WHERE account = :account AND commitment = ANY(:people) AND released_at IS NULL LIMIT 1",
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
            "SELECT coalesce(max(revision), 0) FROM restrictions WHERE account = :account"
        )
        return int(found.scalar_one())

    async def suppress(self, commitments: Sequence[str], request: str, at: datetime) -> None:
        for one in commitments:
            await self._run(
                "INSERT INTO suppressions (account, commitment, request, at) VALUES (:account, :commitment, :request, :at) "
                "ON CONFLICT DO NOTHING",
                commitment=one,
                request=request,
                at=at,
            )


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
                    "SELECT DISTINCT s.account, s.request FROM steps s JOIN subject_requests r "
                    "ON r.account = s.account AND r.id = s.request "
                    "WHERE r.state IN ('RECEIVED', 'EXECUTING', 'VERIFYING') AND s.state IN ('PENDING', 'WAITING') "
                    "AND s.lease_until < clock_timestamp() AND s.not_before <= clock_timestamp() LIMIT 100"
                )
            )
            return [(AccountId(row.account), row.request) for row in rows]
