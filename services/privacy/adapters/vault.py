"""Keys and sealing, on the envelope."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from libs.crypto.chain import canonical
from libs.crypto.documents import DocumentSigner
from libs.crypto.envelope import Envelope
from libs.db.engine import Database
from libs.kernel.ids import AccountId
from services.privacy.domain.identity import Identity

PLATFORM = AccountId("platform")
PLACE = ("subject_requests", "identities")


def snapshot_key(request: str) -> str:
    """Return the purpose of the key of one request's snapshot: destroying it leaves every other one alone."""
    return f"snapshot-{request}"


class EnvelopeVault:
    """Implements the port `Vault`."""

    def __init__(self, database: Database, envelope: Envelope) -> None:
        self._database = database
        self._envelope = envelope
        self._known: dict[tuple[AccountId, str], bytes] = {}

    async def _secret(self, account: AccountId, purpose: str, fresh: bytes) -> bytes:
        """Return a secret that is made once over all replicas."""
        key = (account, purpose)
        if key not in self._known:
            sealed = await self._envelope.seal(account, purpose, "secrets", "sealed", purpose, fresh)
            async with self._database.transaction() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO secrets (account, purpose, sealed) VALUES (:a, :p, :s) ON CONFLICT DO NOTHING"
                    ),
                    {"a": account, "p": purpose, "s": sealed},
                )
                stored = await connection.execute(
                    text("SELECT sealed FROM secrets WHERE account = :a AND purpose = :p"),
                    {"a": account, "p": purpose},
                )
                kept = bytes(stored.scalar_one())
            self._known[key] = await self._envelope.open(account, purpose, "secrets", "sealed", purpose, kept)
        return self._known[key]

    async def ledger_key(self, account: AccountId) -> bytes:
        return await self._secret(account, "ledger", secrets.token_bytes(32))

    async def seal(self, account: AccountId, request: str, identities: Sequence[Identity]) -> bytes:
        plain = json.dumps(list(identities)).encode()
        return await self._envelope.seal(account, snapshot_key(request), *PLACE, request, plain)

    async def open(self, account: AccountId, request: str, sealed: bytes) -> list[Identity]:
        plain = await self._envelope.open(account, snapshot_key(request), *PLACE, request, sealed)
        return [(kind, value) for kind, value in json.loads(plain)]

    async def drop(self, account: AccountId, request: str) -> None:
        await self._envelope.shred(account, snapshot_key(request))

    async def sign(self, document: Mapping[str, object]) -> tuple[str, bytes, str]:
        pem = await self._secret(
            PLATFORM, "certificates", DocumentSigner.generate("certificates").private_pem()
        )
        signer = DocumentSigner.from_pem("certificates", pem)
        return canonical(dict(document)).decode(), signer.sign(document), signer.public_pem().decode()
