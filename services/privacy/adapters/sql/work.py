"""Requests, their steps and the ledger on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from services.privacy.adapters.sql.part import SqlPart
from services.privacy.app.ports import LedgerRow, RequestRow, StepRow
from services.privacy.domain.states import NodeState, State

_ENDED = "('COMPLETED', 'COMPLETED_WITH_RETENTION', 'REFUSED', 'CANCELLED')"
# Without the lease and the wait: they may be '-infinity', which Python's datetime cannot hold.
_STEP = "request, id, position, state, run, attempts, last_error, counts, data, updated_at"


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


class SqlWork(SqlPart):
    """The part of the port `Transaction` that the engine works with."""

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
            f"SELECT {_STEP}, lease_until > clock_timestamp() AS leased FROM steps "  # noqa: S608 - constants only
            "WHERE account = :account AND request = ANY(:requests) ORDER BY request, position",
            requests=list(requests),
        )
        return [_step(row) for row in rows]

    async def take_step(self, request: str, step: str, lease_seconds: float) -> StepRow | None:
        found = await self._run(
            "UPDATE steps SET run = run + 1, lease_until = clock_timestamp() + make_interval(secs => :lease) "  # noqa: S608 - constants only
            "WHERE account = :account AND request = :request AND id = :id AND state IN ('PENDING', 'WAITING') "
            "AND lease_until < clock_timestamp() AND not_before <= clock_timestamp() "
            f"RETURNING {_STEP}",
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
