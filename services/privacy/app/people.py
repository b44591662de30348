"""People as tokens: what of a person may stand in a table or in the evidence."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from libs.kernel.ids import AccountId
from services.privacy.app.ports import Vault
from services.privacy.domain.identity import USER, Identity, commitment, users


class People:
    """Makes keyed hashes with an account's own key."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def tokens(self, account: AccountId, identities: Sequence[Identity]) -> list[str]:
        """Return the token of each identity, in the same order."""
        key = await self._vault.ledger_key(account)
        return [commitment(key, kind, value) for kind, value in identities]

    async def token(self, account: AccountId, identities: Sequence[Identity]) -> str:
        """Return the one token that stands for the person: of the lowest Zendesk user id.

        Raises:
            ValueError: no Zendesk user id is among the identities.
        """
        return (await self.tokens(account, [(USER, str(min(users(identities))))]))[0]

    async def actor(self, account: AccountId, subject: str) -> str:
        """Return an acting `user:{id}` as `user:{token}`; a service as it is."""
        kind, _, number = subject.partition(":")
        if kind != "user":
            return subject
        return f"user:{(await self.tokens(account, [(USER, number)]))[0]}"

    async def digest(self, account: AccountId, content: bytes) -> str:
        """Return a keyed hash (hex) of a text or body that must not be kept."""
        key = await self._vault.ledger_key(account)
        return hmac.new(key, b"digest|" + content, hashlib.sha256).hexdigest()
