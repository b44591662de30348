"""Keys and sealing in memory: the same envelope, its keys in a dictionary."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence

from libs.crypto.chain import canonical
from libs.crypto.documents import DocumentSigner
from libs.crypto.envelope import Envelope, LocalKeyProvider, MemoryDataKeys
from libs.kernel.ids import AccountId
from services.privacy.domain.identity import Identity


class MemoryVault:
    """Implements the port `Vault`."""

    def __init__(self) -> None:
        self._envelope = Envelope(LocalKeyProvider([secrets.token_bytes(32)]), MemoryDataKeys())
        self._ledger_keys: dict[AccountId, bytes] = {}
        self._signer = DocumentSigner.generate("certificates")

    async def ledger_key(self, account: AccountId) -> bytes:
        return self._ledger_keys.setdefault(account, secrets.token_bytes(32))

    async def seal(self, account: AccountId, request: str, identities: Sequence[Identity]) -> bytes:
        plain = json.dumps(list(identities)).encode()
        return await self._envelope.seal(account, f"snapshot-{request}", "t", "c", request, plain)

    async def open(self, account: AccountId, request: str, sealed: bytes) -> list[Identity]:
        plain = await self._envelope.open(account, f"snapshot-{request}", "t", "c", request, sealed)
        return [(kind, value) for kind, value in json.loads(plain)]

    async def drop(self, account: AccountId, request: str) -> None:
        await self._envelope.shred(account, f"snapshot-{request}")

    async def sign(self, document: Mapping[str, object]) -> tuple[str, bytes, str]:
        text = canonical(dict(document)).decode()
        return text, self._signer.sign(document), self._signer.public_pem().decode()
