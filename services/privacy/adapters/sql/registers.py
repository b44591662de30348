"""The evidence chain, certificates, holds and restrictions on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from libs.crypto.chain import GENESIS, chain_hash
from libs.db.locks import advisory_lock
from services.privacy.adapters.sql.part import SqlPart
from services.privacy.app.evidence import chained
from services.privacy.app.ports import CertificateRow, EventRow, HoldRow


def _hold(row: Row[Any]) -> HoldRow:
    return HoldRow(row.id, tuple(row.commitments), row.matter, row.ground, row.created_at, row.released_at)


class SqlRegisters(SqlPart):
    """The part of the port `Transaction` that proves and forbids."""

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
