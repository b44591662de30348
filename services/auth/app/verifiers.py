"""PKCE verifiers at rest, bound to their authorisation."""

from __future__ import annotations

from libs.kernel.ids import AccountId
from services.auth.app.ports import Sealer
from services.auth.domain.authorization import Authorization

_PLACE = ("oauth", "authorizations", "verifier")


async def seal_verifier(sealer: Sealer, account: AccountId, row: str, verifier: str) -> bytes:
    """Return the verifier sealed for its row."""
    return await sealer.seal(account, *_PLACE, row, verifier.encode())


async def open_verifier(sealer: Sealer, authorization: Authorization) -> str:
    """Return the verifier of an authorisation; raises InvalidCiphertextError."""
    sealed = authorization.verifier
    return (await sealer.open(authorization.account, *_PLACE, authorization.id, sealed)).decode()
