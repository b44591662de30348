"""The feed of revocations in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.locks import advisory_lock
from libs.db.notify import notify
from libs.kernel.ids import AccountId
from services.auth.domain.revocation import Revocation

CHANNEL = "auth_revocations"
_PAGE = 1000
_INSERT = text(
    "INSERT INTO revocations (position, account, generation, kid) "
    "SELECT COALESCE(max(position), 0) + 1, :account, :generation, :kid FROM revocations RETURNING position"
)


class SqlAnnouncements:
    """Implements the port `Announcements`; what it was told is written by `flush`, last in the transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._told: list[dict[str, object]] = []

    def generation(self, account: AccountId, generation: int) -> None:
        """Announce a raised generation."""
        self._told.append({"account": account, "generation": generation, "kid": ""})

    def distrust(self, kid: str) -> None:
        self._told.append({"account": "", "generation": 0, "kid": kid})

    def keys_changed(self) -> None:
        self.distrust("")

    async def flush(self) -> None:
        """Write the entries; INVARIANT: under a lock that ends with the commit, so that positions are committed in
        their order and a reader who has seen one has seen all before it."""
        if not self._told:
            return
        await advisory_lock(self._connection, "revocations")
        position = 0
        for entry in self._told:
            position = (await self._connection.execute(_INSERT, entry)).scalar_one()
        await notify(self._connection, CHANNEL, str(position))


class SqlRevocationFeed:
    """Implements the port `RevocationFeed`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tail(self, limit: int) -> Sequence[Revocation]:
        query = text(
            "SELECT position, account, generation, kid FROM revocations ORDER BY position DESC LIMIT :n"
        )
        async with self._database.transaction(read_only=True) as connection:
            rows = (await connection.execute(query, {"n": limit})).all()
        return [_read(row) for row in reversed(rows)]

    async def after(self, position: int, limit: int) -> Sequence[Revocation]:
        query = text(
            "SELECT position, account, generation, kid FROM revocations WHERE position > :p ORDER BY position LIMIT :n"
        )
        async with self._database.transaction(read_only=True) as connection:
            return [_read(row) for row in await connection.execute(query, {"p": position, "n": limit})]

    async def snapshot(self) -> AsyncIterator[Revocation]:
        # The position is read first: whatever is read later is that or newer, and newer does no harm.
        newest = await self.tail(1)
        position = newest[-1].position if newest else 0
        yield Revocation(position)
        async with self._database.transaction(read_only=True) as connection:
            kids = await connection.execute(text("SELECT kid FROM signing_keys WHERE phase = 'revoked'"))
        for kid in kids.scalars():
            yield Revocation(position, kid=kid)
        after = ""
        while True:
            async with self._database.transaction(read_only=True) as connection:
                rows = (
                    await connection.execute(
                        text(
                            "SELECT account, generation FROM installations WHERE generation > 0 "
                            "AND account > :after ORDER BY account LIMIT :n"
                        ),
                        {"after": after, "n": _PAGE},
                    )
                ).all()
            for row in rows:
                yield Revocation(position, row.account, row.generation)
            if len(rows) < _PAGE:
                return
            after = rows[-1].account


def _read(row: Row[Any]) -> Revocation:
    return Revocation(row.position, row.account, row.generation, row.kid)
