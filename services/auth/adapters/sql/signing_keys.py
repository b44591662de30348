"""Signing keys in PostgreSQL, sealed; made once over all replicas."""

from __future__ import annotations

from sqlalchemy import text

from libs.crypto.tokens import KeySet, Signer
from libs.db.engine import Database
from libs.db.locks import advisory_lock
from libs.kernel.clock import Clock
from libs.kernel.ids import IdSource
from services.auth.app.ports import Sealer
from services.auth.app.token_keys import KINDS, TokenKeys

PLATFORM = "platform"
"""Signing keys belong to no account."""


async def load_token_keys(
    database: Database, sealer: Sealer, issuer: str, clock: Clock, ids: IdSource
) -> TokenKeys:
    """Return the keys of every kind; makes an active key where there is none."""
    signers: dict[str, Signer] = {}
    sets: dict[str, KeySet] = {}
    for kind in KINDS:
        fresh = Signer.generate(ids.new(kind[:3]))
        sealed = await sealer.seal(PLATFORM, "signing", "signing_keys", kind, fresh.kid, fresh.private_pem())
        async with database.transaction() as connection:
            await advisory_lock(connection, f"signing_keys/{kind}")
            await connection.execute(
                text(
                    "INSERT INTO signing_keys (kind, kid, sealed, phase, created_at) "
                    "SELECT :kind, :kid, :sealed, 'active', :now WHERE NOT EXISTS "
                    "(SELECT 1 FROM signing_keys WHERE kind = :kind AND phase = 'active')"
                ),
                {"kind": kind, "kid": fresh.kid, "sealed": sealed, "now": clock.now()},
            )
            rows = await connection.execute(
                text("SELECT kid, sealed, phase FROM signing_keys WHERE kind = :kind AND phase <> 'revoked'"),
                {"kind": kind},
            )
            stored = rows.all()
        ring = {
            row.kid: Signer.from_pem(
                row.kid, await sealer.open(PLATFORM, "signing", "signing_keys", kind, row.kid, row.sealed)
            )
            for row in stored
        }
        signers[kind] = next(ring[row.kid] for row in stored if row.phase == "active")
        sets[kind] = KeySet(signer.public_key() for signer in ring.values())
    return TokenKeys(issuer, ids, signers, sets)
