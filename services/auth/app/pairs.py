"""Token pairs, sealed and opened: each ciphertext is bound to its account, column and version."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from libs.crypto.errors import InvalidCiphertextError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.auth.app.ports import Sealer, TokenPair
from services.auth.domain.errors import ReauthorizationNeededError
from services.auth.domain.grant import Grant

_PURPOSE, _TABLE = "oauth", "grants"


class Pairs:
    """Turns what Zendesk answered into a grant that can be stored, and back."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def warm(self, account: AccountId) -> None:
        """Fetch the data key now: once Zendesk has answered, sealing must not have to ask the database."""
        await self._sealer.seal(account, _PURPOSE, _TABLE, "warm", "", b"")

    async def seal(self, account: AccountId, version: int, pair: TokenPair, now: datetime) -> Grant:
        """Return a pair as a sealed grant of the given version.

        Call it outside of transactions: it may have to make a data key in one of its own.
        """

        async def sealed(column: str, value: str) -> bytes:
            return await self._sealer.seal(account, _PURPOSE, _TABLE, column, str(version), value.encode())

        def end(seconds: int | None) -> datetime | None:
            return None if seconds is None else now + timedelta(seconds=seconds)

        return Grant(
            account,
            version,
            await sealed("access", pair.access),
            await sealed("refresh", pair.refresh) if pair.refresh else None,
            now,
            end(pair.access_seconds),
            end(pair.refresh_seconds),
        )

    async def successor(self, grant: Grant, pair: TokenPair, now: datetime) -> Grant:
        """Return the grant that follows; without a new refresh token the old one stays, and tells when it is dead."""
        kept = pair if pair.refresh else replace(pair, refresh=await self.refresh(grant))
        return await self.seal(grant.account, grant.version + 1, kept, now)

    async def access(self, grant: Grant) -> str:
        """Return the access token.

        Raises:
            ReauthorizationNeededError: it cannot be opened any more, e.g. after its data key was destroyed.
        """
        return await self._open(grant, "access", grant.access)

    async def refresh(self, grant: Grant) -> str | None:
        """Return the refresh token, None when there is none; raises as `access`."""
        return None if grant.refresh is None else await self._open(grant, "refresh", grant.refresh)

    async def _open(self, grant: Grant, column: str, sealed: bytes) -> str:
        row = str(grant.version)
        try:
            return (await self._sealer.open(grant.account, _PURPOSE, _TABLE, column, row, sealed)).decode()
        except InvalidCiphertextError:
            # Not marked as lost: a replica with a wrong key must not end the grants of every account.
            get_logger().error("a pair cannot be opened", account=grant.account, version=grant.version)
            raise ReauthorizationNeededError(
                "the grant cannot be opened: an admin must authorise the app again"
            ) from None
