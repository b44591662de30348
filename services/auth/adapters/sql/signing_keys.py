"""Signing keys in PostgreSQL, sealed; a ring changes by compare-and-set, so once over all replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.app.key_ports import KeyRing, StoredKey
from services.auth.domain.signing_key import Phase, SigningKey


class SqlSigningKeys:
    """Implements the port `SigningKeys`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def ring(self, kind: str) -> KeyRing:
        # One statement, so that version and keys are of one moment.
        rows = (
            await self._connection.execute(
                text(
                    "SELECT r.version, r.requested, k.kid, k.algorithm, k.phase, k.created_at, k.activated_at, "
                    "k.ended_at, k.public, k.sealed FROM key_rings r LEFT JOIN signing_keys k ON k.kind = r.kind "
                    "WHERE r.kind = :kind ORDER BY k.created_at, k.kid"
                ),
                {"kind": kind},
            )
        ).all()
        if not rows:
            return KeyRing(0, False, ())
        keys = [
            StoredKey(
                SigningKey(
                    row.kid, row.algorithm, Phase(row.phase), row.created_at, row.activated_at, row.ended_at
                ),
                row.public,
                row.sealed,
            )
            for row in rows
            if row.kid is not None
        ]
        return KeyRing(rows[0].version, rows[0].requested, keys)

    async def change(
        self,
        kind: str,
        version: int,
        *,
        moves: Mapping[str, SigningKey],
        new: Sequence[StoredKey],
        requested: bool,
    ) -> bool:
        done = await self._connection.execute(
            text(
                "INSERT INTO key_rings (kind, version, requested) VALUES (:kind, 1, :requested) "
                "ON CONFLICT (kind) DO NOTHING RETURNING true"
                if version == 0
                else "UPDATE key_rings SET version = version + 1, requested = :requested "
                "WHERE kind = :kind AND version = :version RETURNING true"
            ),
            {"kind": kind, "version": version, "requested": requested},
        )
        if done.scalar_one_or_none() is None:
            return False
        # Who stops signing goes first: one key of a kind is active at any moment.
        for kid, key in sorted(moves.items(), key=lambda move: move[1].phase is Phase.ACTIVE):
            await self._connection.execute(
                text(
                    "UPDATE signing_keys SET phase = :phase, activated_at = :activated_at, ended_at = :ended_at, "
                    "sealed = CASE WHEN :phase = 'active' THEN sealed END WHERE kind = :kind AND kid = :kid"
                ),
                {"kind": kind, "kid": kid, **_times(key)},
            )
        for stored in new:
            await self._connection.execute(
                text(
                    "INSERT INTO signing_keys (kind, kid, algorithm, phase, created_at, activated_at, ended_at, "
                    "public, sealed) VALUES (:kind, :kid, :algorithm, :phase, :created_at, :activated_at, "
                    ":ended_at, :public, :sealed)"
                ),
                {
                    "kind": kind,
                    "kid": stored.key.kid,
                    "algorithm": stored.key.algorithm,
                    "created_at": stored.key.published_at,
                    "public": stored.public,
                    "sealed": stored.sealed,
                    **_times(stored.key),
                },
            )
        return True

    async def publish(self, kind: str, kid: str, public: str) -> None:
        await self._connection.execute(
            text(
                "UPDATE signing_keys SET public = :public WHERE kind = :kind AND kid = :kid AND public = ''"
            ),
            {"kind": kind, "kid": kid, "public": public},
        )

    async def find(self, kid: str) -> tuple[str, Phase] | None:
        row = (
            await self._connection.execute(
                text("SELECT kind, phase FROM signing_keys WHERE kid = :kid"), {"kid": kid}
            )
        ).one_or_none()
        return None if row is None else (row.kind, Phase(row.phase))


def _times(key: SigningKey) -> dict[str, object]:
    return {"phase": key.phase.value, "activated_at": key.activated_at, "ended_at": key.ended_at}
